"""The shop's API: functions that look things up, and functions that change orders and users by the shop's rules."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bai.envs.tools.api import ApiSource
from bai.envs.tools.base import Tool
from bai.envs.tools.calculator import calculate
from bai.envs.tools.retail.declared import TOOLS
from bai.envs.tools.retail.payments import book, expect_balance, method_of, move, total
from bai.envs.tools.retail.shop import Shop
from bai.errors import ConfigError, ToolFault
from bai.types import JSON

__all__ = ["RetailSource"]


class RetailSource(ApiSource):
    """A shop after the retail domain of tau2-bench (Barres et al. 2025, arXiv:2506.07982), whose policy it holds to.

    The setup is ``{"file": PATH}``, the domain's ``db.json``. The end state is what was changed of it: ``{"users",
    "orders"}``, each whole changed record by id. The functions are the domain's, by name and argument; what they do is
    written here from its policy: a function refuses what the policy forbids and the database can tell.
    """

    def tools(self) -> tuple[Tool, ...]:
        return TOOLS

    def _load(self, setup: Any) -> Any:
        match setup:
            case {"file": str(file), **rest} if not rest:
                return {"file": file, "changed": {"users": {}, "orders": {}}}
        raise ConfigError(f"expected {{'file': PATH}} of the shop's data as the setup; got {setup!r:.200}")

    @property
    def _shop(self) -> Shop:
        return Shop(self.state["file"], self.state["changed"])

    def end_state(self) -> Any:
        return copy.deepcopy(self._shop.difference())

    # What looks things up.

    def find_user_id_by_email(self, email: str) -> str:
        found = (user["user_id"] for user in self._shop.users() if user["email"].lower() == email.strip().lower())
        return _first(found, f"no user has the email {email!r:.80}")

    def find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:
        wanted = (first_name.strip().lower(), last_name.strip().lower(), zip.strip())
        found = (user["user_id"] for user in self._shop.users() if _name_and_zip(user) == wanted)
        return _first(found, f"no user is called {first_name!r:.40} {last_name!r:.40} and lives in {zip!r:.20}")

    def get_user_details(self, user_id: str) -> JSON:
        return self._shop.seen("users", user_id)

    def get_order_details(self, order_id: str) -> JSON:
        return self._shop.seen("orders", order_id)

    def get_product_details(self, product_id: str) -> JSON:
        return self._shop.seen("products", product_id)

    def get_item_details(self, item_id: str) -> JSON:
        return self._shop.variant(item_id)[1]

    def list_all_product_types(self) -> JSON:
        return {product["name"]: product["product_id"] for product in self._shop.products()}

    def calculate(self, expression: str) -> str:
        return calculate(expression)

    def transfer_to_human_agents(self, summary: str) -> str:
        return "The user is being handed over."

    # What changes things.

    def modify_user_address(self, user_id: str, **address: str) -> JSON:
        user = self._shop.own("users", user_id)
        user["address"] = address
        return user

    def modify_pending_order_address(self, order_id: str, **address: str) -> JSON:
        order = self._order(order_id, "pending")
        order["address"] = address
        return order

    def cancel_pending_order(self, order_id: str, reason: str) -> JSON:
        order = self._order(order_id, "pending")
        user = self._shop.own("users", order["user_id"])
        for paid in list(order["payment_history"]):
            method_id = paid["payment_method_id"]
            book(order, "refund", paid["amount"], method_id)
            move(method_of(user, method_id), -paid["amount"])
        order["status"], order["cancel_reason"] = "cancelled", reason
        return order

    def modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> JSON:
        order = self._order(order_id, "pending")
        user = self._shop.own("users", order["user_id"])
        history = order["payment_history"]
        if len(history) != 1 or history[0]["transaction_type"] != "payment":
            raise ToolFault("the payment of an order can be changed once, after one payment", "refused")
        amount, before = history[0]["amount"], history[0]["payment_method_id"]
        if payment_method_id == before:
            raise ToolFault(f"the order is paid by {before} already", "refused")
        self._pay(user, order, payment_method_id, amount)
        self._pay(user, order, before, -amount)
        return order

    def modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> JSON:
        order = self._order(order_id, "pending")
        user = self._shop.own("users", order["user_id"])
        changes = self._changes(order, item_ids, new_item_ids)
        self._pay(user, order, payment_method_id, total(new["price"] - item["price"] for item, new in changes))
        for item, new in changes:
            item.update(item_id=new["item_id"], price=new["price"], options=dict(new["options"]))
        order["status"] = "pending (items modified)"
        return order

    def return_delivered_order_items(self, order_id: str, item_ids: list[str], payment_method_id: str) -> JSON:
        order = self._order(order_id, "delivered")
        method = method_of(self._shop.seen("users", order["user_id"]), payment_method_id)
        if method["source"] != "gift_card" and payment_method_id != order["payment_history"][0]["payment_method_id"]:
            raise ToolFault("a refund goes to how the order was paid, or to a gift card of the user", "refused")
        _items(order, item_ids)
        order["status"] = "return requested"
        order["return_items"], order["return_payment_method_id"] = sorted(item_ids), payment_method_id
        return order

    def exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> JSON:
        order = self._order(order_id, "delivered")
        changes = self._changes(order, item_ids, new_item_ids)
        difference = total(new["price"] - item["price"] for item, new in changes)
        method = method_of(self._shop.seen("users", order["user_id"]), payment_method_id)
        expect_balance(method, difference)
        order["status"] = "exchange requested"
        order["exchange_items"], order["exchange_new_items"] = sorted(item_ids), sorted(new_item_ids)
        order["exchange_payment_method_id"], order["exchange_price_difference"] = payment_method_id, difference
        return order

    # Rules.

    def _order(self, order_id: str, status: str) -> JSON:
        """An order that may be changed, if it has a status."""
        there = self._shop.seen("orders", order_id)["status"]
        if there != status:
            raise ToolFault(f"expected an order that is {status}; {order_id} is {there}", "refused")
        return self._shop.own("orders", order_id)

    def _pay(self, user: JSON, order: JSON, method_id: str, amount: float) -> None:
        """Books an amount that is to be paid, or a negative one that is given back."""
        method = method_of(user, method_id)
        expect_balance(method, amount)
        if amount:
            book(order, "payment" if amount > 0 else "refund", abs(amount), method_id)
            move(method, amount)

    def _changes(self, order: JSON, item_ids: Sequence[str], new_item_ids: Sequence[str]) -> list[tuple[JSON, JSON]]:
        """Pairs items of an order with the variants they become."""
        if len(item_ids) != len(new_item_ids):
            raise ToolFault(f"expected {len(item_ids)} new items; got {len(new_item_ids)}", "refused")
        return [
            (item, self._replacement(item, new_item_id))
            for item, new_item_id in zip(_items(order, item_ids), new_item_ids, strict=True)
        ]

    def _replacement(self, item: JSON, new_item_id: str) -> JSON:
        product, variant = self._shop.variant(new_item_id)
        if product["product_id"] != item["product_id"]:
            raise ToolFault(f"{new_item_id} is a {product['name']}, and {item['item_id']} a {item['name']}", "refused")
        if not variant["available"]:
            raise ToolFault(f"{new_item_id} is not available", "refused")
        return variant


def _items(order: JSON, item_ids: Sequence[str]) -> list[JSON]:
    """Finds items in an order: as often as they are named, each another one."""
    taken: Counter[str] = Counter()
    found = []
    for item_id in item_ids:
        same = [item for item in order["items"] if item["item_id"] == item_id]
        if taken[item_id] >= len(same):
            raise ToolFault(f"the order holds {item_id!r:.80} {len(same)} times", "refused")
        found.append(same[taken[item_id]])
        taken[item_id] += 1
    return found


def _name_and_zip(user: JSON) -> tuple[str, str, str]:
    name = user["name"]
    return name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"]


def _first(found: Any, otherwise: str) -> str:
    user_id: str | None = next(found, None)
    if user_id is None:
        raise ToolFault(otherwise, "failed")
    return user_id
