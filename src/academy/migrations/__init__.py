"""One history of the database for the tables of both packages; `academy.migrate` runs it.

A step must be harmless when it is repeated, as MariaDB keeps what a killed upgrade had done: use `steps`. And it
must leave the previous release working, as a rollback of the program does not roll the database back.
"""
