"""The servers of a row: Redis of several kinds, the origin, the relays and the nodes, each a process that can be killed,
stopped for a while, and started again."""

import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
LOCAL = "127.0.0.1"


class NotStarted(Exception):
    """A server does not start."""


class Ports:
    """Ports that nobody listens on, each given out once."""

    def __init__(self, first: int, last: int):
        self.left = list(range(first, last + 1))
        random.shuffle(self.left)

    def take(self) -> int:
        while self.left:
            port = self.left.pop()
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOCAL, port))
                    return port
                except OSError:
                    continue
        raise NotStarted("no port is free any more; name more of them with --ports FIRST-LAST")


class Server:
    """A process that listens on a port. Its output goes to a log that goes on when it is started again."""

    def __init__(self, name: str, command: list[str], port: int, folder: Path):
        self.name, self.command, self.port, self.folder = name, command, port, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.popen: subprocess.Popen | None = None

    def start(self, patience: float = 30.0) -> None:
        self.spawn()
        end = time.monotonic() + patience
        while not self.listens():
            if self.popen.poll() is not None or time.monotonic() > end:
                raise NotStarted(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.005)

    def spawn(self) -> None:
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.folder)

    def listens(self) -> bool:
        try:
            socket.create_connection((LOCAL, self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number: int) -> None:
        if self.is_alive():
            self.popen.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it with -9 and waits until it is gone."""
        self.signal(signal.SIGKILL)
        if self.popen is not None:
            self.popen.wait()

    def terminate(self, patience: float = 20.0) -> int | None:
        """Asks it to end; comes back with its exit code, or `None` where it had to be killed."""
        self.signal(signal.SIGTERM)
        return self.ended(patience)

    def ended(self, patience: float = 20.0) -> int | None:
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Told(Server):
    """A server of this folder, which says and is told things in lines."""

    def spawn(self) -> None:
        with self.log.open("ab") as out:
            pipe = subprocess.PIPE
            self.popen = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=out, cwd=self.folder, text=True)


class Origin(Told):
    """The versioned origin; `committed` has the writes that it holds, as soon as they are committed."""

    def __init__(self, port: int, folder: Path):
        super().__init__("origin", [sys.executable, str(HERE / "origin.py"), str(port)], port, folder)

    def start(self, patience: float = 30.0) -> None:
        super().start(patience)
        self.committed: queue.Queue[tuple[str, int]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.popen.stdout:
            _, key, version = line.split()
            self.committed.put((key, int(version)))

    def versions(self) -> dict[str, int]:
        return json.loads(get(self.port, "/versions")[2])


class Relays(Told):
    """All relays of a row, in one process."""

    def __init__(self, pairs: list[tuple[int, int]], folder: Path):
        self.ports = [port for port, _ in pairs]
        command = [sys.executable, str(HERE / "relay.py"), *(f"{port}:{target}" for port, target in pairs)]
        super().__init__("relays", command, self.ports[0], folder)

    def start(self, patience: float = 30.0) -> None:
        self.spawn()
        if self.popen.stdout.readline() != "ready\n":
            raise NotStarted(f"the relays did not start:\n{self.log.read_text()}")

    def tell(self, relay: int, **command) -> None:
        self.popen.stdin.write(json.dumps({"relay": relay, **command}) + "\n")
        self.popen.stdin.flush()
        self.popen.stdout.readline()


class Asked(Server):
    """A server that speaks Redis's protocol, asked by raw commands."""

    def ask(self, *words: str | int, patience: float = 5.0):
        """One command on a connection of its own."""
        with socket.create_connection((LOCAL, self.port), timeout=patience) as connection:
            message = b"*%d\r\n" % len(words)
            for word in words:
                data = str(word).encode()
                message += b"$%d\r\n%s\r\n" % (len(data), data)
            connection.sendall(message)
            return reply(connection.makefile("rb"))

    def try_ask(self, *words: str | int):
        try:
            return self.ask(*words, patience=1.0)
        except OSError:
            return None


class Redis(Asked):
    """One Redis."""

    def __init__(self, name: str, port: int, folder: Path, *options: str):
        folder = folder / name
        command = [redis_binary(), "--port", str(port), "--bind", LOCAL, "--dir", str(folder), "--save", "", "--appendonly", "no"]
        command += ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--maxmemory-policy", "noeviction"]
        super().__init__(name, [*command, *options], port, folder)

    def start(self, patience: float = 30.0) -> None:
        super().start(patience)
        wait_until(f"{self.name} answers", lambda: self.try_ask("PING") == "PONG")

    def dump(self) -> Path:
        return self.folder / "dump.rdb"


class Sentinel(Asked):
    def __init__(self, name: str, port: int, folder: Path, master: int):
        folder = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind {LOCAL}\ndir {folder}\nsentinel monitor app {LOCAL} {master} 2\n"
            "sentinel down-after-milliseconds app 1000\nsentinel failover-timeout app 5000\nsentinel parallel-syncs app 2\n"
        )
        super().__init__(name, [redis_binary(), str(file), "--sentinel"], port, folder)


class Node(Server):
    """One aside, in a folder of its own."""

    def __init__(self, number: int, port: int, folder: Path, config: str):
        self.number, folder = number, folder / f"node{number}"
        super().__init__(f"node{number}", [os.environ["ASIDE_BIN"], "serve", "--config", str(folder / "proxy.toml")], port, folder)
        self.configure(config)

    def configure(self, config: str) -> None:
        (self.folder / "proxy.toml").write_text(config)

    def restart(self, after: float = 0.0) -> None:
        """As a supervisor would."""
        time.sleep(after)
        self.start()


def redis_binary() -> str:
    found = shutil.which("redis-server", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise NotStarted("redis-server is not installed; scripts/install-test-tools installs it")
    return found


def reply(file):
    """One reply of Redis; errors come back as text that begins with a minus."""
    line = file.readline()[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else file.read(int(rest) + 2)[:-2].decode("latin-1")
    if kind == b"*":
        return [reply(file) for _ in range(int(rest))]
    return line.decode("latin-1")


def get(port: int, target: str, patience: float = 10.0, fields: str = "", method: str = "GET") -> tuple[int, bytes, bytes]:
    """One request on a connection of its own: status, head and body. A connection that breaks is an `OSError`."""
    with socket.create_connection((LOCAL, port), timeout=patience) as connection:
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: shop.test\r\n{fields}{length}Connection: close\r\n\r\n".encode())
        read = b""
        while data := connection.recv(1 << 16):
            read += data
            head, end, body = read.partition(b"\r\n\r\n")
            named = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
            if end and named.strip() and len(body) >= int(named):
                return int(head[9:12]), head, body
    raise ConnectionError("the connection ended early")


def wait_until(what: str, condition, patience: float = 30.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience:.0f} s in vain until {what}")
        time.sleep(0.02)
