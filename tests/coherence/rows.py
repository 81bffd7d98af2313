"""The rows: what is done to the nodes, to Redis and to what lies between them while the clients go on."""

import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from servers import get, wait_until
from stand import Held, Stand

# How long after a fault hits have to be back, in seconds; and what is left for them before the next fault.
BACK = 2.0
CALM = BACK + 0.7
ABSENCE = 10


@dataclass
class Row:
    """One row. A round is done again and again until there have been enough reads; without one nothing is done.

    `nodes` are the numbers of nodes it is run with, and `rounds` how many rounds it has at least.

    `forgiven` are the values of `when_down` with which violations are reported and not judged. `back` says whether hits
    have to come back soon after the fault, `quiet` whether they have to be there all the time."""

    name: str
    what: str
    round: Callable[[Stand], None] | None = None
    kind: str = "plain"
    nodes: tuple[int, ...] = (2,)
    forgiven: tuple[str, ...] = ()
    back: bool = True
    quiet: bool = False
    rounds: int | None = None


def calm(seconds: float = CALM) -> None:
    time.sleep(seconds)


def nothing(_: Stand) -> None:
    time.sleep(1)


def node_hangs(stand: Stand) -> None:
    node = random.choice(stand.nodes)
    with stand.fault():
        node.freeze()
        time.sleep(1.5)
        node.thaw()
    calm()


def node_killed(stand: Stand) -> None:
    node = random.choice(stand.nodes)
    with stand.fault():
        node.kill()
        node.restart(after=random.uniform(0.05, 0.5))
    calm(random.uniform(0.5, 1.5))


def killed_after_commit(stand: Stand) -> None:
    """Ten writes are committed and not yet answered when their node is killed; it comes back at once, or when its lease has
    ended long since."""
    node, others = stand.nodes[0], stand.nodes[1:]
    keys = [f"{random.choice('tw')}k{len(stand.faults) * 10 + number}" for number in range(10)]
    for key in keys:
        for other in others:
            get(other.port, f"/{key[0]}/{key}")
    with stand.fault():
        threads = [threading.Thread(target=write_and_hold, args=(node.port, key)) for key in keys]
        for thread in threads:
            thread.start()
        # A write that was refused never gets there.
        end = time.monotonic() + 1.0
        while len(committed := list(stand.origin.committed.queue)) < len(keys) and time.monotonic() < end:
            time.sleep(0.01)
        node.kill()
        stand.held += [Held(*each) for each in committed]
        stand.origin.committed.queue.clear()
        node.restart(after=random.uniform(0.05, 0.3) if len(stand.faults) % 2 else 4.0)
        for thread in threads:
            thread.join()
    calm()


def write_and_hold(port: int, key: str) -> None:
    try:
        get(port, f"/{key[0]}/{key}", fields="X-Hold: 3\r\n", method="PUT")
    except OSError:
        pass


def terminated_while_pending(redis_first: bool):
    """A node is told to end while it cannot tell Redis what its writes have changed."""

    def round(stand: Stand) -> None:
        node = random.choice(stand.nodes)
        with stand.fault():
            stand.main.freeze()
            # Writes that are answered now are answered without their invalidation.
            time.sleep(4.0)
            node.signal(signal.SIGTERM)
            time.sleep(1.0)
            if redis_first:
                stand.main.thaw()
            code = node.ended()
            stand.notes.append(f"exit {code}")
            node.spawn()
            time.sleep(0.3)
            stand.main.thaw()
            wait_until(f"{node.name} listens", node.listens)
        calm()

    return round


def both_orders(stand: Stand) -> None:
    terminated_while_pending(redis_first=True)(stand)
    terminated_while_pending(redis_first=False)(stand)


def control_keys_deleted(stand: Stand) -> None:
    repeatedly(stand, 0.12, lambda: [stand.main.ask("DEL", key) for key in stand.main.ask("KEYS", "aside:*")])


def everything_flushed(stand: Stand) -> None:
    repeatedly(stand, 0.1, lambda: stand.main.ask("FLUSHALL"))


def repeatedly(stand: Stand, every: float, act: Callable[[], object], seconds: float = 5.0) -> None:
    with stand.fault():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            act()
            time.sleep(every)
    calm()


def redis_restarted(saved: bool):
    def round(stand: Stand) -> None:
        stand.main.dump().unlink(missing_ok=True)
        if saved:
            stand.main.ask("SAVE")
            kept = stand.main.folder / "kept"
            shutil.copy(stand.main.dump(), kept)
            time.sleep(1.0)
        with stand.fault():
            stand.main.kill()
            if saved:
                shutil.copy(kept, stand.main.dump())
            time.sleep(random.choice((0.05, 0.5, 1.5)))
            stand.main.start()
        calm()

    return round


