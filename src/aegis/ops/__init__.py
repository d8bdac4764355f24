"""What an operator runs and watches: command line, server, checks, health, housekeeping."""
