"""The fruit seed: single rows by id, with every write that can make one old."""

from typing import Any

from flask import Blueprint, Flask
from sqlalchemy import (
    Column, Connection, Identity, Integer, MetaData, Row, String, Table, delete, insert, select, update
)
from werkzeug.exceptions import NotFound

from . import payload
from .app import make_app
from .database import MAX_ID, TABLE_OPTIONS, Id, reading, writing

Answer = dict[str, Any]

fruit = Table(
    "fruit",
    MetaData(),
    Column("id", Id, Identity(start=4), primary_key=True),
    Column("name", String(50), nullable=False),
    Column("quantity", Integer, nullable=False),
    **TABLE_OPTIONS,
)
SEED = {
    fruit: [
        {"id": 1, "name": "apple", "quantity": 100},
        {"id": 2, "name": "orange", "quantity": 200},
        {"id": 3, "name": "pear", "quantity": 300},
    ]
}

FIELDS = {"name": payload.text(50), "quantity": payload.number(0, 2**31 - 1)}
BY_ID = f"/fruit/<int(max={MAX_ID}):fruit_id>"

routes = Blueprint("fruit", __name__)


@routes.get("/fruit")
def list_fruit() -> Answer:
    with reading() as connection:
        rows = connection.execute(select(fruit).order_by(fruit.c.id)).all()
    return {"data": [_as_json(row) for row in rows]}


@routes.post("/fruit")
def add_fruit() -> tuple[Answer, int, dict[str, str]]:
    values = payload.read(FIELDS)
    with writing() as connection:
        (fruit_id,) = connection.execute(insert(fruit).values(values)).inserted_primary_key
        row = _find(connection, fruit_id)
    return {"data": _as_json(row)}, 201, {"Location": f"/fruit/{fruit_id}"}


@routes.get(BY_ID)
def get_fruit(fruit_id: int) -> Answer:
    with reading() as connection:
        return {"data": _as_json(_find(connection, fruit_id))}


@routes.put(BY_ID)
def change_fruit(fruit_id: int) -> Answer:
    values = payload.read(FIELDS, partial=True)
    with writing() as connection:
        connection.execute(update(fruit).where(fruit.c.id == fruit_id).values(values))
        return {"data": _as_json(_find(connection, fruit_id))}


@routes.delete(BY_ID)
def delete_fruit(fruit_id: int) -> tuple[str, int]:
    with writing() as connection:
        if connection.execute(delete(fruit).where(fruit.c.id == fruit_id)).rowcount == 0:
            raise _unknown(fruit_id)
    return "", 204


def _find(connection: Connection, fruit_id: int) -> Row:
    row = connection.execute(select(fruit).where(fruit.c.id == fruit_id)).first()
    if row is None:
        raise _unknown(fruit_id)
    return row


def _unknown(fruit_id: int) -> NotFound:
    return NotFound(f"There is no fruit {fruit_id}.")


def _as_json(row: Row) -> Answer:
    return {"id": row.id, "name": row.name, "quantity": row.quantity}


def create_app(database_url: str | None = None) -> Flask:
    return make_app("fruit", routes, database_url=database_url)
