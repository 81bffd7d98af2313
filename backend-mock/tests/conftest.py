"""Every test that takes `url` runs on SQLite, and on MariaDB when TEST_MARIADB_URL names an empty database there."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend import database

NAMES = ["fruit", "nicaventas", "paginated-orders", "oracle-orders", "demo"]
MARIADB = os.environ.get("TEST_MARIADB_URL")


def module_of(name: str):
    return importlib.import_module(f"backend.{name.replace('-', '_')}")


def pytest_report_header() -> str:
    if MARIADB:
        return "databases: SQLite, MariaDB"
    return "databases: SQLite (TEST_MARIADB_URL is not set: the tests on MariaDB are not collected)"


@pytest.fixture(params=["sqlite", "mariadb"] if MARIADB else ["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any of our tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    engine = database.open_engine(MARIADB)
    for name in NAMES:
        for table in module_of(name).SEED:
            table.drop(engine, checkfirst=True)
    engine.dispose()
    return MARIADB


@pytest.fixture
def client_of(url: str) -> Callable[[str], FlaskClient]:
    """Makes a client of the named app, its database prepared."""
    engines = []

    def make(name: str) -> FlaskClient:
        app = module_of(name).create_app(url)
        engines.append(app.extensions["engine"])
        database.prepare(engines[-1], module_of(name).SEED)
        return app.test_client()

    yield make
    for engine in engines:
        engine.dispose()
