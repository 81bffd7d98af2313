"""The paginated orders seed: ten orders a page, by ascending id, and writes that change pages."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Flask
from sqlalchemy import (
    Column, Connection, DateTime, Identity, Integer, MetaData, Row, String, Table, insert, select, update
)
from werkzeug.exceptions import NotFound

from . import payload
from .app import make_app
from .database import MAX_ID, TABLE_OPTIONS, Id, reading, writing

Answer = dict[str, Any]

PAGE_SIZE = 10
ROWS = 1200
PRODUCTS = ["coffee", "cacao", "honey", "rice", "beans", "maize", "sugar"]
STATES = ["placed", "paid", "shipped", "delivered"]

orders = Table(
    "orders",
    MetaData(),
    Column("id", Id, Identity(start=ROWS + 1), primary_key=True),
    Column("customer", String(100), nullable=False),
    Column("product", String(100), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("ordered_at", DateTime, nullable=False),
    **TABLE_OPTIONS,
)
SEED = {
    orders: [
        {
            "id": number,
            "customer": f"customer {number % 97 + 1}",
            "product": PRODUCTS[number % len(PRODUCTS)],
            "quantity": number % 9 + 1,
            "status": STATES[number % len(STATES)],
            "ordered_at": datetime(2023, 1, 1) + timedelta(hours=7 * number),
        }
        for number in range(1, ROWS + 1)
    ]
}

FIELDS = {
    "customer": payload.text(100),
    "product": payload.text(100),
    "quantity": payload.number(1, 2**31 - 1),
    "status": payload.text(20),
    "ordered_at": payload.moment,
}

routes = Blueprint("paginated_orders", __name__)


@routes.get(f"/orders/<int(min=1, max={MAX_ID // PAGE_SIZE}):page>")
def get_page(page: int) -> Answer:
    wanted = select(orders).order_by(orders.c.id).offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)
    with reading() as connection:
        rows = connection.execute(wanted).all()
    if not rows:
        raise NotFound(f"There is no page {page}.")
    return {"page": page, "orders": [_as_json(row) for row in rows]}


@routes.post("/orders")
def add_order() -> tuple[Answer, int]:
    values = payload.read(FIELDS)
    with writing() as connection:
        (order_id,) = connection.execute(insert(orders).values(values)).inserted_primary_key
        return _as_json(_find(connection, order_id)), 201


@routes.put(f"/orders/<int(max={MAX_ID}):order_id>")
def change_order(order_id: int) -> Answer:
    values = payload.read(FIELDS, partial=True)
    with writing() as connection:
        connection.execute(update(orders).where(orders.c.id == order_id).values(values))
        return _as_json(_find(connection, order_id))


def _find(connection: Connection, order_id: int) -> Row:
    row = connection.execute(select(orders).where(orders.c.id == order_id)).first()
    if row is None:
        raise NotFound(f"There is no order {order_id}.")
    return row


def _as_json(row: Row) -> Answer:
    return {
        "id": row.id,
        "customer": row.customer,
        "product": row.product,
        "quantity": row.quantity,
        "status": row.status,
        "ordered_at": payload.as_text(row.ordered_at),
    }


def create_app(database_url: str | None = None) -> Flask:
    return make_app("paginated-orders", routes, database_url=database_url)
