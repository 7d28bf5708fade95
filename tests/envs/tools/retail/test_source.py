"""The shop's API: what it tells, changes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tools.base import ToolSource
from bai.envs.tools.registry import make_source
from bai.errors import ConfigError, ToolFault

ADDRESS = {"address1": "1 A St", "address2": "", "city": "X", "state": "NY", "country": "USA", "zip": "10001"}
CUP, MUG, GONE, LAMP = "11", "12", "13", "21"


def variant(item_id: str, price: float, available: bool = True) -> dict[str, Any]:
    return {"item_id": item_id, "options": {"no": item_id}, "available": available, "price": price}


def item(item_id: str, price: float, product: str = "1", name: str = "Cup") -> dict[str, Any]:
    return {"name": name, "product_id": product, "item_id": item_id, "price": price, "options": {"no": item_id}}


def order(order_id: str, status: str, items: list[dict[str, Any]], paid_by: str) -> dict[str, Any]:
    amount = sum(each["price"] for each in items)
    paid = {"transaction_type": "payment", "amount": amount, "payment_method_id": paid_by}
    return {
        "order_id": order_id,
        "user_id": "jo",
        "address": ADDRESS,
        "items": items,
        "status": status,
        "fulfillments": [],
        "payment_history": [paid],
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A shop with one user, two products and an order of each status."""
    user = {
        "user_id": "jo",
        "name": {"first_name": "Jo", "last_name": "Doe"},
        "address": ADDRESS,
        "email": "Jo@example.com",
        "payment_methods": {
            "card": {"source": "credit_card", "id": "card"},
            "paypal": {"source": "paypal", "id": "paypal"},
            "gift": {"source": "gift_card", "id": "gift", "balance": 5.0},
        },
        "orders": ["#P", "#D", "#G", "#S"],
    }
    products = [
        {
            "name": "Cup",
            "product_id": "1",
            "variants": {
                one["item_id"]: one for one in (variant(CUP, 2.5), variant(MUG, 4.1), variant(GONE, 1, False))
            },
        },
        {"name": "Lamp", "product_id": "2", "variants": {LAMP: variant(LAMP, 90.0)}},
    ]
    orders = [
        order("#P", "pending", [item(CUP, 2.5), item(CUP, 2.5)], "card"),
        order("#G", "pending", [item(CUP, 2.5)], "gift"),
        order("#D", "delivered", [item(CUP, 2.5), item(LAMP, 90.0, "2", "Lamp")], "card"),
        order("#S", "processed", [item(CUP, 2.5)], "card"),
    ]
    data = {
        "users": {"jo": user},
        "orders": {one["order_id"]: one for one in orders},
        "products": {one["product_id"]: one for one in products},
    }
    path = tmp_path / "db.json"
    path.write_text(json.dumps(data))
    return path


@pytest.fixture
def shop(file: Path) -> ToolSource:
    source = make_source("retail", {})
    source.begin({"file": str(file)})
    return source


