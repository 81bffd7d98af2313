"""./serve for real: gunicorn answers on the port, and a SIGTERM to the process ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from conftest import NAMES

SERVE = Path(__file__).parent.parent / "serve"
READ = {
    "fruit": ("/fruit/1", "data"),
    "nicaventas": ("/active?country=NI&city=Managua", "active"),
    "paginated-orders": ("/orders/99", "orders"),
    "oracle-orders": ("/orders/1", "message"),
    "demo": ("/orders/99", "orders"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port: int) -> closing[HTTPConnection]:
    return closing(HTTPConnection("127.0.0.1", port, timeout=40))


def get(connection: HTTPConnection, path: str):
    connection.request("GET", path)
    return json.load(connection.getresponse())


def wait_until_it_answers(server: subprocess.Popen, port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            with connect(port) as connection:
                assert get(connection, "/healthz") == {"status": "ok"}
            return
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the server does not answer")


@contextmanager
def serving(name: str, url: str, *arguments: str, **environment: str):
    port = free_port()
    server = subprocess.Popen(
        [SERVE, name, "--port", str(port), *arguments],
        env={**os.environ, "PYTHON": sys.executable, "DATABASE_URL": url, **environment},
    )
    try:
        yield server, port
    finally:
        if server.poll() is None:
            server.kill()
        server.wait()


def stop(server: subprocess.Popen) -> None:
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=5) == 0


@pytest.mark.parametrize("name", NAMES)
def test_serves_until_sigterm(name, url):
    path, field = READ[name]
    with serving(name, url) as (server, port):
        wait_until_it_answers(server, port)
        with connect(port) as connection:
            assert field in get(connection, path)
            kept = connection.sock
            assert field in get(connection, path)
            assert connection.sock is kept is not None
            # The connection is still open: an idle client must not hold the server up.
            stop(server)
        with connect(port) as connection, pytest.raises(ConnectionError):
            connection.connect()


def test_sigterm_waits_for_an_answer_under_way(url):
    with serving("fruit", url, BACKEND_DELAY_MS="1000") as (server, port):
        wait_until_it_answers(server, port)
        answers = []

        def ask() -> None:
            with connect(port) as connection:
                answers.append(get(connection, "/fruit/1"))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.3)
        stop(server)
        asking.join()
        assert answers == [{"data": {"id": 1, "name": "apple", "quantity": 100}}]


def test_workers_of_several_servers_write_one_database(url):
    with serving("fruit", url) as (one, port_of_one), serving("demo", url, "--workers", "3") as (two, port_of_two):
        ports = (port_of_one, port_of_two)
        wait_until_it_answers(one, port_of_one)
        wait_until_it_answers(two, port_of_two)
        statuses = []

        def write(port: int) -> None:
            for quantity in range(20):
                body = json.dumps({"name": "fig", "quantity": quantity})
                with connect(port) as connection:
                    connection.request("POST", "/fruit", body, {"Content-Type": "application/json"})
                    statuses.append(connection.getresponse().status)

        writers = [threading.Thread(target=write, args=(port,)) for port in ports * 4]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert statuses == [201] * 160
        for port in ports:
            with connect(port) as connection:
                assert len(get(connection, "/fruit")["data"]) == 163
        stop(one)
        stop(two)


@pytest.mark.parametrize("arguments", [[], ["vegetable"], ["fruit", "--port"], ["fruit", "--colour", "red"]])
def test_wrong_arguments_are_a_usage_error(arguments):
    ended = subprocess.run([SERVE, *arguments], capture_output=True, text=True, timeout=10)
    assert ended.returncode == 2
    assert "serve" in ended.stderr


def test_an_unreachable_database_ends_the_start():
    url = f"mysql+pymysql://nobody:secret@127.0.0.1:{free_port()}/none"
    with serving("fruit", url) as (server, _):
        assert server.wait(timeout=20) == 1
