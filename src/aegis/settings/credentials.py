"""The settings of passwords and second factors, and who must have one."""

import dataclasses

from aegis.settings import parse
from aegis.settings.declaration import DAY_S, setting

ROLES = ("learner", "teacher", "admin")
"""Each role may do what the ones before it may."""

_FACTOR_POLICIES = {"admin": ROLES[2:], "teacher": ROLES[1:], "all": ROLES}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credentials:
    """What people prove who they are with."""

    mfa_required: str = setting(
        "AEGIS_MFA_REQUIRED",
        parse.choice("off", *_FACTOR_POLICIES),
        "off",
        "Who must use a second factor: off, admin, teacher (and admins) or all. Without one, such an account can only add one.",
        production="admin",
    )
    mfa_reset_delay_s: int = setting(
        "AEGIS_MFA_RESET_DELAY",
        parse.integer(0, 14 * DAY_S),
        0,
        "Second factors are taken from somebody by two administrators who act this long apart; 0: by one, at once.",
        unit="seconds",
    )
    password_minimum: int = setting(
        "AEGIS_PASSWORD_MINIMUM",
        parse.integer(8, 64),
        15,
        "Shortest new password (NIST 800-63B-4 section 3.1.1.2: 15 where it is the only factor).",
        unit="characters",
        rule="at least 15",
    )
    password_minimum_with_factor: int = setting(
        "AEGIS_PASSWORD_MINIMUM_WITH_FACTOR",
        parse.integer(8, 64),
        8,
        "Shortest new password of accounts that must use a second factor (NIST 800-63B-4 section 3.1.1.2).",
        unit="characters",
    )
    password_maximum: int = setting(
        "AEGIS_PASSWORD_MAXIMUM",
        parse.integer(64, 1024),
        128,
        "Longest password; a longer one is refused, never cut.",
        unit="characters",
    )
    password_banned_words: tuple[str, ...] = setting(
        "AEGIS_PASSWORD_BANNED_WORDS",
        parse.words,
        (),
        "Names of your school or product that a password may not consist of, comma-separated.",
    )
    password_pepper: tuple[str, ...] = setting(
        "AEGIS_PASSWORD_PEPPER",
        parse.words,
        (),
        "Keys of a keyed step before the password hash, kept apart from the database; the first is used, all verify.",
        secret=True,
        rule="each at least 32 bytes",
    )
    argon2_memory_kib: int = setting(
        "AEGIS_ARGON2_MEMORY",
        parse.integer(8, 4_194_304),
        19_456,
        "Memory of one password hash (OWASP Password Storage Cheat Sheet: 19 MiB with 2 passes).",
        unit="KiB",
        testing=1024,
        rule="at least 19456",
    )
    argon2_passes: int = setting(
        "AEGIS_ARGON2_PASSES",
        parse.integer(1, 50),
        2,
        "Passes of one password hash.",
        testing=1,
        rule="at least 2",
    )
    argon2_parallel: int = setting(
        "AEGIS_ARGON2_PARALLEL",
        parse.integer(1, 64),
        1,
        "Password hashes computed at once in one process; further ones wait. There are as many processes as processors.",
    )
    argon2_queue: int = setting(
        "AEGIS_ARGON2_QUEUE",
        parse.integer(0, 10_000),
        32,
        "Sign-ins that may wait for a password hash in one process; more are answered 503 with Retry-After.",
    )

    def demands_factor(self, role: str) -> bool:
        """Whether accounts of this role must use a second factor."""
        return role in _FACTOR_POLICIES.get(self.mfa_required, ())

    def shortest_password(self, role: str) -> int:
        """Return the length that a new password of an account of this role must have at least."""
        return self.password_minimum_with_factor if self.demands_factor(role) else self.password_minimum
