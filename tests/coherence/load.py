"""The clients, and the check: six writers and 24 readers that keep their connections, in one process with one clock.

For each key it knows the latest version whose write was acknowledged: 2xx, received by the client. A read notes that version
before it is sent, and its answer must not be older. All clients take turns in one thread, so nothing is acknowledged
between the two, and an answer that is noticed late only makes the check milder.

A write without such an answer (503, 504, its connection lost) asks for nothing: its version may be there later, or not.
"""

import heapq
import json
import random
import re
import select
import socket
import time
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field

READERS = 24
WRITERS = 6
# How long a client waits for an answer, and before it tries again where nobody listens, in seconds.
PATIENCE = 15.0
RETRY = 0.05
# How long a writer pauses between two writes, in seconds.
PAUSE = (0.005, 0.045)
# How long one step of the hit ratio's course is, in seconds.
STEP = 0.1

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
# The API was asked because the store could not be: what a write left in the cache alone the API does not know.
WITHOUT_STORE = re.compile(r"fwd=.*detail=(store-\w+|peer-silent|rules-differ)")
CACHE_STATUS = re.compile(rb"\r\ncache-status: *([^\r]*)", re.I)
HIT = b"\r\nx-cache: HIT"
BODY = re.compile(rb'"id": *"(\w+)", *"version": *(\d+)')


@dataclass
class Plan:
    """What the clients are to do."""

    nodes: list[int]
    seed: int
    cache_only: bool = False
    # Where the origin is, for those who write behind the nodes' back and purge what they have written; and where the nodes
    # have their admin listeners.
    purging: int | None = None
    admins: list[int] = field(default_factory=list)


@dataclass
class Tally:
    """What they met with."""

    reads: int = 0
    hits: int = 0
    writes: int = 0
    unanswered: int = 0
    errors: Counter = field(default_factory=Counter)
    violations: list[dict] = field(default_factory=list)
    # Of writes to the cache alone: when one was sent to a key that was not acknowledged. It may have dropped what was there.
    spoiled: dict[str, float] = field(default_factory=dict)
    gets: array = field(default_factory=lambda: array("f"))
    puts: array = field(default_factory=lambda: array("f"))
    # Reads and hits in each step of time.
    course: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    acked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # How often something was purged, by the way.
    ways: Counter = field(default_factory=Counter)


class Skewed:
    """Keys, a few of them asked for all the time and most now and then."""

    def __init__(self, dice: random.Random, classes: dict[str, tuple[int, float]]):
        weights = {}
        for letter, (count, share) in classes.items():
            ranks = [1 / (rank + 3) for rank in range(count)]
            weights |= {f"{letter}{number}": share * rank / sum(ranks) for number, rank in enumerate(ranks)}
        self.table = dice.choices(list(weights), list(weights.values()), k=4096)

    def pick(self) -> str:
        return self.table[int(random.random() * 4096)]


# `t`: the key names the variable, and a write drops it. `w`: a [[write]] says what a write drops. `d`: nobody says anything,
# so a write drops all that does not say itself which writes drop it.
READ = {"t": (120, 0.6), "w": (60, 0.3), "d": (20, 0.1)}
WRITTEN = {"t": (120, 0.7), "w": (60, 0.28), "d": (20, 0.02)}


class Client:
    """A client with one request at a time. Three of four ask always the same node, so that a node which hangs does not make
    all of them wait; the others ask any."""

    def __init__(self, load: "Load", number: int):
        self.load, self.tally = load, load.tally
        nodes = load.plan.nodes
        self.home = None if number % 4 == 3 else nodes[number % len(nodes)]
        self.connections: dict[int, socket.socket] = {}
        self.busy = False

    def request(self) -> bytes:
        """The next one; sets `key` and what is noted before it is sent."""
        raise NotImplementedError

    def answered(self, status: int, head: bytes, body: bytes) -> float:
        """Takes an answer; comes back with how long to pause."""
        raise NotImplementedError

    def begin(self) -> None:
        self.node = self.home or random.choice(self.load.plan.nodes)
        try:
            connection = self.connections.get(self.node) or self.connect()
        except OSError:
            self.tally.errors[f"{self.kind} refused"] += 1
            return self.load.wake(self, RETRY)
        message = self.request()
        self.read, self.busy = b"", True
        self.sent = time.monotonic()
        try:
            connection.send(message)
        except OSError:
            self.lost("lost")

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.node), timeout=1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self.connections[self.node] = connection
        self.load.watch(connection, self, self.node)
        return connection

    def close(self, node: int) -> None:
        connection = self.connections.pop(node)
        self.load.forget(connection)
        connection.close()

    def lost(self, kind: str) -> None:
        """No answer comes any more."""
        self.tally.errors[f"{self.kind} {kind}"] += 1
        self.busy = False
        self.close(self.node)
        self.load.wake(self, RETRY)

    def ready(self, node: int) -> None:
        """There is something to read from a node, if only the end."""
        try:
            data = self.connections[node].recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not self.busy or node != self.node:
            return self.close(node)
        if not data:
            return self.lost("lost")
        self.read += data
        end = self.read.find(b"\r\n\r\n")
        length = LENGTH.search(self.read, 0, end + 2) if end >= 0 else None
        if end >= 0 and length is None:
            return self.lost("garbled")
        if end < 0 or len(self.read) < end + 4 + int(length[1]):
            return
        self.whole(self.read[: end + 2], self.read[end + 4 :])

    def whole(self, head: bytes, body: bytes) -> None:
        self.busy, self.now = False, time.monotonic()
        status = int(head[9:12])
        if b"\r\nconnection: close" in head.lower():
            self.close(self.node)
        if status >= 300:
            self.tally.errors[f"{self.kind} {status}"] += 1
        pause = self.answered(status, head, body)
        if pause:
            self.load.wake(self, pause)
        else:
            self.begin()


