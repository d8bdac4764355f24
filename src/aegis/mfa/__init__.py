"""Second factors that are codes: authenticator apps (TOTP) and recovery codes. Passkeys have a room of their own."""
