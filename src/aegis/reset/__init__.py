"""Winning an account back: a link and a code by mail, and a new password."""