def changed(shop: ToolSource, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.end_state()["orders"][order_id]
    return found


def balance(shop: ToolSource) -> float:
    amount: float = json.loads(shop.call("get_user_details", {"user_id": "jo"}))["payment_methods"]["gift"]["balance"]
    return amount


def test_looking_changes_nothing(shop: ToolSource) -> None:
    """Every function that looks things up gives what is there."""
    assert shop.call("find_user_id_by_email", {"email": "jo@example.com"}) == "jo"
    assert shop.call("find_user_id_by_name_zip", {"first_name": "JO", "last_name": "doe", "zip": "10001"}) == "jo"
    assert json.loads(shop.call("get_order_details", {"order_id": "#P"}))["status"] == "pending"
    assert json.loads(shop.call("get_product_details", {"product_id": "2"}))["name"] == "Lamp"
    assert json.loads(shop.call("get_item_details", {"item_id": MUG}))["price"] == 4.1
    assert json.loads(shop.call("list_all_product_types", {})) == {"Cup": "1", "Lamp": "2"}
    assert shop.call("calculate", {"expression": "2.5 + 1"}) == "3.5"
    shop.call("transfer_to_human_agents", {"summary": "?"})
    assert shop.end_state() == {"users": {}, "orders": {}}


def test_cancelling_refunds_each_payment(shop: ToolSource) -> None:
    """A gift card has it back at once."""
    shop.call("cancel_pending_order", {"order_id": "#G", "reason": "no longer needed"})
    after = changed(shop, "#G")
    assert (after["status"], after["cancel_reason"]) == ("cancelled", "no longer needed")
    assert after["payment_history"][1:] == [{"transaction_type": "refund", "amount": 2.5, "payment_method_id": "gift"}]
    assert balance(shop) == 7.5


def test_items_change_with_their_price(shop: ToolSource) -> None:
    """The difference is booked and leaves the gift card; a second change is refused."""
    change = {"order_id": "#P", "item_ids": [CUP], "new_item_ids": [MUG], "payment_method_id": "gift"}
    shop.call("modify_pending_order_items", change)
    after = changed(shop, "#P")
    assert [each["item_id"] for each in after["items"]] == [MUG, CUP]
    assert (after["items"][0]["price"], after["items"][0]["options"]) == (4.1, {"no": MUG})
    assert after["status"] == "pending (items modified)"
    assert after["payment_history"][1:] == [{"transaction_type": "payment", "amount": 1.6, "payment_method_id": "gift"}]
    assert balance(shop) == 3.4
    for name, arguments in (
        ("modify_pending_order_items", {**change, "item_ids": [CUP]}),
        ("cancel_pending_order", {"order_id": "#P", "reason": "no longer needed"}),
    ):
        with pytest.raises(ToolFault, match="expected an order that is pending"):
            shop.call(name, arguments)


def test_the_payment_moves_to_another_method(shop: ToolSource) -> None:
    """The new one pays, the old one is refunded."""
    shop.call("modify_pending_order_payment", {"order_id": "#G", "payment_method_id": "card"})
    assert changed(shop, "#G")["payment_history"][1:] == [
        {"transaction_type": "payment", "amount": 2.5, "payment_method_id": "card"},
        {"transaction_type": "refund", "amount": 2.5, "payment_method_id": "gift"},
    ]
    assert balance(shop) == 7.5


def test_addresses_change(shop: ToolSource) -> None:
    """Of an order, of a user; and back again is no change."""
    new = {**ADDRESS, "city": "Y"}
    shop.call("modify_pending_order_address", {"order_id": "#P", **new})
    shop.call("modify_user_address", {"user_id": "jo", **new})
    assert changed(shop, "#P")["address"] == new
    assert shop.end_state()["users"]["jo"]["address"] == new
    shop.call("modify_user_address", {"user_id": "jo", **ADDRESS})
    assert shop.end_state()["users"] == {}


def test_returns_and_exchanges_are_asked_for(shop: ToolSource) -> None:
    """They are noted in the order, and no money moves yet; one order has one of them."""
    shop.call(
        "exchange_delivered_order_items",
        {"order_id": "#D", "item_ids": [CUP], "new_item_ids": [MUG], "payment_method_id": "card"},
    )
    after = changed(shop, "#D")
    assert (after["status"], after["exchange_items"], after["exchange_new_items"]) == (
        "exchange requested",
        [CUP],
        [MUG],
    )
    assert (after["exchange_price_difference"], len(after["payment_history"])) == (1.6, 1)
    with pytest.raises(ToolFault, match="is exchange requested"):
        shop.call("return_delivered_order_items", {"order_id": "#D", "item_ids": [CUP], "payment_method_id": "card"})


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("find_user_id_by_email", {"email": "x"}, "no user has the email"),
        ("find_user_id_by_name_zip", {"first_name": "Jo", "last_name": "Doe", "zip": "1"}, "lives in '1'"),
        ("get_user_details", {"user_id": "x"}, "no user 'x'"),
        ("get_order_details", {"order_id": "P"}, "no order 'P'"),
        ("get_product_details", {"product_id": CUP}, "no product"),
        ("get_item_details", {"item_id": "1"}, "no item"),
        ("calculate", {"expression": "1 / 0"}, "no value"),
        ("cancel_pending_order", {"order_id": "#S", "reason": "no longer needed"}, "#S is processed"),
        ("modify_pending_order_address", {"order_id": "#D", **ADDRESS}, "#D is delivered"),
        ("modify_pending_order_payment", {"order_id": "#P", "payment_method_id": "card"}, "paid by card already"),
        ("modify_pending_order_payment", {"order_id": "#P", "payment_method_id": "x"}, "no payment method 'x'"),
        (
            "return_delivered_order_items",
            {"order_id": "#D", "item_ids": [CUP], "payment_method_id": "paypal"},
            "or to a",
        ),
        (
            "return_delivered_order_items",
            {"order_id": "#D", "item_ids": [CUP, CUP], "payment_method_id": "card"},
            "1 times",
        ),
    ],
)
def test_what_the_policy_forbids_is_refused(shop: ToolSource, name: str, arguments: dict[str, Any], says: str) -> None:
    """The agent is told why, and the shop stays as it was."""
    with pytest.raises(ToolFault, match=says):
        shop.call(name, arguments)
    assert shop.end_state() == {"users": {}, "orders": {}}