def redis_asleep(stand: Stand) -> None:
    with stand.fault():
        for _ in range(5):
            stand.main.try_ask("DEBUG", "SLEEP", "0.06")
            time.sleep(0.94)
    calm(1.0)


def redis_stopped(stand: Stand) -> None:
    with stand.fault():
        stand.main.freeze()
        time.sleep(1.0)
        stand.main.thaw()
    calm()


def one_delayed(stand: Stand) -> None:
    with stand.fault():
        stand.relays.tell(0, delay=[0.005, 0.06])
        time.sleep(5.0)
        stand.relays.tell(0, delay=[0, 0])
    calm()


def muted(stand: Stand) -> None:
    with stand.fault():
        stand.relays.tell(0, mute=True)
        time.sleep(3.0)
        stand.relays.tell(0, mute=False)
    calm()


def cut_and(act: Callable[[Stand], None]):
    """One node is cut off, and then the others' Redis loses what it knew of that one."""

    def round(stand: Stand) -> None:
        with stand.fault():
            stand.relays.tell(0, held=True)
            time.sleep(1.0)
            act(stand)
            time.sleep(4.0)
            stand.relays.tell(0, held=False)
        calm()

    return round


def flush(stand: Stand) -> None:
    stand.main.ask("FLUSHALL")


def restart_redis(stand: Stand) -> None:
    stand.main.kill()
    stand.main.start()


def cut_held(seconds: float):
    def round(stand: Stand) -> None:
        with stand.fault():
            stand.relays.tell(0, held=True)
            time.sleep(seconds)
            stand.relays.tell(0, held=False)
        calm()

    return round


def cut_reset(seconds: float):
    def round(stand: Stand) -> None:
        with stand.fault():
            stand.relays.tell(0, refuse=True)
            time.sleep(seconds)
            stand.relays.tell(0, refuse=False)
        calm()

    return round


def swap(stand: Stand) -> None:
    """Main and replica change their names, and the new replica follows the new main one."""
    old, new = stand.main, stand.replicas[0]
    stand.main, stand.replicas[0] = new, old
    stand.relays.tell(len(stand.nodes), held=False, target=new.port, reset=True)
    old.ask("REPLICAOF", "127.0.0.1", stand.relays.ports[-1])


def in_step(stand: Stand) -> None:
    wait_until("the replica is in step", lambda: "master_link_status:up" in stand.replicas[0].ask("INFO", "replication"))


def replica_promoted(in_turn: float):
    """The replica's link is frozen for a second, so it lacks the last writes; then it is promoted, and the nodes are moved."""

    def round(stand: Stand) -> None:
        new = stand.replicas[0]
        with stand.fault():
            stand.relays.tell(len(stand.nodes), held=True)
            time.sleep(1.0)
            new.ask("REPLICAOF", "NO", "ONE")
            for number in range(len(stand.nodes)):
                stand.relays.tell(number, target=new.port, reset=True)
                time.sleep(in_turn if number == 0 else 0)
        calm()
        swap(stand)
        in_step(stand)

    return round


def swapped_under_sessions(stand: Stand) -> None:
    """Master and replica change places, and the nodes' connections stay open for a while; a frozen link before that."""
    old, new = stand.main, stand.replicas[0]
    with stand.fault():
        stand.relays.tell(len(stand.nodes), held=True)
        time.sleep(0.5)
        new.ask("REPLICAOF", "NO", "ONE")
        swap(stand)
        time.sleep(1.0)
        for number in range(len(stand.nodes)):
            stand.relays.tell(number, target=new.port)
        time.sleep(0.5)
        for number in range(len(stand.nodes)):
            stand.relays.tell(number, reset=True)
    calm()
    in_step(stand)


def failover(stand: Stand) -> None:
    """The master is killed, and comes back as a replica after the Sentinels have agreed on another."""
    redis = {server.port: server for server in (stand.main, *stand.replicas)}
    master = redis[int(stand.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "app")[1])]
    with stand.fault():
        master.kill()
        wait_until("another is the master", lambda: master_of(stand) not in (0, master.port), patience=40)
        stand.notes.append("failed over")
    calm()
    master.start()
    time.sleep(5.0)


