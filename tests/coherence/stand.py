"""What a row stands on: origin, Redis, relays and nodes in one folder, the clients, and the moments of its faults."""

import multiprocessing
import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import load
from servers import Node, Origin, Ports, Redis, Relays, Sentinel, get, wait_until

# How long an origin may take to commit a write whose outcome nobody knows, in seconds: of ours none takes longer.
COMMIT_WITHIN = 4
# What a node may need besides, until what a dead one left behind is invalidated.
GRACE = 8

ROUTES = """
[[route]]
path = "/t/{id}"
name = "%(t)s"
key = "t:{id}"
ttl = "1h"
invalidated_by = ["PUT /t/{id}"]

[[route]]
path = "/w/{id}"
name = "%(w)s"
key = "w:{id}"
ttl = "1h"

[[route]]
path = "/d/{id}"
ttl = "1h"

[[write]]
request = "PUT /t/{id}"
drops = []

[[write]]
request = "PUT /w/{id}"
drops = ["/w/{id}"]
"""

CACHE_ONLY = """
[[route]]
path = "/c/{id}"
key = "c:{id}"
ttl = "1h"

[route.write]
request = "POST /c"
select = { query = "target", default = "both", both = "through", cache = "cache", origin = "around" }
cache_by = "anyone"
entry = '{body}'
reply = { status = 201, json = '{"status": "success"}' }
"""


@dataclass
class Options:
    """What a row is run with."""

    nodes: int
    when_down: str
    seconds: float
    reads: int
    seed: int
    ports: Ports
    logs: Path


@dataclass
class Held:
    """A write that a node was killed under: committed, and never answered."""

    key: str
    version: int


@dataclass
class Stand:
    """One row's processes. `main` is the Redis that the nodes begin with; the last relay is the replica's link to it."""

    options: Options
    folder: Path
    kind: str
    main: Redis = None
    replicas: list[Redis] = field(default_factory=list)
    sentinels: list[Sentinel] = field(default_factory=list)
    origin: Origin = None
    relays: Relays = None
    nodes: list[Node] = field(default_factory=list)
    # Where they have their admin listeners, if it is asked.
    admins: list[int] = field(default_factory=list)
    faults: list[list[float]] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Whether two routes go by other names from now on.
    renamed: bool = False

    def start(self) -> None:
        ports, count = self.options.ports, self.options.nodes
        self.main = Redis("redis", ports.take(), self.folder)
        self.main.start()
        self.origin = Origin(ports.take(), self.folder)
        self.origin.start()
        # One relay for each node, and one more for the replica's link.
        self.relays = Relays([(ports.take(), self.main.port) for _ in range(count + 1)], self.folder)
        self.relays.start()
        self.start_replicas()
        self.admins = [ports.take() for _ in range(count)] if self.kind == "purged" else []
        for number in range(count):
            port = ports.take()
            self.nodes.append(Node(number, port, self.folder, self.config(number, port)))
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            wait_until(f"{node.name} has a hit", lambda: self.hits(node))

    def start_replicas(self) -> None:
        through = self.relays.ports[-1] if self.kind == "replica" else self.main.port
        for number in range({"replica": 1, "sentinel": 2}.get(self.kind, 0)):
            options = ("--replicaof", "127.0.0.1", str(through))
            self.replicas.append(Redis(f"replica{number}", self.options.ports.take(), self.folder, *options))
            self.replicas[-1].start()
            wait_until("the replica is in step", lambda: "master_link_status:up" in self.replicas[-1].ask("INFO", "replication"))
        if self.kind == "sentinel":
            for number in range(3):
                self.sentinels.append(Sentinel(f"sentinel{number}", self.options.ports.take(), self.folder, self.main.port))
                self.sentinels[-1].start()
            time.sleep(3)

    def url(self, number: int) -> str:
        if self.kind == "sentinel":
            return "redis+sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels) + "/app"
        return f"redis://127.0.0.1:{self.relays.ports[number]}"

    def config(self, number: int, port: int) -> str:
        """The configuration of a node."""
        names = {"t": "t-new", "w": "w-new"} if self.renamed else {"t": "t", "w": "w"}
        within = f'commit_within = "{COMMIT_WITHIN}s"\n' if knows("origin", f'commit_within = "{COMMIT_WITHIN}s"') else ""
        return (
            f'listen = "127.0.0.1:{port}"\n[clients]\nhosts = ["shop.test"]\n'
            + ('purge_from = ["127.0.0.1"]\n' if self.kind == "purged" else "")
            + (f'[admin]\nlisten = "127.0.0.1:{self.admins[number]}"\n' if self.kind == "purged" else "")
            + f'[origin]\nurl = "http://127.0.0.1:{self.origin.port}"\n{within}'
            f'[store]\nurl = "{self.url(number)}"\nwhen_down = "{self.options.when_down}"\n'
            + (ROUTES % names).replace('ttl = "1h"', 'ttl = "1h"\ntags = ["tag:{id}"]' if self.kind == "purged" else 'ttl = "1h"')
            + (CACHE_ONLY if self.kind == "cache-only" else "")
            + "[log]\nrequests = false\n"
        )

    def hits(self, node: Node) -> bool:
        """Whether a node answers from the cache."""
        try:
            return b"\r\nx-cache: HIT" in get(node.port, "/t/probe", patience=2)[1]
        except OSError:
            return False

    @contextmanager
    def fault(self):
        """Notes when a fault begins and ends."""
        begun = time.monotonic()
        self.faults.append([begun, begun])
        try:
            yield
        finally:
            self.faults[-1][1] = time.monotonic()

    def stop(self) -> None:
        everything = [*self.nodes, *self.sentinels, *self.replicas, self.main, self.relays, self.origin]
        for server in everything:
            if server is not None:
                server.thaw()
                server.signal(signal.SIGTERM if isinstance(server, Node) else signal.SIGKILL)
        for server in everything:
            if server is not None and server.popen is not None:
                server.ended(10)


@cache
def knows(table: str, line: str) -> bool:
    """Whether this aside knows a key of its configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        origin = '[origin]\nurl = "http://127.0.0.1:1"\n' if table == "origin" else f'origin = "http://127.0.0.1:1"\n[{table}]\n'
        file.write(f'listen = "127.0.0.1:1"\n{origin}{line}\n')
        file.flush()
        return subprocess.run([os.environ["ASIDE_BIN"], "check", file.name], capture_output=True, check=False).returncode == 0


@contextmanager
def stand(options: Options, kind: str):
    with tempfile.TemporaryDirectory(prefix="coherence-") as folder:
        made = Stand(options, Path(folder), kind)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            keep_logs(made)


def keep_logs(made: Stand) -> None:
    made.options.logs.mkdir(parents=True, exist_ok=True)
    for log in made.folder.rglob("*.log"):
        (made.options.logs / log.name).write_bytes(log.read_bytes()[-1_000_000:])


class Clients:
    """The process of the clients."""

    def __init__(self, made: Stand):
        context = multiprocessing.get_context("fork")
        self.reads, self.end = context.Value("Q", 0, lock=False), context.Event()
        self.results, theirs = context.Pipe(duplex=False)
        purging = made.origin.port if made.kind == "purged" else None
        plan = load.Plan([node.port for node in made.nodes], made.options.seed, made.kind == "cache-only", purging, made.admins)
        log = made.options.logs / "violations.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        arguments = (plan, self.reads, self.end, str(log), theirs)
        self.process = context.Process(target=load.run, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> load.Tally:
        self.end.set()
        tally = self.results.recv()
        self.process.join()
        return tally