@pytest.mark.parametrize("name", ["modify_pending_order_items", "exchange_delivered_order_items"])
@pytest.mark.parametrize(
    ("old", "new", "method", "says"),
    [
        ([CUP], [LAMP], "card", "is a Lamp"),
        ([CUP], [GONE], "card", "not available"),
        ([CUP], [MUG, MUG], "card", "expected 1 new items; got 2"),
        ([MUG], [CUP], "card", "holds '12' 0 times"),
        ([CUP], [MUG], "x", "no payment method"),
    ],
)
def test_changes_that_cannot_be(
    shop: ToolSource, name: str, old: list[str], new: list[str], method: str, says: str
) -> None:
    """Another product, nothing in store, what is not in the order, no such method."""
    order_id = "#P" if name.startswith("modify") else "#D"
    change = {"order_id": order_id, "item_ids": old, "new_item_ids": new, "payment_method_id": method}
    with pytest.raises(ToolFault, match=says):
        shop.call(name, change)
    assert shop.end_state() == {"users": {}, "orders": {}}


def test_a_gift_card_pays_what_it_holds(file: Path) -> None:
    """And no cent more."""
    data = json.loads(file.read_text())
    data["users"]["jo"]["payment_methods"]["gift"]["balance"] = 1.5
    file.write_text(json.dumps(data))
    shop = make_source("retail", {})
    shop.begin({"file": str(file)})
    change = {"order_id": "#P", "item_ids": [CUP], "new_item_ids": [MUG], "payment_method_id": "gift"}
    with pytest.raises(ToolFault, match=r"holds 1.5, and 1.6"):
        shop.call("modify_pending_order_items", change)
    with pytest.raises(ToolFault, match=r"holds 1.5, and 5.0"):
        shop.call("modify_pending_order_payment", {"order_id": "#P", "payment_method_id": "gift"})


def test_episodes_are_apart_and_can_be_branched(shop: ToolSource, file: Path) -> None:
    """A state comes back as it was; a new episode has the file's."""
    shop.call("cancel_pending_order", {"order_id": "#P", "reason": "no longer needed"})
    state, end = shop.get_state(), shop.end_state()
    shop.begin({"file": str(file)})
    assert shop.end_state() == {"users": {}, "orders": {}}
    shop.set_state(state)
    shop.call("modify_user_address", {"user_id": "jo", **ADDRESS, "zip": "2"})
    shop.set_state(state)
    assert shop.end_state() == end


@pytest.mark.parametrize("text", [None, "{", "[]", '{"users": {}, "orders": {}}'])
def test_data_that_are_none_are_an_error(tmp_path: Path, text: str | None) -> None:
    """At the first look at them."""
    path = tmp_path / "db.json"
    if text is not None:
        path.write_text(text)
    shop = make_source("retail", {})
    shop.begin({"file": str(path)})
    with pytest.raises(ConfigError, match=r"db\.json"):
        shop.end_state()


def test_a_bad_setup_is_an_error() -> None:
    """It says what was expected."""
    with pytest.raises(ConfigError, match="file"):
        make_source("retail", {}).begin({"path": "x"})
