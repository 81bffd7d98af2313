from concurrent.futures import ThreadPoolExecutor

import pytest

TOKEN = {"Authorization": "Bearer 2234hj234h2kkjjh42kjj2b20asd6918"}
ERROR = {"result": "ERROR", "message": "Ha ocurrido un error, verifique su request"}
FAIL = {"result": "Fail", "message": "No se detecto ningun cambio al Actualizar"}
NO_DATA = {"message": "No existen datos Asociados"}


@pytest.fixture(params=["nicaventas", "demo"])
def client(client_of, request):
    return client_of(request.param)


def active(client, country, city):
    answer = client.get("/active", query_string={"country": country, "city": city})
    assert answer.status_code == 200
    return answer.json


def put(client, country="NI", city="Managua", active="False", headers=TOKEN):
    answer = client.put("/active", json={"country": country, "city": city, "active": active}, headers=headers)
    assert answer.status_code == 200
    return answer.json


def test_info(client):
    assert list(client.get("/").json) == ["id", "version", "status", "Elaborado por"]


def test_answers_as_the_seed(client):
    answer = client.get("/active?city=Managua&country=NI")
    assert answer.text == '{"active":true,"country":"NI","city":"Managua"}\n'


@pytest.mark.parametrize(
    ("country", "city"),
    [("NI", "Nowhere"), ("NI", "managua"), ("ni", "Managua"), ("NI", "León"), ("NI", "Managua "), ("NI", "")],
)
def test_names_are_exact(client, country, city):
    assert active(client, country, city) == NO_DATA
    assert put(client, country, city) in (FAIL, ERROR)
    assert active(client, "NI", "Managua")["active"] is True


@pytest.mark.parametrize("query", ["", "?country=NI", "?city=Managua"])
def test_a_missing_parameter_has_no_data(client, query):
    answer = client.get(f"/active{query}")
    assert (answer.status_code, answer.json) == (200, NO_DATA)


@pytest.mark.parametrize(("value", "meant"), [("False", False), (False, False)])
def test_put_changes_once(client, value, meant):
    payload = {"country": "NI", "city": "Managua", "active": value}
    assert put(client, active=value) == {"result": "Ok", "update": payload}
    assert active(client, "NI", "Managua")["active"] is meant
    assert put(client, active=value) == FAIL
    assert put(client, active="True")["result"] == "Ok"
    assert active(client, "NI", "Managua")["active"] is True


def test_of_many_equal_puts_at_once_one_changes(client):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: put(client.application.test_client())["result"], range(16)))
    assert sorted(results) == ["Fail"] * 15 + ["Ok"]


def test_put_of_an_unknown_city_fails(client):
    assert put(client, city="Nowhere") == FAIL


def test_put_needs_the_token(client):
    assert put(client, headers={}) == {"message": "No se ha enviado el Token"}
    assert put(client, headers={"Authorization": "Bearer other"}) == {"message": "Token no Autorizado!"}
    assert active(client, "NI", "Managua")["active"] is True


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"country": "NI", "city": "Managua"},
        {"country": "NI", "city": "Managua", "active": "maybe"},
        {"country": "NI", "city": "Managua", "active": None},
        {"country": "NI", "city": "Managua", "active": []},
        {"country": "NI", "city": 5, "active": "True"},
        {"country": "NI", "city": "Managua", "active": "False", "more": 1},
        [],
        None,
    ],
)
def test_a_bad_payload_is_an_error(client, payload):
    for send in (client.put, client.post):
        answer = send("/active", json=payload, headers=TOKEN)
        assert (answer.status_code, answer.json) == (200, ERROR)
    assert active(client, "NI", "Managua")["active"] is True


def test_bytes_that_are_no_json_are_an_error(client):
    answer = client.put("/active", data="{", content_type="application/json", headers=TOKEN)
    assert (answer.status_code, answer.json) == (200, ERROR)


def test_post_inserts_once(client):
    payload = {"country": "PA", "city": "D'Arcy <Colón>", "active": "True"}
    assert client.post("/active", json=payload).json == {"result": "Ok", "Insert": payload}
    assert active(client, "PA", "D'Arcy <Colón>") == {"active": True, "country": "PA", "city": "D'Arcy <Colón>"}
    assert client.post("/active", json=payload).json == ERROR
