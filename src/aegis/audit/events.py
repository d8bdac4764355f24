"""What is recorded, under the names of the OWASP Logging Vocabulary Cheat Sheet; ours continue its prefixes."""

import enum
import logging


class Event(enum.StrEnum):
    """One kind of event; docs/audit.md says when each happens and what it tells."""

    LOGIN_SUCCESS = "authn_login_success"
    LOGIN_FAILURE = "authn_login_fail"
    LOGIN_LIMITED = "authn_login_lock"
    CONFIRMED = "authn_reauthenticate_success"
    CONFIRM_FAILURE = "authn_reauthenticate_fail"
    FACTOR_ASKED = "authn_factor_asked"
    RECOVERY_CODE_USED = "authn_recovery_code_used"
    BREAK_GLASS_USED = "authn_break_glass_used"
    PASSWORD_CHANGED = "authn_password_change"  # noqa: S105 - an event's name
    PASSWORD_CHANGE_FAILURE = "authn_password_change_fail"  # noqa: S105 - an event's name
    PASSWORD_EXPIRED = "authn_password_expired"  # noqa: S105 - an event's name
    PASSWORD_RESET_ASKED = "authn_password_reset_request"  # noqa: S105 - an event's name
    PASSWORD_RESET_LINK = "authn_password_reset_link"  # noqa: S105 - an event's name
    RATE_LIMITED = "excess_rate_limit_exceeded"
    CSRF_REFUSED = "malicious_csrf"
    INPUT_REJECTED = "input_validation_fail"
    FORBIDDEN = "authz_fail"
    ROLE_CHANGED = "privilege_permissions_changed"
    RECORD_READ = "authz_admin"
    SESSION_ENDED = "session_terminated"
    SESSIONS_REVOKED = "session_revoked"
    SESSION_RESUMED = "session_resumed"
    REMEMBRANCE_ENDED = "session_remembrance_ended"
    REMEMBRANCE_COPIED = "session_remembrance_copied"
    SESSION_EXPIRED = "session_expired"
    SESSION_LATE_USE = "session_use_after_expire"
    ACCOUNT_CREATED = "user_created"
    ACCOUNT_UPDATED = "user_updated"
    CODE_SENT = "user_email_code_sent"
    ADDRESS_PROVEN = "user_email_verified"
    CHANGE_UNDONE = "user_change_undone"
    ACCOUNT_DEACTIVATED = "user_archived"
    ACCOUNT_ACTIVATED = "user_activated"
    DATA_EXPORTED = "user_data_exported"
    DELETION_ASKED = "user_deletion_requested"
    DELETION_WITHDRAWN = "user_deletion_withdrawn"
    ACCOUNT_DELETED = "user_deleted"
    ACCOUNTS_IMPORTED = "user_imported"
    ACCOUNTS_EXPORTED = "user_exported"
    FACTOR_ADDED = "user_factor_added"
    FACTOR_REMOVED = "user_factor_removed"
    FACTORS_RESET_ASKED = "user_factors_reset_requested"
    FACTORS_RESET_WITHDRAWN = "user_factors_reset_withdrawn"
    FACTORS_RESET = "user_factors_reset"
    RECOVERY_CODES_RENEWED = "user_recovery_codes_renewed"
    BREAK_GLASS_MADE = "user_break_glass_made"
    DEVICE_FORGOTTEN = "user_device_forgotten"
    STARTED = "sys_startup"
    HEAD = "sys_audit_head"
    CHAIN_OPENED = "sys_audit_chain_opened"

    @property
    def level(self) -> int:
        """How loud the event is, as a level of `logging`."""
        return level_of(self.value)


_WARNINGS = frozenset(
    {
        Event.LOGIN_FAILURE,
        Event.LOGIN_LIMITED,
        Event.CONFIRM_FAILURE,
        Event.PASSWORD_CHANGE_FAILURE,
        Event.RATE_LIMITED,
        Event.CSRF_REFUSED,
        Event.INPUT_REJECTED,
        Event.FORBIDDEN,
        Event.SESSION_LATE_USE,
        Event.REMEMBRANCE_COPIED,
        Event.ROLE_CHANGED,
        Event.RECOVERY_CODE_USED,
        Event.FACTORS_RESET_ASKED,
        Event.FACTORS_RESET,
        Event.CHANGE_UNDONE,
        Event.PASSWORD_EXPIRED,
        Event.BREAK_GLASS_MADE,
    }
)


def level_of(event: str) -> int:
    """Return how loud an event of this name is: what was refused or failed, and changed rights, are warnings."""
    if event == Event.BREAK_GLASS_USED:
        return logging.CRITICAL
    return logging.WARNING if event in _WARNINGS else logging.INFO
