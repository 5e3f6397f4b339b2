"""As much of SQLite's shell as the tour uses, where there is no SQLite shell: sql.py FILE SQL"""

import sqlite3
import sys


def statements(text):
    """Its statements, one by one."""
    statement = ""
    for piece in text.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


file, text = sys.argv[1:]
database = sqlite3.connect(file, isolation_level=None)
for statement in statements(text + ";"):
    for row in database.execute(statement):
        print("|".join("" if value is None else str(value) for value in row))
