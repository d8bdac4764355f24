"""Single-use tokens and codes that prove who reads a mailbox."""

from aegis.proofs.service import Issued, Proof, find, forget, issue, purge, try_code, use

__all__ = ["Issued", "Proof", "find", "forget", "issue", "purge", "try_code", "use"]
