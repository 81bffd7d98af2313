"""Ids as MariaDB compares them: a table for each collation, and one whose ids are numbers.

mariadb_origin.py PORT DATABASE-URL
"""

import sys
import threading
from urllib.parse import urlsplit

import pymysql

from service import serve
from things import THINGS

COLUMNS = {
    "general_ci": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "unicode_ci": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "uca1400_ai_ci": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci",
    "utf8mb4_bin": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "latin1_swedish_ci": "VARCHAR(200) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "swedish_ci": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_swedish_ci",
    "german2_ci": "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_german2_ci",
    "bigint_id": "BIGINT",
}


class Tables:
    """The things, in the database; a connection for each thread."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self.where = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
        self.database, self.threads = parts.path.strip("/"), threading.local()

    def ask(self, statement: str, *values) -> tuple:
        if not hasattr(self.threads, "cursor"):
            self.threads.cursor = pymysql.connect(
                **self.where, database=self.database, charset="utf8mb4", autocommit=True
            ).cursor()
        self.threads.cursor.execute(statement, values)
        return self.threads.cursor.fetchall()

    def make(self) -> None:
        for reader, column in COLUMNS.items():
            columns = f"at INT AUTO_INCREMENT PRIMARY KEY, id {column}, version INT, KEY (id)"
            self.ask(f"CREATE OR REPLACE TABLE {reader} ({columns})")
            for thing in THINGS[reader]:
                self.ask(f"INSERT INTO {reader} (id, version) VALUES (%s, 1)", thing)

    def read(self, reader: str, value) -> tuple[str, int] | None:
        """The value goes to the database as it was told: what it is equal to, the database says."""
        try:
            found = self.ask(f"SELECT id, version FROM {reader} WHERE id = %s ORDER BY at LIMIT 1", value)
        except (pymysql.MySQLError, TypeError, ValueError):
            return None
        return (str(found[0][0]), found[0][1]) if found else None

    def write(self, reader: str, value) -> tuple[str, int] | None:
        """As a mapper of objects does it: found by what was told, changed by the id that the row has."""
        found = self.read(reader, value)
        if not found:
            return None
        self.ask(f"UPDATE {reader} SET version = version + 1 WHERE id = %s", found[0])
        return found[0], self.ask(f"SELECT version FROM {reader} WHERE id = %s", found[0])[0][0]


if __name__ == "__main__":
    tables = Tables(sys.argv[2])
    tables.make()
    serve(int(sys.argv[1]), tables)