class Reader(Client):
    kind = "GET"

    def request(self) -> bytes:
        self.key = self.load.read_key()
        self.wanted = self.tally.acked[self.key]
        return b"GET /%s/%s HTTP/1.1\r\nHost: shop.test\r\n\r\n" % (self.key[0].encode(), self.key.encode())

    def answered(self, status: int, head: bytes, body: bytes) -> float:
        if status != 200:
            return RETRY
        self.tally.gets.append(self.now - self.sent)
        step = self.tally.course[int(self.now / STEP)]
        self.tally.reads += 1
        self.load.reads.value = self.tally.reads
        step[0] += 1
        if HIT in head:
            self.tally.hits += 1
            step[1] += 1
        found = BODY.search(body)
        if not found or found[1].decode() != self.key or int(found[2]) < self.wanted:
            self.load.violation(self, found, head, body)
        return 0.0


class Writer(Client):
    kind = "PUT"

    def request(self) -> bytes:
        self.key = self.load.written.pick()
        return b"PUT /%s/%s HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\n{}" % (self.key[0].encode(), self.key.encode())

    def answered(self, status: int, head: bytes, body: bytes) -> float:
        found = BODY.search(body)
        if status < 300 and found:
            self.acknowledged(int(found[2]))
        return random.uniform(*PAUSE)

    def acknowledged(self, version: int) -> None:
        self.tally.writes += 1
        self.tally.puts.append(self.now - self.sent)
        if version >= self.tally.acked[self.key]:
            self.tally.acked[self.key] = version
            self.load.history[self.key] = {"version": version, "sent": self.sent, "acked": self.now, "node": self.node}


# How a key is purged, and how often: by PURGE on the port for clients, or what `POST /purge` of the admin listener is told.
# What drops many keys is seldom, or nothing would be left to be old.
WAYS = {"PURGE": 35, "url": 25, "key": 12, "tag": 12, "prefix": 12, "route": 1, "all": 1}


def named(way: str, key: str) -> dict:
    """What names a key in this way. Those of route `d` have none of their own but the path."""
    letter = key[0]
    path = f"/{letter}/{key}"
    own = {"url": path, "tag": f"tag:{key}", "prefix": path, "all": True}
    own |= {"key": path, "route": "/d/{id}"} if letter == "d" else {"key": f"{letter}:{key}", "route": letter}
    return {way: own[way]}


class PurgeWriter(Writer):
    """Writes behind the nodes' back, at the origin itself, and then purges what it wrote through one of the nodes, in one of
    several ways: the answer to that is the acknowledgement."""

    kind = "PURGE"

    def __init__(self, load: "Load", number: int):
        super().__init__(load, number)
        self.home, self.version, self.way = load.plan.purging, 0, "PURGE"

    def request(self) -> bytes:
        if self.home == self.load.plan.purging:
            return super().request()
        if self.way == "PURGE":
            return b"PURGE /%s/%s HTTP/1.1\r\nHost: shop.test\r\n\r\n" % (self.key[0].encode(), self.key.encode())
        body = json.dumps(named(self.way, self.key)).encode()
        head = b"POST /purge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % len(body) + body

    def answered(self, status: int, head: bytes, body: bytes) -> float:
        if self.home == self.load.plan.purging:
            self.version = int(BODY.search(body)[2])
            self.through = random.randrange(len(self.load.plan.nodes))
            self.way = random.choices(list(WAYS), list(WAYS.values()))[0]
            self.home = (self.load.plan.nodes if self.way == "PURGE" else self.load.plan.admins)[self.through]
            return 0.0
        self.home = self.load.plan.purging
        if status == 200:
            self.node = self.load.plan.nodes[self.through]
            self.acknowledged(self.version)
            self.load.history[self.key]["way"] = self.way
            self.tally.ways[self.way] += 1
        return random.uniform(*PAUSE)

    def lost(self, kind: str) -> None:
        super().lost(kind)
        self.home = self.load.plan.purging


