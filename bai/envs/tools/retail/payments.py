"""Money of the shop: who pays how, and what a gift card still holds. All amounts are dollars, rounded to cents."""

from __future__ import annotations

from collections.abc import Iterable

from bai.errors import ToolFault
from bai.types import JSON

__all__ = ["book", "expect_balance", "method_of", "move", "total"]


def total(amounts: Iterable[float]) -> float:
    """Adds up amounts."""
    return round(sum(amounts), 2)


def method_of(user: JSON, method_id: str) -> JSON:
    """Gives a user's payment method.

    Raises:
        ToolFault: The user has none of this id.
    """
    if method_id not in user["payment_methods"]:
        known = ", ".join(user["payment_methods"])
        raise ToolFault(f"the user has no payment method {method_id!r:.80}; there are {known}", "refused")
    method: JSON = user["payment_methods"][method_id]
    return method


def expect_balance(method: JSON, amount: float) -> None:
    """Passes a method that can pay an amount; only a gift card may not.

    Raises:
        ToolFault: Its balance is too low.
    """
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise ToolFault(f"the gift card holds {method['balance']}, and {amount} are to be paid", "refused")


def move(method: JSON, amount: float) -> None:
    """Takes an amount from a gift card, or puts a negative one on it; of other methods the shop keeps no balance."""
    if method["source"] == "gift_card":
        method["balance"] = round(method["balance"] - amount, 2)


def book(order: JSON, kind: str, amount: float, method_id: str) -> None:
    """Writes a ``payment`` or a ``refund`` into an order's history."""
    entry = {"transaction_type": kind, "amount": amount, "payment_method_id": method_id}
    order["payment_history"].append(entry)
