"""The database: statements without ceremony, and transactions that callees join.

`engine.py` holds the pool, `statements.py` what services and stores call, `hot.py` the one statement of each request.
"""

from aegis.db.engine import Database, driver_url
from aegis.db.hot import HotStatement
from aegis.db.statements import Duplicate, add_if_absent, after_commit, alone, change, row, rows, transaction

__all__ = [
    "Database",
    "Duplicate",
    "HotStatement",
    "add_if_absent",
    "after_commit",
    "alone",
    "change",
    "driver_url",
    "row",
    "rows",
    "transaction",
]
