"""What holds for every app, and for its database."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from backend import database
from conftest import NAMES, module_of

READS = {
    "fruit": ["/fruit", "/fruit/1", "/fruit/9"],
    "nicaventas": ["/", "/active?country=NI&city=Managua", "/active"],
    "paginated-orders": ["/orders/1", "/orders/999"],
    "oracle-orders": ["/orders/1"],
    "demo": ["/", "/fruit/1", "/orders/99", "/active?country=NI&city=Leon"],
}


@pytest.mark.parametrize("name", NAMES)
def test_healthz(client_of, name):
    answer = client_of(name).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_speaks_of_caches(client_of, name):
    client = client_of(name)
    for path in [*READS[name], "/nowhere"]:
        answer = client.get(path)
        assert set(answer.headers.keys()) <= {"Content-Type", "Content-Length"}
        assert answer.is_json
        assert "cache" not in answer.text and "redis" not in answer.text.lower()


@pytest.mark.parametrize("name", NAMES)
def test_preparing_by_many_at_once_seeds_once(url, name):
    seed = module_of(name).SEED

    def prepare(_: int) -> None:
        engine = database.open_engine(url)
        database.prepare(engine, seed)
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(prepare, range(16)))

    engine = database.open_engine(url)
    with engine.connect() as connection:
        for table, rows in seed.items():
            assert connection.scalar(select(func.count()).select_from(table)) == len(rows)
    engine.dispose()


def test_a_mode_that_another_is_changing_is_asked_for_again(tmp_path, monkeypatch):
    engine = database.open_engine(f"sqlite:///{tmp_path}/test.db")
    connect, refusals = engine.raw_connection, []

    class Refusing:
        """What SQLite says where two change the mode at once."""

        def execute(self, _statement):
            refusals.append(sqlite3.OperationalError("database is locked"))
            refusals[-1].sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise refusals[-1]

        def close(self):
            pass

    monkeypatch.setattr(engine, "raw_connection", lambda: Refusing() if len(refusals) < 3 else connect())
    database.prepare(engine, module_of("fruit").SEED)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert len(refusals) == 3
    engine.dispose()


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/test.db")
    with pytest.raises(SystemExit, match="unable to open database file"):
        database.main(["fruit"])


def test_preparing_again_leaves_rows_alone(client_of):
    client_of("fruit").put("/fruit/1", json={"quantity": 1})
    assert client_of("fruit").get("/fruit/1").json["data"]["quantity"] == 1


def test_all_apps_share_one_database(client_of):
    clients = {name: client_of(name) for name in NAMES}
    clients["fruit"].put("/fruit/1", json={"quantity": 1})
    assert clients["demo"].get("/fruit/1").json["data"]["quantity"] == 1
    assert clients["oracle-orders"].get("/orders/1").status_code == 404


@pytest.mark.parametrize("name", ["fruit", "paginated-orders", "oracle-orders"])
def test_a_missing_database_is_503_in_json(url, name):
    app = module_of(name).create_app(url)
    answer = app.test_client().get("/fruit/1" if name == "fruit" else "/orders/1")
    assert answer.status_code == 503
    assert answer.json["message"] == "The database failed."
    app.extensions["engine"].dispose()


def test_delay_holds_back_reads_only(client_of, monkeypatch):
    waits = []
    monkeypatch.setattr("backend.app.time.sleep", waits.append)
    monkeypatch.setenv("BACKEND_DELAY_MS", "250")
    client = client_of("fruit")
    client.get("/healthz")
    client.put("/fruit/1", json={"quantity": 1})
    assert waits == []
    client.get("/fruit/1")
    assert waits == [0.25]


def test_default_url(monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("BACKEND_DATA", str(tmp_path / "data"))
    assert database.default_url("fruit") == f"sqlite:///{tmp_path}/data/fruit.db"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    assert database.default_url("fruit") == "sqlite:///elsewhere.db"
