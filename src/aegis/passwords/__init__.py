"""Passwords: which are accepted (`policy`), and how they are hashed, a few at a time (`hasher`, `gate`).

Nothing here knows a request, a database or the settings; what is needed comes in as arguments.
"""

from aegis.passwords.hasher import Hasher, Verdict
from aegis.passwords.policy import judge, normalise

__all__ = ["Hasher", "Verdict", "judge", "normalise"]
