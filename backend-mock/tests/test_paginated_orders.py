import pytest

ORDER = {
    "customer": "customer 1",
    "product": "coffee",
    "quantity": 2,
    "status": "placed",
    "ordered_at": "2024-02-29 08:30:00",
}


@pytest.fixture(params=["paginated-orders", "demo"])
def client(client_of, request):
    return client_of(request.param)


@pytest.mark.parametrize("page", [1, 99, 120])
def test_a_page_holds_ten_orders_by_id(client, page):
    answer = client.get(f"/orders/{page}").json
    assert list(answer) == ["page", "orders"]
    assert answer["page"] == page
    assert [order["id"] for order in answer["orders"]] == list(range(page * 10 - 9, page * 10 + 1))


def test_rows_are_always_the_same(client):
    assert client.get("/orders/99").json["orders"][0] == {
        "id": 981,
        "customer": "customer 12",
        "product": "cacao",
        "quantity": 1,
        "status": "paid",
        "ordered_at": "2023-10-14 03:00:00",
    }


@pytest.mark.parametrize("page", ["0", "121", "922337203685477580", "9223372036854775807", "x"])
def test_a_page_past_the_end_is_404(client, page):
    answer = client.get(f"/orders/{page}")
    assert answer.status_code == 404
    assert answer.json["message"]


def test_a_posted_order_opens_the_next_page(client):
    made = client.post("/orders", json=ORDER)
    assert made.status_code == 201
    assert made.json == {"id": 1201, **ORDER}
    assert client.get("/orders/121").json == {"page": 121, "orders": [made.json]}


def test_put_changes_an_order_on_its_page(client):
    changed = client.put("/orders/981", json={"status": "returned"})
    assert changed.status_code == 200
    assert changed.json["status"] == "returned"
    assert client.get("/orders/99").json["orders"][0] == changed.json


def test_put_of_an_unknown_order_is_404(client):
    answer = client.put("/orders/1201", json={"status": "paid"})
    assert (answer.status_code, answer.json) == (404, {"message": "There is no order 1201."})


@pytest.mark.parametrize("moment", ["yesterday", "2024-02-30 08:30:00", "2024-2-9 8:30:00", 5, None])
def test_a_bad_moment_is_400(client, moment):
    answer = client.post("/orders", json={**ORDER, "ordered_at": moment})
    assert answer.status_code == 400
    assert answer.json == {"message": 'ordered_at must be a time written as "2023-03-15 15:00:00".'}
