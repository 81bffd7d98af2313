"""The database behind an app: its URL, its transactions, its tables and their first rows.

`python -m backend.database NAME` creates what is missing. It may run in several processes at once.
"""

import importlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import BigInteger, Connection, Engine, Integer, Table, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

Seed = Mapping[Table, Sequence[Mapping[str, Any]]]

MAX_ID = 2**63 - 1

# How long SQLite's locks are waited for.
LOCK_TIMEOUT_S = 30

# SQLite numbers the rows only of a column declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# MySQL's default collation holds Leon and león for equal, which neither SQLite nor Oracle does.
TABLE_OPTIONS: dict[str, Any] = {
    "sqlite_autoincrement": True,
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def default_url(name: str) -> str:
    """`DATABASE_URL`, or else a SQLite file of this app's own under `BACKEND_DATA`."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    folder = Path(os.environ.get("BACKEND_DATA") or Path(__file__).parent.parent / "var")
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder.resolve() / name}.db"


def open_engine(url: str) -> Engine:
    """An engine whose write transactions are serial enough to read before they write."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # Under MySQL's default level an UPDATE that finds no row locks the gap, and two such inserts deadlock.
    return create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin a transaction only at its first write: too late to cover a read before it.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later is refused at once, whatever the busy timeout.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(writes=True).begin() as connection:
        yield connection


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for the current request's reads."""
    with current_app.extensions["engine"].connect() as connection:
        yield connection


@contextmanager
def writing() -> Iterator[Connection]:
    """A transaction for the current request's writes: committed at the end, undone on an exception."""
    with write_transaction(current_app.extensions["engine"]) as connection:
        yield connection


def prepare(engine: Engine, seed: Seed) -> None:
    """Create the tables that are missing and fill those that are empty."""
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    for table, rows in seed.items():
        _create(engine, table)
        _fill(engine, table, rows)


def _use_wal(engine: Engine) -> None:
    # The mode stays with the file; it cannot change inside a transaction. While another connection reads or changes
    # it too, SQLite refuses at once, whatever the busy timeout.
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            with closing(engine.raw_connection()) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(0.01)


def _create(engine: Engine, table: Table, tries: int = 5) -> None:
    for left in reversed(range(tries)):
        try:
            with write_transaction(engine) as connection:
                table.create(connection, checkfirst=True)
            return
        except DBAPIError:
            # Another process may have created it since the check.
            if not left:
                raise


def _fill(engine: Engine, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        with write_transaction(engine) as connection:
            if rows and connection.execute(select(table).limit(1)).first() is None:
                connection.execute(insert(table), list(rows))
    except IntegrityError:
        # The rows name their keys, so another process has just committed the same ones.
        pass


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python -m backend.database NAME")
    name = arguments[0]
    module = importlib.import_module(f"backend.{name.replace('-', '_')}")
    engine = open_engine(default_url(name))
    try:
        prepare(engine, module.SEED)
    except (DBAPIError, sqlite3.Error) as error:
        sys.exit(f"backend.database: {engine.url!r}: {getattr(error, 'orig', error)}")
    finally:
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1:])
