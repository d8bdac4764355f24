"""The applications that are compared; each module has an `app` for granian and reads its environment."""
