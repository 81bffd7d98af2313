"""The routes that stand in front of an origin: for each reader one for each place where an id can stand.

routes.py rules|writes READER...     prints them as proxy.toml has them
"""

import sys

# Place, where a read tells its id, where a write tells it, and the route's rule. `own` names another write: one to the
# entry's own path counts whatever the list says. Of a path's variable a query or body says nothing unless told so.
RULES = [
    ("path", "path", "path", 'request = "PUT {base}/things/{id}"'),
    ("own", "path", "path", 'request = "PUT {base}/other"'),
    ("path-body", "path", "body", 'request = "PUT {base}/things", variables = { id = "{body:/id}" }'),
    ("path-response", "path", "query", 'request = "PUT {base}/find", variables = { id = "{response:/thing}" }'),
    ("query", "query", "query", 'request = "PUT {base}/find"'),
    ("query-path", "query", "path", 'request = "PUT {base}/things/{id}"'),
    ("query-body", "query", "body", 'request = "PUT {base}/things"'),
]
# The same narrowed on the side of the write: routes without a list, and what a write drops.
WRITES = [
    ("drops", "path", "path", "PUT {base}/things/{id}"),
    ("drops-body", "path", "body", "PUT {base}/things"),
]


def route(base: str, read: str) -> str:
    if read == "query":
        return f'[[route]]\npath = "{base}/find"\nquery = ["id"]\nkey = "{base}:{{id}}"\nttl = "1h"\n'
    return f'[[route]]\npath = "{base}/things/{{id}}"\nkey = "{base}:{{id}}"\nttl = "1h"\n'


def rules(reader: str) -> str:
    text = ""
    for place, read, _, rule in RULES:
        base = f"/{reader}/{place}"
        text += f"{route(base, read)}invalidated_by = [{{ {rule.replace('{base}', base)} }}]\n\n"
    return text


def writes(reader: str) -> str:
    text = ""
    for place, read, _, request in WRITES:
        base = f"/{reader}/{place}"
        text += f'{route(base, read)}\n[[write]]\nrequest = "{request.replace("{base}", base)}"\n'
        text += f'drops = ["{base}/things/{{id}}"]\n\n'
    return text


def places(which: str) -> list[tuple[str, str, str]]:
    """The places of a file: name, where reads tell the id, where writes do."""
    return [tuple(place[:3]) for place in (RULES if which == "rules" else WRITES)]


if __name__ == "__main__":
    printed = {"rules": rules, "writes": writes}[sys.argv[1]]
    print("".join(printed(reader) for reader in sys.argv[2:]))
