from concurrent.futures import ThreadPoolExecutor

import pytest

ORDER = {
    "order_id": 1,
    "customer_id": 123,
    "product_id": 456,
    "product_description": "Sample product",
    "order_delivery_address": "123 Example St.",
    "order_date_taken": "2023-03-15 15:00:00",
    "order_misc_notes": "Notes about the order",
}


@pytest.fixture
def client(client_of):
    return client_of("oracle-orders")


@pytest.mark.parametrize(
    ("query", "target"), [("", "both"), ("?target=both", "both"), ("?target=oracle", "oracle")]
)
def test_an_order_is_written_and_read(client, query, target):
    made = client.post(f"/orders{query}", json=ORDER)
    assert made.status_code == 201
    assert made.json == {"status": "success", "message": f"Order written to {target}"}

    answer = client.get("/orders/1")
    assert answer.status_code == 200
    assert answer.json == {"order": ORDER, "source": "Oracle"}
    assert list(answer.json["order"]) == list(ORDER)


def test_writing_again_replaces(client):
    client.post("/orders", json=ORDER)
    other = {**ORDER, "customer_id": 7, "order_misc_notes": ""}
    assert client.post("/orders", json=other).status_code == 201
    assert client.get("/orders/1").json["order"] == other


def test_the_same_order_written_by_many_at_once(client):
    def write(customer: int) -> int:
        return client.application.test_client().post("/orders", json={**ORDER, "customer_id": customer}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(1, 41))) == {201}
    assert client.get("/orders/1").json["order"]["customer_id"] in range(1, 41)


@pytest.mark.parametrize("order_id", [2, 0, 9223372036854775807])
def test_an_unknown_order_is_404(client, order_id):
    answer = client.get(f"/orders/{order_id}")
    assert (answer.status_code, answer.json) == (404, {"status": "error", "message": "Order not found"})


@pytest.mark.parametrize("target", ["redis", "other", ""])
def test_a_target_that_this_app_does_not_have_is_400(client, target):
    answer = client.post(f"/orders?target={target}", json=ORDER)
    assert answer.status_code == 400
    assert answer.json == {"status": "error", "message": "target must be both or oracle."}
    assert client.get("/orders/1").status_code == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order_id": "1"}, "order_id must be a whole number from 1 to 9223372036854775807."),
        ({"order_id": 2**63}, "order_id must be a whole number from 1 to 9223372036854775807."),
        ({"order_date_taken": "today"}, 'order_date_taken must be a time written as "2023-03-15 15:00:00".'),
        ({"product_description": ""}, "product_description must be a text of 1 to 500 characters."),
        ({"order_misc_notes": "a" * 1001}, "order_misc_notes must be a text of 0 to 1000 characters."),
        ({"colour": "red"}, "Unknown field: colour."),
    ],
)
def test_bad_input_is_400_and_says_why(client, change, message):
    answer = client.post("/orders", json={**ORDER, **change})
    assert (answer.status_code, answer.json) == (400, {"status": "error", "message": message})


def test_a_missing_field_is_400(client):
    answer = client.post("/orders", json={"order_id": 1, "customer_id": 2})
    assert answer.status_code == 400
    assert answer.json["message"].startswith("Missing field: product_id, product_description")
