"""Three of the seeds in one app, since their paths do not collide: what `make demo` puts the proxy before."""

from flask import Flask

from . import fruit, nicaventas, paginated_orders
from .app import make_app

SEED = {**fruit.SEED, **nicaventas.SEED, **paginated_orders.SEED}


def create_app(database_url: str | None = None) -> Flask:
    return make_app(
        "demo", fruit.routes, nicaventas.routes, paginated_orders.routes, database_url=database_url
    )
