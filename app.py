"""The application for every server (`app:app`). Run as a program, it is the development server."""

import os

from aegis.ops import entry

if __name__ == "__main__":
    entry.only_in_development()

from academy import create_app
from config import by_environment

config = by_environment.get(os.environ.get("FLASK_ENV", "development"))
with entry.starting(config):
    app = create_app(config)

if __name__ == "__main__":
    app.run(host="localhost", port=int(os.environ.get("PORT", "5000")))
