import pytest


@pytest.fixture(params=["fruit", "demo"])
def client(client_of, request):
    return client_of(request.param)


def test_answers_as_the_seed(client):
    answer = client.get("/fruit/1")
    assert answer.status_code == 200
    assert answer.text == '{"data":{"id":1,"name":"apple","quantity":100}}\n'


def test_lists_all(client):
    names = [fruit["name"] for fruit in client.get("/fruit").json["data"]]
    assert names == ["apple", "orange", "pear"]


@pytest.mark.parametrize("fruit_id", ["4", "0", "9223372036854775807"])
def test_unknown_fruit_is_404(client, fruit_id):
    path = f"/fruit/{fruit_id}"
    for answer in (client.get(path), client.put(path, json={"quantity": 1}), client.delete(path)):
        assert answer.status_code == 404
        assert answer.json == {"message": f"There is no fruit {fruit_id}."}


@pytest.mark.parametrize("path", ["/fruit/9223372036854775808", "/fruit/apple", "/fruit/-1", "/vegetable"])
def test_unknown_path_is_404_in_json(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.is_json and answer.json["message"]


def test_put_changes_only_what_it_names(client):
    wanted = {"data": {"id": 2, "name": "orange", "quantity": 5}}
    assert client.put("/fruit/2", json={"quantity": 5}).json == wanted
    assert client.get("/fruit/2").json == wanted
    assert client.put("/fruit/2", json={"name": "blood orange", "quantity": 5}).status_code == 200
    assert client.get("/fruit/2").json["data"]["name"] == "blood orange"


def test_put_of_the_same_values_is_ok(client):
    assert client.put("/fruit/1", json={"name": "apple", "quantity": 100}).status_code == 200


def test_post_then_delete(client):
    made = client.post("/fruit", json={"name": "Brombeere ☺", "quantity": 7})
    assert made.status_code == 201
    assert made.json == {"data": {"id": 4, "name": "Brombeere ☺", "quantity": 7}}
    assert made.headers["Location"] == "/fruit/4"
    assert client.get("/fruit/4").json == made.json

    gone = client.delete("/fruit/4")
    assert (gone.status_code, gone.data) == (204, b"")
    assert client.get("/fruit/4").status_code == 404


def test_an_id_is_not_used_again(client):
    client.post("/fruit", json={"name": "fig", "quantity": 1})
    client.delete("/fruit/4")
    assert client.post("/fruit", json={"name": "plum", "quantity": 1}).json["data"]["id"] == 5


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"quantity": ', "The body is not valid JSON."),
        ("[]", "The body must be a JSON object."),
        ("{}", "Send at least one of: name, quantity."),
        ('{"colour": "red"}', "Unknown field: colour."),
        ('{"quantity": "5"}', "quantity must be a whole number from 0 to 2147483647."),
        ('{"quantity": true}', "quantity must be a whole number from 0 to 2147483647."),
        ('{"quantity": -1}', "quantity must be a whole number from 0 to 2147483647."),
        ('{"quantity": 2147483648}', "quantity must be a whole number from 0 to 2147483647."),
        ('{"quantity": NaN}', "quantity must be a whole number from 0 to 2147483647."),
        ('{"name": ""}', "name must be a text of 1 to 50 characters."),
        ('{"name": null}', "name must be a text of 1 to 50 characters."),
        ('{"name": "\\u0000"}', "name must be a text of 1 to 50 characters."),
        ('{"name": "\\ud800"}', "name must be a text of 1 to 50 characters."),
        ('{"name": "%s"}' % ("a" * 51), "name must be a text of 1 to 50 characters."),
    ],
)
def test_bad_input_is_400_and_says_why(client, body, message):
    answer = client.put("/fruit/1", data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"message": message})
    assert client.get("/fruit/1").json["data"] == {"id": 1, "name": "apple", "quantity": 100}


def test_post_needs_every_field(client):
    answer = client.post("/fruit", json={"name": "fig"})
    assert (answer.status_code, answer.json) == (400, {"message": "Missing field: quantity."})


def test_other_content_types_and_methods_are_refused_in_json(client):
    assert client.put("/fruit/1", data="quantity=1").status_code == 415
    answer = client.patch("/fruit/1", json={})
    assert answer.status_code == 405
    assert "PUT" in answer.headers["Allow"]
    assert answer.json["message"]
