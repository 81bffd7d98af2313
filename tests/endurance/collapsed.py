"""One fetch for a crowd: a cold key is asked for once, a slow origin is not run down, and nobody waits for long for an answer
that is not for all."""

from crowd import crowd
from stand import Row, asked, at_most, origin, proxy

ROUTE = '[[route]]\npath = "/slow/{name}"\nttl = "1h"\n'


def rows(_):
    with origin() as server:
        for name, config in (("no route", ""), ("a route", ROUTE)):
            path = "/slow/" + name.replace(" ", "-")
            with proxy(server.port, config) as aside:
                got = crowd(aside.port, [f"{path}?seconds=0.5"] * 500)
                yield answered(f"500 clients, one cold key, origin 500 ms, {name}", got)
                yield at_most(f"500 clients, one cold key, origin 500 ms, {name}: at the origin", asked(server.port, path), 1, "requests")
                private = path + "-private"
                got = crowd(aside.port, [f"{private}?seconds=0.2&control=private"] * 50)
                yield at_most(f"50 clients, not for others, origin 200 ms, {name}: slowest", max(each.whole for each in got), 1, "s")
        with proxy(server.port) as aside:
            got = crowd(aside.port, ["/slow/two?seconds=2"] * 1000)
            yield answered("1000 clients, one cold key, origin 2 s, no route", got)
            yield at_most("1000 clients, one cold key, origin 2 s, no route: at the origin", asked(server.port, "/slow/two"), 128, "requests")
        with proxy(server.port, ROUTE) as aside:
            got = crowd(aside.port, ["/slow/seven?seconds=7"] * 1000)
            yield answered("1000 clients, one cold key, origin 7 s, a route", got)
            yield at_most("1000 clients, one cold key, origin 7 s, a route: at the origin", asked(server.port, "/slow/seven"), 4, "requests")


def answered(what: str, got: list) -> Row:
    good, slowest = sum(each.status == 200 for each in got), max(each.whole for each in got)
    return Row(what, f"{good} of {len(got)}, slowest {slowest:.2f} s", "all", good == len(got))
