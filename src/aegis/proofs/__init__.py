"""Single-use tokens and codes that prove who reads a mailbox."""

from aegis.proofs.service import (
    Holder,
    Issued,
    Proof,
    browser_of,
    find,
    forget,
    forget_undoing,
    has_good_code,
    held,
    issue,
    purge,
    try_code,
    use,
)

__all__ = [
    "Holder",
    "Issued",
    "Proof",
    "browser_of",
    "find",
    "forget",
    "forget_undoing",
    "has_good_code",
    "held",
    "issue",
    "purge",
    "try_code",
    "use",
]
