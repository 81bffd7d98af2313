"""The NicaVentas seed: whether a city may sell. It answers 200 whatever happens, as the seed does."""

from typing import Any

from flask import Blueprint, Flask, request
from sqlalchemy import Boolean, Column, MetaData, String, Table, insert, select, update

from .app import make_app
from .database import TABLE_OPTIONS, reading, writing

Answer = dict[str, Any]

TOKEN = "2234hj234h2kkjjh42kjj2b20asd6918"
NO_DATA = {"message": "No existen datos Asociados"}
NO_CHANGE = {"result": "Fail", "message": "No se detecto ningun cambio al Actualizar"}
BAD_REQUEST = {"result": "ERROR", "message": "Ha ocurrido un error, verifique su request"}

location = Table(
    "location",
    MetaData(),
    Column("country", String(50), primary_key=True),
    Column("city", String(100), primary_key=True),
    Column("active", Boolean, nullable=False),
    **TABLE_OPTIONS,
)
SEED = {
    location: [
        {"country": country, "city": city, "active": active}
        for country, city, active in [
            ("NI", "Managua", True),
            ("NI", "Leon", True),
            ("NI", "Granada", False),
            ("NI", "Masaya", True),
            ("NI", "Esteli", False),
            ("CR", "San Jose", True),
            ("CR", "Limon", False),
            ("HN", "Tegucigalpa", True),
            ("SV", "San Salvador", False),
            ("GT", "Guatemala", True),
        ]
    ]
}

routes = Blueprint("nicaventas", __name__)


@routes.get("/")
def info() -> Answer:
    return {
        "id": "Servicio NicaVentas - Disponibilidad de Ventas",
        "version": "3.0",
        "status": "En Desarrollo",
        "Elaborado por": "Wiston Perez Narvaez",
    }


@routes.get("/active")
def get_location() -> Answer:
    try:
        country, city = _place(request.args)
        with reading() as connection:
            row = connection.execute(select(location).where(_is(country, city))).one()
        return {"active": row.active, "country": row.country, "city": row.city}
    except Exception:
        return NO_DATA


@routes.put("/active")
def put_location() -> Answer:
    try:
        payload = request.get_json()
        country, city = _place(payload)
        authorization = request.headers.get("Authorization")
        if not authorization:
            return {"message": "No se ha enviado el Token"}
        if authorization != f"Bearer {TOKEN}":
            return {"message": "Token no Autorizado!"}

        active = _active(payload)
        # The databases disagree whether a row that is given its old values counts as changed.
        change = update(location).where(_is(country, city), location.c.active != active).values(active=active)
        with writing() as connection:
            changed = connection.execute(change).rowcount
        return {"result": "Ok", "update": payload} if changed else NO_CHANGE
    except Exception:
        return BAD_REQUEST


@routes.post("/active")
def post_location() -> Answer:
    try:
        payload = request.get_json()
        country, city = _place(payload)
        row = {"country": country, "city": city, "active": _active(payload)}
        with writing() as connection:
            connection.execute(insert(location).values(row))
        return {"result": "Ok", "Insert": payload}
    except Exception:
        return BAD_REQUEST


def _is(country: str, city: str) -> Any:
    return (location.c.country == country) & (location.c.city == city)


def _place(given: Any) -> tuple[str, str]:
    country, city = given["country"], given["city"]
    for name, longest in ((country, 50), (city, 100)):
        # Blanks at the end of a name are ignored by MySQL and by nobody else, so no name has any.
        if not isinstance(name, str) or name != name.strip() or not 1 <= len(name) <= longest:
            raise ValueError(name)
    return country, city


def _active(payload: dict[str, Any]) -> bool:
    if payload.keys() != {"country", "city", "active"}:
        raise ValueError(payload)
    values = {"True": True, "False": False}
    active = payload["active"]
    return active if isinstance(active, bool) else values[active]


def create_app(database_url: str | None = None) -> Flask:
    return make_app("nicaventas", routes, database_url=database_url)
