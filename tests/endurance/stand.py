"""What every check stands on: the processes, their memory, and the rows of the table."""

import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wire import Answer, Connection, Cut

HERE = Path(__file__).parent
MIB = 1 << 20
# How long another client may have to wait, in seconds.
PROMPT = 1.0


@dataclass
class Row:
    """A line of the table; `ok` is `None` where there is no bound."""

    what: str
    measured: str
    bound: str
    ok: bool | None

    def __str__(self) -> str:
        verdict = {True: "ok", False: "FAILED", None: "-"}[self.ok]
        return f"{self.what:<82} {self.measured:<38} {self.bound:<24} {verdict}"


def at_most(what: str, value: float, bound: float, unit: str) -> Row:
    return Row(what, f"{value:.1f} {unit}", f"<= {bound:g} {unit}", value <= bound)


class Process:
    """A server that this program started."""

    def __init__(self, command: list[str], port: int, log: Path, files: int | None = None, cwd: Path | None = None):
        def limit() -> None:
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.port, self.log = port, log
        with log.open("wb") as out:
            self.popen = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=limit, cwd=cwd)
        end = time.monotonic() + 30
        while not self._listens():
            if self.popen.poll() is not None or time.monotonic() > end:
                sys.exit(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def memory(self, what: str = "VmRSS") -> float:
        """MiB in memory now, or at most so far with `VmHWM`."""
        for line in Path(f"/proc/{self.popen.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        return 0.0

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def stop(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def free_port() -> int:
    """Below those that the system gives to outgoing connections, so that none of them takes it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


@contextmanager
def origin():
    """The origin of these checks."""
    with stopped(lambda folder, port: Process([sys.executable, str(HERE / "origin.py"), str(port)], port, folder / "log")) as process:
        yield process


@contextmanager
def gunicorn(binary: str):
    """Flask under gunicorn with two synchronous workers: two slow clients are all it can bear."""
    def start(folder: Path, port: int) -> Process:
        command = [binary, "flask_app:app", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--graceful-timeout", "1"]
        return Process([*command, "--no-control-socket"], port, folder / "log")

    with stopped(start) as process:
        yield process


@contextmanager
def proxy(origin_port: int, config: str = "", limits: str = "", files: int | None = None):
    """aside in front of an origin, with more configuration if need be."""
    def start(folder: Path, port: int) -> Process:
        text = f'listen = "127.0.0.1:{port}"\n[origin]\nurl = "http://127.0.0.1:{origin_port}"\n{config}\n[log]\nrequests = false\n'
        (folder / "proxy.toml").write_text(f"{text}[limits]\n{limits}\n")
        command = [os.environ["ASIDE_BIN"], "serve", "--config", str(folder / "proxy.toml")]
        return Process(command, port, folder / "log", files)

    with stopped(start) as process:
        yield process


@contextmanager
def stopped(start):
    with tempfile.TemporaryDirectory() as folder:
        process = start(Path(folder), free_port())
        try:
            yield process
        finally:
            process.stop()


def get(port: int, target: str = "/small", patience: float = 20.0) -> Answer:
    """One GET on a connection of its own."""
    with Connection(port) as connection:
        connection.socket.settimeout(patience)
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection.answer()


def asked(origin_port: int, path: str) -> int:
    """How often the origin was asked for a path."""
    return int(get(origin_port, f"/asked?path={path}").body)


class Others:
    """The other clients: how they fare while something else goes on."""

    def __init__(self, port: int, target: str = "/small", patience: float = 5.0):
        self.port, self.target, self.patience = port, target, patience
        self.times: list[float] = []
        self.failures = 0

    def ask(self) -> bool:
        begun = time.monotonic()
        try:
            good = get(self.port, self.target, self.patience).status == 200
        except (OSError, ValueError, Cut):
            good = False
        self.times.append(time.monotonic() - begun)
        self.failures += not good
        return good

    def ask_for(self, seconds: float, pause: float = 0.1) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ask()
            time.sleep(pause)

    def row(self, what: str) -> Row:
        slowest = max(self.times, default=0.0)
        measured = f"{len(self.times) - self.failures} of {len(self.times)}, slowest {slowest * 1000:.0f} ms"
        return Row(what, measured, f"all, <= {PROMPT * 1000:g} ms", self.failures == 0 and slowest <= PROMPT)
