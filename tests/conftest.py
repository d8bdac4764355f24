"""What every test shares."""

pytest_plugins = ["tests.controls", "tests.loopback", "tests.services.fixtures", "tests.fixtures"]
