"""What every test shares."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.controls", "tests.loopback", "tests.services.fixtures", "tests.fixtures"]

# How long one example takes says more about what else the machine does than about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