def master_of(stand: Stand) -> int:
    try:
        return int(stand.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "app")[1])
    except (OSError, TypeError, ValueError):
        return 0


def rolling_restart(stand: Stand) -> None:
    """Every node gets a file in which two routes have other names, one node after the other; then back again."""
    stand.renamed = not stand.renamed
    with stand.fault():
        for node in stand.nodes:
            node.configure(stand.config(node.number, node.port))
            node.terminate()
            node.restart()
            time.sleep(2.0)
    calm()


def reloaded(stand: Stand) -> None:
    """The same by SIGHUP, while requests are under way: every node goes by the other names, one soon after the other, and every
    third time one of them goes back and forth at once."""
    stand.renamed = not stand.renamed
    with stand.fault():
        for node in random.sample(stand.nodes, len(stand.nodes)):
            node.configure(stand.config(node.number, node.port))
            node.signal(signal.SIGHUP)
            time.sleep(random.uniform(0.0, 0.5))
        if len(stand.faults) % 3 == 0:
            for _ in range(2):
                stand.renamed = not stand.renamed
                node.configure(stand.config(node.number, node.port))
                node.signal(signal.SIGHUP)
                time.sleep(random.uniform(0.0, 0.1))
        time.sleep(0.5)
    calm()


def started_far_away(stand: Stand) -> None:
    """A node is started while its Redis is 20 ms away."""
    node = stand.nodes[0]
    with stand.fault():
        stand.relays.tell(0, delay=[0.01, 0.01])
        node.terminate()
        node.restart()
        time.sleep(1.5)
        stand.relays.tell(0, delay=[0, 0])
    calm()


ROWS = [
    Row("quiet", "no fault", nothing, nodes=(2, 4), back=False, quiet=True),
    Row("cache-only", "writes to the cache alone, through it and around it", nothing, kind="cache-only", back=False),
    Row("purged", "writes behind the nodes' back, each followed by a purge: PURGE, or by URL, key, tag, route, prefix, all", nothing, kind="purged", back=False, quiet=True),
    Row("purged-asleep", "the same, and Redis sleeps for 60 ms once a second", redis_asleep, kind="purged"),
    Row("node-stopped", "a node is stopped for 1.5 s", node_hangs),
    Row("node-killed", "a node is killed with -9 and started again, 14 times or more", node_killed, rounds=14),
    Row("killed-after-commit", "a node is killed between commit and answer of ten writes", killed_after_commit),
    Row("term-pending", "SIGTERM while Redis is stopped and invalidations are pending", both_orders),
    Row("control-deleted", "the control keys are deleted every 120 ms", control_keys_deleted),
    Row("flushall", "FLUSHALL every 100 ms", everything_flushed),
    Row("redis-empty", "Redis is killed and comes back empty", redis_restarted(saved=False)),
    Row("redis-rdb", "Redis is killed and comes back as it was a second before", redis_restarted(saved=True)),
    Row("redis-asleep", "Redis sleeps for 60 ms once a second", redis_asleep),
    Row("redis-stopped", "Redis is stopped for 1 s", redis_stopped),
    Row("link-slow", "one node's link to Redis takes 5 to 60 ms", one_delayed),
    Row("link-held", "one node's link is cut for 3 s, its bytes delivered later", cut_held(3.0)),
    Row("link-reset", "one node's link is reset and refused for 3 s", cut_reset(3.0)),
    Row("link-mute", "one node's commands reach Redis, and for 3 s it hears of none", muted),
    Row("cut-flushed", "one node's link is cut for 5 s, and Redis is flushed meanwhile", cut_and(flush)),
    Row("cut-restarted", "one node's link is cut for 5 s, and Redis comes back empty meanwhile", cut_and(restart_redis)),
    Row("promoted", "a replica with a frozen link is promoted, all nodes moved at once", replica_promoted(0), kind="replica"),
    Row("promoted-in-turn", "the same, one node moved 4 s before the others", replica_promoted(4.0), kind="replica"),
    Row("swapped", "master and replica change places under open connections", swapped_under_sessions, kind="replica"),
    Row("sentinel", "a Sentinel failover after the master's death", failover, kind="sentinel"),
    Row("rolling", "a rolling restart that renames two routes", rolling_restart),
    Row("reloaded", "a rolling reload that renames two routes", reloaded, nodes=(2, 4)),
    Row("start-far", "a node is started under load with Redis 20 ms away", started_far_away),
    Row("absence", "one node's link is cut for longer than `absence`", cut_held(ABSENCE + 5.0), forgiven=("forward",), back=False),
]
