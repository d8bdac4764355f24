"""hypothesis under this suite's settings; not in conftest.py, as importing it takes a second that only its tests should wait."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

__all__ = ["HealthCheck", "example", "given", "settings", "st"]

# How long one example takes says more about what else the machine does than about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