class CacheWriter(Writer):
    """Goes from key to key, and writes each a few times: to the cache alone, through it, or around it. Nobody else writes
    these keys, so their versions are in order."""

    def __init__(self, load: "Load", number: int):
        super().__init__(load, number)
        self.number, self.turn, self.left, self.version = number, 0, 0, 0
        self.next_key()

    def next_key(self) -> None:
        self.turn, self.left, self.version = self.turn + 1, 6, 0
        self.load.window[self.number] = f"c{self.turn * WRITERS + self.number}"

    def request(self) -> bytes:
        if not self.left:
            self.next_key()
        self.left, self.version = self.left - 1, self.version + 1
        self.key = self.load.window[self.number]
        body = b'{"id": "%s", "version": %d}' % (self.key.encode(), self.version)
        target = random.choices(("cache", "both", "origin"), (6, 3, 1))[0].encode()
        head = b"POST /c?target=%s HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % (target, len(body)) + body

    def answered(self, status: int, head: bytes, body: bytes) -> float:
        if status < 300:
            self.acknowledged(self.version)
        else:
            self.give_up()
        # The first write of a key comes while its first reads are under way.
        return random.uniform(*PAUSE) / 2

    def lost(self, kind: str) -> None:
        super().lost(kind)
        self.give_up()

    def give_up(self) -> None:
        """Leaves a key alone, since nobody knows what there is of it."""
        self.tally.spoiled[self.key], self.left = self.sent, 0


class Load:
    """All clients, until they are told to stop."""

    def __init__(self, plan: Plan, reads, stop, log: str):
        self.plan, self.reads, self.stop, self.log = plan, reads, stop, log
        self.tally = Tally()
        self.poll = select.epoll()
        self.watched: dict[int, tuple[Client, int]] = {}
        self.asleep: list[tuple[float, int, Client]] = []
        self.count = 0
        self.history: dict[str, dict] = {}
        self.window: dict[int, str] = {}
        dice = random.Random(plan.seed)
        random.seed(plan.seed)
        self.read, self.written = Skewed(dice, READ), Skewed(dice, WRITTEN)
        writer = CacheWriter if plan.cache_only else PurgeWriter if plan.purging else Writer
        self.clients = [writer(self, number) for number in range(WRITERS)]
        self.clients += [Reader(self, number) for number in range(READERS)]

    def read_key(self) -> str:
        return random.choice(list(self.window.values())) if self.window else self.read.pick()

    def watch(self, connection: socket.socket, client: Client, node: int) -> None:
        self.watched[connection.fileno()] = (client, node)
        self.poll.register(connection, select.EPOLLIN)

    def forget(self, connection: socket.socket) -> None:
        self.poll.unregister(connection)
        del self.watched[connection.fileno()]

    def wake(self, client: Client, after: float) -> None:
        self.count += 1
        heapq.heappush(self.asleep, (time.monotonic() + after, self.count, client))

    def run(self) -> Tally:
        for client in self.clients:
            self.wake(client, random.uniform(0, 0.05))
        next_look = 0.0
        while not self.stop.is_set():
            until = self.asleep[0][0] - time.monotonic() if self.asleep else 0.1
            for number, _ in self.poll.poll(min(max(until, 0.0), 0.1)):
                if number in self.watched:
                    client, node = self.watched[number]
                    client.ready(node)
            now = time.monotonic()
            while self.asleep and self.asleep[0][0] <= now:
                heapq.heappop(self.asleep)[2].begin()
            if now > next_look:
                next_look = now + 0.5
                for client in self.clients:
                    if client.busy and now - client.sent > PATIENCE:
                        client.lost("timeout")
        self.tally.unanswered = sum(client.busy for client in self.clients)
        spoiled = self.tally.spoiled
        self.tally.violations = [
            noted for noted in self.tally.violations if noted["answered"] < spoiled.get(noted["key"], float("inf"))
        ]
        return self.tally

    def violation(self, client: Reader, found, head: bytes, body: bytes) -> None:
        """Notes all that is known of an answer that breaks the promise."""
        status = CACHE_STATUS.search(head)
        status = status[1].decode("latin-1") if status else ""
        if self.plan.cache_only and WITHOUT_STORE.search(status):
            self.tally.errors["GET without the store"] += 1
            return
        noted = {
            "key": client.key,
            "wanted": client.wanted,
            "got": int(found[2]) if found else None,
            "of": found[1].decode() if found else body[:100].decode("latin-1"),
            "sent": client.sent,
            "answered": client.now,
            "node": self.plan.nodes.index(client.node),
            "cache_status": status,
            "last_write": self.history.get(client.key),
        }
        if noted["last_write"]:
            noted["after_ack"] = client.sent - noted["last_write"]["acked"]
            noted["written_on"] = self.plan.nodes.index(noted["last_write"]["node"])
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(json.dumps(noted) + "\n")
        self.tally.violations.append(noted)


def run(plan: Plan, reads, stop, log: str, results) -> None:
    """The process of the clients."""
    tally = Load(plan, reads, stop, log).run()
    tally.course, tally.acked = dict(tally.course), dict(tally.acked)
    results.send(tally)
