"""The command line `aegis`: that of the extension, and courses."""

from aegis.ops import cli

main = cli.group(
    "academy:create_app",
    {"course": ("academy.cli_courses:course", "Take courses from and to folders and archives.")},
)
