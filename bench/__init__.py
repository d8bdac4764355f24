"""What a check of the session costs, measured beside a bare Flask route and a plain Flask-Login application.

`targets.py` says what is compared, `servers.py` runs it, `stores.py` fills the databases, `load.py` asks, `rounds.py`
does so in turn, `report.py` words the figures.
"""
