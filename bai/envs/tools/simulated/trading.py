"""A broker with an account, orders and a watch list (BFCL's TradingBot)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import UNSET, SimulatedApi, listed, tool
from bai.errors import ToolFault

__all__ = ["TradingApi"]

_NOW = "2024-10-27 10:30:00"
_SECTORS: dict[str, tuple[str, ...]] = {
    "Technology": ("AAPL", "GOOG", "MSFT", "NVDA"),
    "Automobile": ("TSLA",),
    "Retail": ("AMZN",),
}
_COMPANIES = {
    "Apple": "AAPL",
    "Google": "GOOG",
    "Tesla": "TSLA",
    "Microsoft": "MSFT",
    "Nvidia": "NVDA",
    "Alphabet": "ALPH",
    "Omega Industries": "OMEG",
    "Quasar Ltd.": "QUAS",
    "Synex Solutions": "SYNX",
    "Amazon": "AMZN",
    "Zeta Corp": "ZETA",
}
_OLD_ORDER = {"order_type": "Buy", "symbol": "AAPL", "price": 210.65, "amount": 10, "status": "Completed"}
_OPEN_ORDER = {"order_type": "Buy", "symbol": "GOOG", "price": 2840.34, "amount": 5, "status": "Pending"}


class TradingApi(SimulatedApi):
    """Money and orders need a login; looking at stocks and keeping the watch list do not.

    An order stays ``Open`` until it is cancelled: nothing is executed, and no money moves. Buying takes a balance that
    would cover it. It is half past ten all day. Where a setup has no orders, two are there: 12345, completed, and
    12446, pending. The next order's id is ``order_counter``.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "orders": {"12345": {"id": 12345, **_OLD_ORDER}, "12446": {"id": 12446, **_OPEN_ORDER}},
        "order_counter": 12446,
        "account_info": {"account_id": 12345, "balance": 10000.0, "binding_card": 1974202140965533},
        "authenticated": False,
        "market_status": "Closed",
        "stocks": {},
        "watch_list": [],
        "transaction_history": [],
    }

    def _adapted(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        """Gives each order its id, its type, which a setup names once for all, and the field names of the docs."""
        if "orders" not in setup:
            return setup
        orders = dict(setup["orders"])
        kind = orders.pop("order_type", "Buy")
        return {**setup, "orders": {number: _order(number, kind, order) for number, order in orders.items()}}

    @tool
    def trading_login(self, username: str, password: str) -> Any:
        """Logs the user in; any name and password will do."""
        if not username or not password:
            raise ToolFault("expected a name and a password")
        if self.state["authenticated"]:
            return {"status": "Already logged in"}
        self.state["authenticated"] = True
        return {"status": "Logged in successfully"}

    @tool
    def trading_logout(self) -> Any:
        """Logs the user out."""
        if not self.state["authenticated"]:
            return {"status": "No user is logged in"}
        self.state["authenticated"] = False
        return {"status": "Logged out successfully"}

    @tool
    def trading_get_login_status(self) -> Any:
        """Says whether the user is logged in."""
        return {"status": bool(self.state["authenticated"])}

    @tool
    def get_current_time(self) -> Any:
        """Tells the time."""
        return {"current_time": "10:30 AM"}

    @tool
    def get_account_info(self) -> Any:
        """Shows the account's id, balance and card."""
        return dict(self._account())

    @tool
    def fund_account(self, amount: float) -> Any:
        """Pays money into the account."""
        return self._move("deposit", amount)

    @tool
    def withdraw_funds(self, amount: float) -> Any:
        """Takes money out of the account."""
        return self._move("withdrawal", amount)

    @tool
    def get_transaction_history(self, start_date: str = UNSET, end_date: str = UNSET) -> Any:
        """Shows what was paid in and out between two dates, both inclusive."""
        self._account()
        first, last = (("" if start_date == UNSET else start_date), ("9999" if end_date == UNSET else end_date))
        found = [entry for entry in self.state["transaction_history"] if first <= entry["timestamp"][:10] <= last]
        return {"transaction_history": found}

    @tool
    def place_order(self, order_type: str, symbol: str, price: float, amount: int) -> Any:
        """Places an order to buy or sell shares."""
        account, number = self._account(), self.state["order_counter"]
        listed(("Buy", "Sell"), order_type, "the order type")
        self._stock(symbol)
        if price <= 0 or amount <= 0:
            raise ToolFault(f"expected a positive price and amount; got {price} and {amount}")
        if order_type == "Buy" and price * amount > account["balance"]:
            raise ToolFault(f"the balance of {account['balance']} does not cover {price * amount}")
        order = {"order_type": order_type, "symbol": symbol, "price": price, "amount": amount, "status": "Open"}
        self.state["orders"][str(number)] = {"id": number, **order}
        self.state["order_counter"] += 1
        shown = {name: order[name] for name in ("order_type", "price", "amount")}
        return {"order_id": number, **shown, "status": "Pending"}

    @tool
    def get_order_details(self, order_id: int) -> Any:
        """Shows an order."""
        return self._order(order_id)

    @tool
    def cancel_order(self, order_id: int) -> Any:
        """Cancels an order that is open or pending."""
        order = self._order(order_id)
        if order["status"] not in ("Open", "Pending"):
            raise ToolFault(f"order {order_id} is {order['status']}")
        order["status"] = "Cancelled"
        return {"order_id": order_id, "status": "Cancelled"}

    @tool
    def get_order_history(self) -> Any:
        """Lists the ids of all orders."""
        self._account()
        return {"order_history": [order["id"] for order in self.state["orders"].values()]}

    @tool
    def get_stock_info(self, symbol: str) -> Any:
        """Shows price, change, volume and averages of a stock."""
        return self._stock(symbol)

    @tool
    def get_symbol_by_name(self, name: str) -> Any:
        """Gives the symbol of a company."""
        return {"symbol": _COMPANIES.get(name, "Stock not found")}

    @tool
    def get_available_stocks(self, sector: str) -> Any:
        """Lists the stocks of a sector."""
        return {"stock_list": list(_SECTORS.get(sector, ()))}

    @tool
    def filter_stocks_by_price(self, stocks: list[str], min_price: float, max_price: float) -> Any:
        """Picks the stocks whose price lies in a range, both ends inclusive."""
        known = self.state["stocks"]
        found = [symbol for symbol in stocks if symbol in known and min_price <= known[symbol]["price"] <= max_price]
        return {"filtered_stocks": found}

    @tool
    def notify_price_change(self, stocks: list[str], threshold: float) -> Any:
        """Names the stocks whose price has changed by at least so many percent."""
        moved = [symbol for symbol in stocks if abs(self._stock(symbol)["percent_change"]) >= threshold]
        text = f"{', '.join(moved)} have significant price changes." if moved else "No significant price changes."
        return {"notification": text}

    @tool
    def get_watchlist(self) -> Any:
        """Shows the watch list."""
        return {"watchlist": list(self.state["watch_list"])}

    @tool
    def add_to_watchlist(self, stock: str) -> Any:
        """Adds a stock to the watch list; one that is on it stays there once."""
        self._stock(stock)
        if stock not in self.state["watch_list"]:
            self.state["watch_list"].append(stock)
        return {"watchlist": list(self.state["watch_list"])}

    @tool
    def remove_stock_from_watchlist(self, symbol: str) -> Any:
        """Takes a stock off the watch list."""
        if symbol not in self.state["watch_list"]:
            raise ToolFault(f"{symbol!r:.40} is not on the watch list")
        self.state["watch_list"].remove(symbol)
        return {"status": f"Stock {symbol} removed from the watch list."}

    def _account(self) -> dict[str, Any]:
        if not self.state["authenticated"]:
            raise ToolFault("no user is logged in")
        account: dict[str, Any] = self.state["account_info"]
        return account

    def _move(self, kind: str, amount: float) -> Any:
        account = self._account()
        if amount <= 0:
            raise ToolFault(f"expected a positive amount; got {amount}")
        if kind == "withdrawal" and amount > account["balance"]:
            raise ToolFault(f"the balance is {account['balance']}; it does not cover {amount}")
        account["balance"] = round(account["balance"] + (amount if kind == "deposit" else -amount), 2)
        self.state["transaction_history"].append({"type": kind, "amount": amount, "timestamp": _NOW})
        return {"status": f"The {kind} was successful", "new_balance": account["balance"]}

    def _stock(self, symbol: str) -> dict[str, Any]:
        if symbol not in self.state["stocks"]:
            raise ToolFault(f"there is no stock {symbol!r:.40}")
        stock: dict[str, Any] = self.state["stocks"][symbol]
        return stock

    def _order(self, order_id: int) -> dict[str, Any]:
        if str(order_id) not in self.state["orders"]:
            raise ToolFault(f"there is no order {order_id}")
        order: dict[str, Any] = self.state["orders"][str(order_id)]
        return order


def _order(number: str, kind: str, order: Mapping[str, Any]) -> dict[str, Any]:
    rest = {"amount" if name == "num_shares" else name: value for name, value in order.items()}
    return {"id": int(number), "order_type": kind, **rest}
