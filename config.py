"""The values of each environment. Every setting that is not here has its default, see docs/SETTINGS.md.

The environment wins over these classes, and secrets and addresses belong there: SECRET_KEY, DATABASE_URL, AEGIS_URL.
"""


class Config:
    """What holds everywhere."""

    SESSION_COOKIE_HTTPONLY = True
    SESSION_COOKIE_SAMESITE = "Lax"
    PERMANENT_SESSION_LIFETIME = 3600


class DevelopmentConfig(Config):
    """One person, one machine, http://localhost:5000."""

    FLASK_ENV = "development"
    SESSION_COOKIE_SECURE = False


class TestingConfig(Config):
    """Fast, and forgotten at the end."""

    FLASK_ENV = "testing"
    TESTING = True
    DATABASE_URL = "sqlite://"
    SESSION_COOKIE_SECURE = False


class ProductionConfig(Config):
    """Real people. The values are stated although they are the defaults, so that a review finds them in one place."""

    FLASK_ENV = "production"
    SESSION_COOKIE_SECURE = True
    SESSION_COOKIE_HTTPONLY = True
    SESSION_COOKIE_SAMESITE = "Lax"
    PERMANENT_SESSION_LIFETIME = 3600


by_environment = {
    "development": DevelopmentConfig,
    "testing": TestingConfig,
    "production": ProductionConfig,
}
