"""The command line `aegis`. What is imported before a command is chosen is click alone, so that help is quick."""

from aegis.ops.cli.commands import group

__all__ = ["group"]
