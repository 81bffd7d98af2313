"""The Oracle orders seed: an order is written by its own id, as often as one likes, and read back."""

from typing import Any

from flask import Blueprint, Flask, request
from sqlalchemy import Column, DateTime, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import BadRequest, NotFound

from . import payload
from .app import make_app
from .database import MAX_ID, TABLE_OPTIONS, Id, reading, writing

Answer = dict[str, Any]

# The paginated orders have a table named orders, and both may live in one database.
orders = Table(
    "customer_orders",
    MetaData(),
    Column("order_id", Id, primary_key=True, autoincrement=False),
    Column("customer_id", Id, nullable=False),
    Column("product_id", Id, nullable=False),
    Column("product_description", String(500), nullable=False),
    Column("order_delivery_address", String(500), nullable=False),
    Column("order_date_taken", DateTime, nullable=False),
    # Oracle holds an empty text for NULL.
    Column("order_misc_notes", String(1000)),
    **{**TABLE_OPTIONS, "sqlite_autoincrement": False},
)
SEED: dict[Table, list[dict[str, Any]]] = {orders: []}

FIELDS = {
    "order_id": payload.number(1),
    "customer_id": payload.number(1),
    "product_id": payload.number(1),
    "product_description": payload.text(500),
    "order_delivery_address": payload.text(500),
    "order_date_taken": payload.moment,
    "order_misc_notes": payload.text(1000, shortest=0),
}

routes = Blueprint("oracle_orders", __name__)


@routes.post("/orders")
def write_order() -> tuple[Answer, int]:
    target = request.args.get("target", "both")
    if target not in ("both", "oracle"):
        raise BadRequest("target must be both or oracle.")
    _upsert(payload.read(FIELDS))
    return {"status": "success", "message": f"Order written to {target}"}, 201


@routes.get(f"/orders/<int(max={MAX_ID}):order_id>")
def read_order(order_id: int) -> Answer:
    with reading() as connection:
        row = connection.execute(select(orders).where(orders.c.order_id == order_id)).first()
    if row is None:
        raise NotFound("Order not found")
    order = row._asdict()
    order["order_date_taken"] = payload.as_text(row.order_date_taken)
    order["order_misc_notes"] = row.order_misc_notes or ""
    return {"order": order, "source": "Oracle"}


def _upsert(order: dict[str, Any], tries: int = 5) -> None:
    known = orders.c.order_id == order["order_id"]
    for left in reversed(range(tries)):
        try:
            with writing() as connection:
                if connection.execute(update(orders).where(known).values(order)).rowcount == 0:
                    connection.execute(insert(orders).values(order))
            return
        except IntegrityError:
            # Another request has just inserted this very order: now there is one to update.
            if not left:
                raise


def _error(message: str) -> Answer:
    return {"status": "error", "message": message}


def create_app(database_url: str | None = None) -> Flask:
    return make_app("oracle-orders", routes, database_url=database_url, error=_error)
