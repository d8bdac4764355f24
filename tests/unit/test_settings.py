"""Settings: read, put together, judged. Each rule of production has a case here, beside values that are good."""

import datetime
import ipaddress

import pytest

from aegis import settings
from aegis.settings import judge, parse

KEY = "pQ2-7wXbC1EfGh5jKlMnOp9rStUvWxYz0aBdD46hJk_"
OTHER_KEY = KEY[::-1]
GOOD = {
    "FLASK_ENV": "production",
    "SECRET_KEY": KEY,
    "DATABASE_URL": "postgresql://aegis:hunter2@db.internal/aegis",
}


def problems(environ=None, config=None):
    try:
        settings.load(environ or {}, config)
    except settings.ConfigurationError as error:
        return error.problems
    return []


def test_three_variables_are_enough_for_production():
    configured = settings.load(GOOD)

    assert configured.settings.is_production
    assert configured.settings.session_cookie_secure
    assert configured.settings.cookie_prefix == "__Host-"
    assert (configured.settings.session_idle_s, configured.settings.session_overall_s) == (3600, 43_200)


def test_development_and_testing_need_nothing():
    development, testing = settings.load({}).settings, settings.load({"FLASK_ENV": "testing"}).settings

    assert (development.environment, development.cookie_prefix) == ("development", "")
    assert (testing.database_url, testing.argon2_memory_kib) == ("sqlite://", 1024)


ACCEPTED = {
    "fallbacks": {"SECRET_KEY_FALLBACKS": OTHER_KEY},
    "mariadb": {"DATABASE_URL": "mariadb://u:p@h:3306/n"},
    "mysql": {"DATABASE_URL": "mysql://u:p@[::1]:3306/n"},
    "sqlite on request": {"DATABASE_URL": "sqlite:////var/lib/a.sqlite", "AEGIS_ALLOW_SQLITE": "1"},
    "strict": {"SESSION_COOKIE_SAMESITE": "Strict"},
    "short sessions": {"PERMANENT_SESSION_LIFETIME": "60"},
    "proxies": {"AEGIS_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8 ,::1"},
    "url": {"AEGIS_URL": "https://platform.edu:443/"},
    "pepper": {"AEGIS_PASSWORD_PEPPER": KEY},
    "debug off": {"FLASK_DEBUG": "0"},
    "names of tests": {"AEGIS_TEST_POSTGRES_URL": "postgresql://x"},
}


@pytest.mark.parametrize("more", ACCEPTED.values(), ids=ACCEPTED)
def test_production_accepts(more):
    assert problems(GOOD | more) == []


