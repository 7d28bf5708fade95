"""A travel agency: fares, bookings, insurance and cards (BFCL's TravelAPI)."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import UNSET, SimulatedApi, listed, tool
from bai.envs.tools.simulated.travel_facts import AIRPORTS, CLASSES, RATES, fare
from bai.errors import ToolFault

__all__ = ["TravelApi"]

_SEED = 141053
"""What BFCL seeds the numbers of bookings, cards and tokens with; its gold calls name them."""

_TODAY = date(2026, 1, 1)
_NEW_CARD_BALANCE = 10_000.0
_DETAILS = ("travel_date", "travel_from", "travel_to", "travel_class", "travel_cost", "transaction_id")


class TravelApi(SimulatedApi):
    """One customer, whose access token opens bookings, cards and the budget.

    Numbers are drawn from a fixed seed, with as many digits as BFCL's: tokens 6, bookings 7, transactions 8, insurances
    9, cards 12. A booking or an insurance is paid from a card's balance, and cancelling gives the fare back; the
    budget limit is only kept. A new card holds 10,000 dollars. It is the first of January 2026.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "credit_card_list": {},
        "booking_record": {},
        "insurance_record": {},
        "access_token": None,
        "token_type": None,
        "token_expires_in": None,
        "token_scope": None,
        "user_first_name": None,
        "user_last_name": None,
        "budget_limit": None,
        "_drawn": [],
    }

    @tool
    def authenticate_travel(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        grant_type: str,
        user_first_name: str,
        user_last_name: str,
    ) -> Any:
        """Logs the customer in, with a new token."""
        listed(("read_write", "read", "write"), grant_type, "the grant type")
        if not all((client_id, client_secret, refresh_token)):
            raise ToolFault("expected a client id, a client secret and a refresh token")
        token = {"access_token": self._number(6), "token_type": "Bearer", "token_scope": grant_type}
        self.state |= {**token, "token_expires_in": 3600}
        self.state |= {"user_first_name": user_first_name, "user_last_name": user_last_name}
        return {"expires_in": 3600, "access_token": token["access_token"], "token_type": "Bearer", "scope": grant_type}

    @tool
    def travel_get_login_status(self) -> Any:
        """Says whether there is a token."""
        return {"status": bool(self.state["access_token"])}

    @tool
    def verify_traveler_information(
        self, first_name: str, last_name: str, date_of_birth: str, passport_number: str
    ) -> Any:
        """Holds a traveller's name, age and passport against the customer's."""
        reason = self._unverified(first_name, last_name, _day(date_of_birth), passport_number)
        return {"verification_status": not reason, "verification_failure": reason}

    @tool
    def list_all_airports(self) -> Any:
        """Lists the codes of all airports."""
        return {"airports": list(AIRPORTS.values())}

    @tool
    def get_nearest_airport_by_city(self, location: str) -> Any:
        """Gives the code of a city's airport."""
        return {"nearest_airport": AIRPORTS[listed(AIRPORTS, location, "the city")]}

    @tool
    def get_flight_cost(self, travel_from: str, travel_to: str, travel_date: str, travel_class: str) -> Any:
        """Gives the fare of a flight in dollars."""
        return {"travel_cost_list": [_fare(travel_from, travel_to, travel_date, travel_class)]}

    @tool
    def compute_exchange_rate(self, base_currency: str, target_currency: str, value: float) -> Any:
        """Converts money, to two decimal places."""
        base, target = (RATES[listed(RATES, name, "a currency")] for name in (base_currency, target_currency))
        return {"exchanged_value": round(value / base * target, 2)}

    @tool
    def set_budget_limit(self, access_token: str, budget_limit: float) -> Any:
        """Sets what the customer means to spend, in dollars."""
        self._check(access_token)
        if budget_limit < 0:
            raise ToolFault(f"expected a budget of at least 0; got {budget_limit}")
        self.state["budget_limit"] = float(budget_limit)
        return {"budget_limit": float(budget_limit)}

    @tool
    def get_budget_fiscal_year(self, lastModifiedAfter: str = UNSET, includeRemoved: str = UNSET) -> Any:
        """Tells the budget's fiscal year."""
        return {"budget_fiscal_year": str(_TODAY.year)}

    @tool
    def register_credit_card(
        self,
        access_token: str,
        card_number: str,
        expiration_date: str,
        cardholder_name: str,
        card_verification_number: int,
    ) -> Any:
        """Registers a card."""
        self._check(access_token)
        if not re.fullmatch(r"(0[1-9]|1[0-2])/\d{4}", expiration_date):
            raise ToolFault(f"expected an expiration date as MM/YYYY; got {expiration_date!r:.40}")
        card = {"card_number": card_number, "expiration_date": expiration_date, "cardholder_name": cardholder_name}
        card_id = self._number(12)
        verification = {"card_verification_number": card_verification_number}
        self.state["credit_card_list"][card_id] = {**card, **verification, "balance": _NEW_CARD_BALANCE}
        return {"card_id": card_id}

    @tool
    def get_all_credit_cards(self) -> Any:
        """Shows all cards."""
        return {"credit_card_list": self.state["credit_card_list"]}

    @tool
    def get_credit_card_balance(self, access_token: str, card_id: str) -> Any:
        """Tells a card's balance."""
        self._check(access_token)
        return {"card_balance": self._card(card_id)["balance"]}

    @tool
    def book_flight(
        self, access_token: str, card_id: str, travel_date: str, travel_from: str, travel_to: str, travel_class: str
    ) -> Any:
        """Books a flight and pays for it."""
        self._check(access_token)
        cost = _fare(travel_from, travel_to, travel_date, travel_class)
        self._pay(card_id, cost)
        booking_id, transaction_id = self._number(7), self._number(8)
        values = (travel_date, travel_from, travel_to, travel_class, cost, transaction_id)
        details = dict(zip(_DETAILS, values, strict=True))
        self.state["booking_record"][booking_id] = {"card_id": card_id, **details}
        shown = {"booking_id": booking_id, "transaction_id": transaction_id, "booking_status": True}
        return {**shown, "booking_history": {"booking_id": booking_id, **details}}

    @tool
    def cancel_booking(self, access_token: str, booking_id: str) -> Any:
        """Cancels a booking; the fare goes back to the card."""
        self._check(access_token)
        booking = self._booking(booking_id)
        card = self.state["credit_card_list"].get(booking.get("card_id"))
        if card is not None:
            card["balance"] = round(card["balance"] + booking["travel_cost"], 2)
        del self.state["booking_record"][booking_id]
        return {"cancel_status": True}

    @tool
    def get_booking_history(self, access_token: str) -> Any:
        """Shows all bookings."""
        self._check(access_token)
        return {"booking_history": self.state["booking_record"]}

    @tool
    def purchase_insurance(
        self, access_token: str, insurance_type: str, insurance_cost: float, booking_id: str, card_id: str
    ) -> Any:
        """Insures a booking and pays for it."""
        self._check(access_token)
        self._booking(booking_id)
        if insurance_cost < 0:
            raise ToolFault(f"expected a cost of at least 0; got {insurance_cost}")
        self._pay(card_id, insurance_cost)
        insurance = {"insurance_type": insurance_type, "insurance_cost": float(insurance_cost)}
        insurance_id = self._number(9)
        self.state["insurance_record"][insurance_id] = {"booking_id": booking_id, "card_id": card_id, **insurance}
        return {"insurance_id": insurance_id, "insurance_status": True}

    @tool
    def retrieve_invoice(self, access_token: str, booking_id: str = UNSET, insurance_id: str = UNSET) -> Any:
        """Shows the invoice of a booking, or of an insurance and the booking that it is for."""
        self._check(access_token)
        insurance: dict[str, Any] = {}
        if insurance_id != UNSET:
            if insurance_id not in self.state["insurance_record"]:
                raise ToolFault(f"there is no insurance {insurance_id!r:.80}")
            insurance = {"insurance_id": insurance_id, **self.state["insurance_record"][insurance_id]}
            booking_id = insurance["booking_id"] if booking_id == UNSET else booking_id
        details = self._booking(booking_id)
        return {"invoice": {**insurance, "booking_id": booking_id, **{name: details.get(name) for name in _DETAILS}}}

    @tool
    def contact_customer_support(self, booking_id: str, message: str) -> Any:
        """Tells customer support of a problem with a booking."""
        self._booking(booking_id)
        return {"customer_support_message": f"Your message about booking {booking_id} has reached us."}

    def _number(self, digits: int) -> str:
        """Draws a number of so many digits; what was drawn before is the whole state of the generator."""
        self.state["_drawn"].append(digits)
        generator = random.Random(_SEED)  # noqa: S311 - BFCL's numbers, which are no secrets
        return str([generator.randint(10 ** (count - 1), 10**count - 1) for count in self.state["_drawn"]][-1])

    def _check(self, access_token: str) -> None:
        if not access_token or access_token != self.state["access_token"]:
            raise ToolFault("the access token is not valid")

    def _card(self, card_id: str) -> dict[str, Any]:
        if card_id not in self.state["credit_card_list"]:
            raise ToolFault(f"there is no card {card_id!r:.80}")
        card: dict[str, Any] = self.state["credit_card_list"][card_id]
        return card

    def _pay(self, card_id: str, cost: float) -> None:
        card = self._card(card_id)
        if cost > card["balance"]:
            raise ToolFault(f"the card's balance is {card['balance']}; it does not cover {cost}")
        card["balance"] = round(card["balance"] - cost, 2)

    def _booking(self, booking_id: str) -> dict[str, Any]:
        if booking_id not in self.state["booking_record"]:
            raise ToolFault(f"there is no booking {booking_id!r:.80}")
        booking: dict[str, Any] = self.state["booking_record"][booking_id]
        return booking

    def _unverified(self, first_name: str, last_name: str, born: date, passport_number: str) -> str:
        if (first_name, last_name) != (self.state["user_first_name"], self.state["user_last_name"]):
            return "The name is not the customer's."
        age = _TODAY.year - born.year - ((_TODAY.month, _TODAY.day) < (born.month, born.day))
        if age < 18:
            return "The traveler is younger than 18."
        return "" if passport_number.strip() else "There is no passport number."


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ToolFault(f"expected a date as YYYY-MM-DD; got {text!r:.40}") from error


def _fare(travel_from: str, travel_to: str, travel_date: str, travel_class: str) -> float:
    codes = tuple(AIRPORTS.values())
    _day(travel_date)
    for code in (travel_from, travel_to):
        listed(codes, code, "an airport")
    if travel_from == travel_to:
        raise ToolFault("expected two different airports")
    return fare(travel_from, travel_to) * CLASSES[listed(CLASSES, travel_class, "the class")]
