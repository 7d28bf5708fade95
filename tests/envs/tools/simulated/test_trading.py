"""BFCL's broker."""

from __future__ import annotations

from typing import Any

import pytest

from bai.errors import ToolFault

STOCKS = {"AAPL": {"price": 100.0, "percent_change": 2.0}, "NVDA": {"price": 300.0, "percent_change": -0.1}}
SETUP = {
    "orders": {"7": {"symbol": "AAPL", "price": 90.0, "num_shares": 2, "status": "Completed"}, "order_type": "Buy"},
    "account_info": {"account_id": 1, "balance": 1000.0, "binding_card": 5},
    "authenticated": True,
    "order_counter": 20,
    "stocks": STOCKS,
    "watch_list": ["NVDA"],
    "transaction_history": [],
}


def test_an_order_is_placed_shown_and_cancelled(start: Any) -> None:
    """It is open until it is cancelled, and no money moves; a completed one stays."""
    call = start("bfcl_trading", SETUP)[1]
    order = {"order_type": "Buy", "symbol": "AAPL", "price": 100.0, "amount": 10}
    assert call("place_order", **order)["order_id"] == 20
    assert call("get_order_details", order_id=20) == {"id": 20, **order, "status": "Open"}
    assert call("get_account_info")["balance"] == 1000.0
    assert call("cancel_order", order_id=20) == {"order_id": 20, "status": "Cancelled"}
    for number in (20, 7, 99):
        with pytest.raises(ToolFault, match=str(number)):
            call("cancel_order", order_id=number)
    assert call("get_order_details", order_id=7)["amount"] == 2
    assert call("get_order_history") == {"order_history": [7, 20]}


def test_orders_that_make_no_sense_are_refused(start: Any) -> None:
    """Too dear, of nothing, for nothing, of an unknown stock, or of an unknown kind."""
    call = start("bfcl_trading", SETUP)[1]
    good = {"order_type": "Buy", "symbol": "AAPL", "price": 100.0, "amount": 10}
    for bad in ({"amount": 11}, {"amount": 0}, {"price": -1.0}, {"symbol": "X"}, {"order_type": "buy"}):
        with pytest.raises(ToolFault):
            call("place_order", **{**good, **bad})
    assert call("place_order", **{**good, "order_type": "Sell", "amount": 11})["status"] == "Pending"


def test_money_goes_in_and_out(start: Any) -> None:
    """Not more than is there; every movement is in the history, which is filtered by days."""
    call = start("bfcl_trading", SETUP)[1]
    assert call("fund_account", amount=0.5)["new_balance"] == 1000.5
    assert call("withdraw_funds", amount=1000)["new_balance"] == 0.5
    for tool, amount in (("withdraw_funds", 1), ("fund_account", 0), ("withdraw_funds", -1)):
        with pytest.raises(ToolFault):
            call(tool, amount=amount)
    history = call("get_transaction_history")["transaction_history"]
    assert [entry["type"] for entry in history] == ["deposit", "withdrawal"]
    assert call("get_transaction_history", start_date="2024-10-28") == {"transaction_history": []}
    assert call("get_transaction_history", end_date="2024-10-27") == {"transaction_history": history}


def test_stocks_are_looked_up_and_watched(start: Any) -> None:
    """Without a login; the watch list holds each once."""
    call = start("bfcl_trading", {**SETUP, "authenticated": False})[1]
    assert call("get_stock_info", symbol="AAPL") == STOCKS["AAPL"]
    assert call("get_available_stocks", sector="Technology") == {"stock_list": ["AAPL", "GOOG", "MSFT", "NVDA"]}
    assert call("get_available_stocks", sector="Magic") == {"stock_list": []}
    assert call("get_symbol_by_name", name="Zeta Corp") == {"symbol": "ZETA"}
    assert call("get_symbol_by_name", name="?") == {"symbol": "Stock not found"}
    both = ["AAPL", "NVDA", "X"]
    assert call("filter_stocks_by_price", stocks=both, min_price=100, max_price=200) == {"filtered_stocks": ["AAPL"]}
    assert "AAPL" in call("notify_price_change", stocks=both[:2], threshold=1)["notification"]
    assert call("add_to_watchlist", stock="AAPL") == call("add_to_watchlist", stock="AAPL")
    call("remove_stock_from_watchlist", symbol="NVDA")
    assert call("get_watchlist") == {"watchlist": ["AAPL"]}
    for tool, argument in (("add_to_watchlist", "stock"), ("remove_stock_from_watchlist", "symbol")):
        with pytest.raises(ToolFault):
            call(tool, **{argument: "X"})


def test_money_and_orders_need_a_login(start: Any) -> None:
    """Any name and password opens it; the default orders are there without a setup's."""
    call = start("bfcl_trading", {"stocks": STOCKS})[1]
    with pytest.raises(ToolFault, match="logged in"):
        call("get_account_info")
    call("trading_login", username="ann", password="x")
    assert call("trading_get_login_status") == {"status": True}
    assert call("trading_login", username="ann", password="x") == {"status": "Already logged in"}
    assert call("get_order_details", order_id=12446)["status"] == "Pending"
    assert [call("trading_logout") for _ in range(2)] == [
        {"status": "Logged out successfully"},
        {"status": "No user is logged in"},
    ]
    with pytest.raises(ToolFault, match="expected a name"):
        call("trading_login", username="", password="x")