REFUSED = {
    "no key": ({"SECRET_KEY": ""}, "SECRET_KEY is missing"),
    "short key": ({"SECRET_KEY": KEY[:31]}, "SECRET_KEY is shorter than 32 bytes"),
    "development key": ({"SECRET_KEY": settings.declared.DEVELOPMENT_KEY}, "SECRET_KEY is a known"),
    "example key": ({"SECRET_KEY": "change-me-please-" + KEY}, "SECRET_KEY is a known"),
    "described key": ({"SECRET_KEY": "this-is-a-secret-key-for-production"}, "SECRET_KEY is a known"),
    "one character": ({"SECRET_KEY": "x" * 40}, "SECRET_KEY repeats itself"),
    "one piece": ({"SECRET_KEY": "0123456789abcdef" * 2}, "SECRET_KEY repeats itself"),
    "weak fallback": (
        {"SECRET_KEY_FALLBACKS": f"{OTHER_KEY},short"},
        "SECRET_KEY_FALLBACKS entry 2 is shorter",
    ),
    "same fallback": ({"SECRET_KEY_FALLBACKS": KEY}, "SECRET_KEY_FALLBACKS entry 1 equals"),
    "no database": ({"DATABASE_URL": ""}, "DATABASE_URL is missing"),
    "sqlite": ({"DATABASE_URL": "sqlite:///a.sqlite"}, "DATABASE_URL is SQLite"),
    "memory": ({"DATABASE_URL": "sqlite://", "AEGIS_ALLOW_SQLITE": "1"}, "DATABASE_URL is an in-memory"),
    "other database": ({"DATABASE_URL": "oracle://u:p@h/n"}, "DATABASE_URL starts with 'oracle'"),
    "no address": ({"DATABASE_URL": "postgresql"}, "DATABASE_URL must be an address"),
    "password with signs": ({"DATABASE_URL": "postgresql://u:a@b:c@h:x/n"}, "DATABASE_URL has a port"),
    "cookie in clear": ({"SESSION_COOKIE_SECURE": "0"}, "SESSION_COOKIE_SECURE is off"),
    "cookie for scripts": ({"SESSION_COOKIE_HTTPONLY": "no"}, "SESSION_COOKIE_HTTPONLY is off"),
    "cookie for all sites": ({"SESSION_COOKIE_SAMESITE": "None"}, "SESSION_COOKIE_SAMESITE is None"),
    "lifetimes": ({"PERMANENT_SESSION_LIFETIME": "43201"}, "PERMANENT_SESSION_LIFETIME is longer"),
    "no lifetime": ({"PERMANENT_SESSION_LIFETIME": "0"}, "PERMANENT_SESSION_LIFETIME is '0': must be"),
    "http": ({"AEGIS_URL": "http://platform.edu"}, "AEGIS_URL is not https://"),
    "path": (
        {"AEGIS_URL": "https://platform.edu/aegis"},
        "AEGIS_URL is 'https://platform.edu/aegis': must be",
    ),
    "all proxies": ({"AEGIS_TRUSTED_PROXIES": "::/0"}, "AEGIS_TRUSTED_PROXIES contains ::/0"),
    "no proxy": ({"AEGIS_TRUSTED_PROXIES": "nginx"}, "AEGIS_TRUSTED_PROXIES is 'nginx': 'nginx' is not"),
    "short passwords": ({"AEGIS_PASSWORD_MINIMUM": "8"}, "AEGIS_PASSWORD_MINIMUM is below 15"),
    "cheap hashes": ({"AEGIS_ARGON2_MEMORY": "8192"}, "AEGIS_ARGON2_MEMORY or"),
    "few passes": ({"AEGIS_ARGON2_PASSES": "1"}, "AEGIS_ARGON2_MEMORY or"),
    "weak pepper": ({"AEGIS_PASSWORD_PEPPER": "x"}, "AEGIS_PASSWORD_PEPPER entry 1"),
    "many guesses": ({"AEGIS_LIMIT_LOGIN_ACCOUNT": "1000/1h"}, "AEGIS_LIMIT_LOGIN_ACCOUNT allows more"),
    "debug": ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG is on"),
    "debugger's pin": ({"WERKZEUG_DEBUG_PIN": "off"}, "WERKZEUG_DEBUG_PIN is set"),
    "reloader": ({"WERKZEUG_RUN_MAIN": "true"}, "WERKZEUG_RUN_MAIN is set"),
    "typing error": ({"AEGIS_WORKER": "2"}, "AEGIS_WORKER is not a setting: did you mean AEGIS_WORKERS?"),
    "nonsense": ({"AEGIS_ZZZZZZ": "2"}, "AEGIS_ZZZZZZ is not a setting: `aegis config`"),
    "no number": ({"AEGIS_THREADS": "four"}, "AEGIS_THREADS is 'four': must be a whole number from 1 to 256"),
    "no switch": ({"AEGIS_ALLOW_SQLITE": "perhaps"}, "AEGIS_ALLOW_SQLITE is 'perhaps': must be 1 or 0"),
    "environment": (
        {"FLASK_ENV": "Production"},
        "FLASK_ENV is 'Production': use development, testing, production",
    ),
    "empty environment": ({"FLASK_ENV": ""}, "FLASK_ENV is ''"),
}


@pytest.mark.control("ASVS-5.0-13.4.2", "ASVS-5.0-3.3.1")
@pytest.mark.parametrize(("more", "says"), REFUSED.values(), ids=REFUSED)
def test_production_refuses_with_the_name_and_the_fix(more, says):
    found = problems(GOOD | more)

    assert len(found) == 1
    assert found[0].startswith(says)
    assert found[0].endswith((".", "?"))


CONFIGURED = {
    "DEBUG": (True, "DEBUG is on in the configuration"),
    "TESTING": (True, "TESTING is on in the configuration"),
    "PROPAGATE_EXCEPTIONS": (True, "PROPAGATE_EXCEPTIONS is on"),
    "SESSION_COOKIE_SECURE": (False, "SESSION_COOKIE_SECURE is off"),
    "PERMANENT_SESSION_LIFETIME": (datetime.timedelta(days=1), "PERMANENT_SESSION_LIFETIME is longer"),
    "AEGIS_THREADS": (0, "AEGIS_THREADS is 0: must be"),
    "SECRET_KEY": (object(), "SECRET_KEY must be text"),
    "FLASK_ENV": ("development", "FLASK_ENV is production but the configuration is for development"),
}


