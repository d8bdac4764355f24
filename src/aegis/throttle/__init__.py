"""Limits on everything that can be guessed: limits are data (`aegis.settings`), counters live in Redis or SQL, one way to spend them."""

from aegis.throttle.counters import Counters
from aegis.throttle.service import Attempt, Subject, attempt, network, purge

__all__ = ["Attempt", "Counters", "Subject", "attempt", "network", "purge"]
