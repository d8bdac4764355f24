"""Passkeys (WebAuthn level 3): add, list, rename and remove them, and judge what an authenticator signed."""