@pytest.mark.parametrize(("name", "case"), CONFIGURED.items(), ids=CONFIGURED)
def test_a_config_object_is_judged_like_the_environment(name, case):
    value, says = case
    environ = {key: text for key, text in GOOD.items() if key != name or name == "FLASK_ENV"}

    assert [problem.startswith(says) for problem in problems(environ, {name: value})] == [True]


def test_all_problems_come_at_once_and_an_unreadable_one_is_not_judged_again():
    found = problems({"FLASK_ENV": "production", "AEGIS_PASSWORD_MINIMUM": "few", "AEGIS_NOPE": "1"})

    assert [problem.split()[0] for problem in found] == [
        "AEGIS_PASSWORD_MINIMUM",
        "AEGIS_NOPE",
        "SECRET_KEY",
        "DATABASE_URL",
    ]


def test_the_environment_wins_over_the_config_object_and_both_are_told_apart():
    configured = settings.load({"AEGIS_THREADS": "8"}, {"AEGIS_THREADS": 2, "AEGIS_HSTS": "0"})

    assert (configured.settings.threads, configured.settings.hsts_s) == (8, 0)
    assert configured.origins["threads"] == "environment"
    assert configured.origins["hsts_s"] == "configuration"
    assert configured.origins["workers"] == "default"
    assert [configured.is_set(field) for field in ("threads", "hsts_s", "workers")] == [True, True, False]


def test_a_config_object_may_hold_what_flask_people_write():
    value = settings.load(
        {},
        {
            "PERMANENT_SESSION_LIFETIME": datetime.timedelta(hours=2),
            "SECRET_KEY": KEY.encode(),
            "SECRET_KEY_FALLBACKS": [OTHER_KEY],
            "SESSION_COOKIE_SECURE": True,
            "AEGIS_TRUSTED_PROXIES": (ipaddress.ip_network("10.0.0.0/8"), "::1"),
            "SESSION_COOKIE_SAMESITE": None,
        },
    ).settings

    assert (value.session_idle_s, value.secret_key, value.secret_key_fallbacks) == (7200, KEY, (OTHER_KEY,))
    assert [str(network) for network in value.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (value.session_cookie_secure, value.session_cookie_samesite) == (True, "Lax")


def test_no_problem_shows_a_secret():
    environ = GOOD | {"SECRET_KEY": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h:x/n"}
    found = problems(environ | {"SECRET_KEY_FALLBACKS": "hunter2b", "AEGIS_PASSWORD_PEPPER": "hunter2"})

    assert len(found) == 4
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "(empty)"),
        (KEY, "********"),
        ((KEY, OTHER_KEY), "********"),
        ("postgresql://u:hunter2@h/n", "postgresql://u:********@h/n"),
        ("postgresql://u:hun@ter2@h/n", "postgresql://u:********@h/n"),
        ("postgresql://h/n?password=hunter2&x=1", "postgresql://h/n?password=********&x=1"),
        ("redis://:hunter2@h:6379/0", "redis://:********@h:6379/0"),
        ("sqlite:///instance/aegis.sqlite", "sqlite:///instance/aegis.sqlite"),
    ],
)
def test_secrets_are_masked(value, shown):
    assert settings.masked(value) == shown


@pytest.mark.parametrize("key", [KEY, OTHER_KEY, "f30a9c4e7b1d82565b7e2c91d0a4f683"])
def test_random_keys_are_no_weakness(key):
    assert judge.weakness(key) is None


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Platform.EDU:443", "https://platform.edu"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        (" ", ""),
    ],
)
def test_an_origin_has_one_spelling(text, origin):
    assert parse.origin(text) == origin


@pytest.mark.parametrize(
    "text", ["platform.edu", "https://u:p@h", "https://h?x", "https://h:x", "ftp://h", "https://"]
)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(ValueError, match="must be a scheme and a host only"):
        parse.origin(text)


def test_each_setting_is_declared_with_what_people_need():
    for item in settings.declarations().values():
        assert item.name.isupper()
        assert item.help.endswith(".")
        assert set(item.defaults) == {"development", "testing", "production"}
