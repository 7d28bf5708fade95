"""BFCL's travel agency."""

from __future__ import annotations

from typing import Any

import pytest

from bai.envs.tools.simulated.travel_facts import AIRPORTS, RATES, fare
from bai.errors import ToolFault

SETUP = {
    "credit_card_list": {"c1": {"balance": 1000.0}},
    "booking_record": {"b1": {"flight_number": "X1"}},
    "access_token": "token",
    "user_first_name": "Ann",
    "user_last_name": "Lee",
    "budget_limit": 5.0,
}
FLIGHT = {"travel_date": "2026-11-10", "travel_from": "SFO", "travel_to": "LAX", "travel_class": "business"}
MINE = {"access_token": "token", "card_id": "c1"}


def test_a_booking_is_paid_shown_and_given_back(start: Any) -> None:
    """Its numbers are BFCL's; the invoice holds what was paid, and a cancelled one is gone."""
    source, call = start("bfcl_travel", SETUP)
    before = source.end_state()
    assert call("get_flight_cost", **FLIGHT) == {"travel_cost_list": [400.0]}
    booked = call("book_flight", **MINE, **FLIGHT)
    assert (booked["booking_id"], booked["transaction_id"]) == ("3426812", "45451592")
    assert call("get_credit_card_balance", **MINE) == {"card_balance": 600.0}
    invoice = call("retrieve_invoice", access_token="token", booking_id="3426812")["invoice"]
    assert invoice == {"booking_id": "3426812", **FLIGHT, "travel_cost": 400.0, "transaction_id": "45451592"}
    assert list(call("get_booking_history", access_token="token")["booking_history"]) == ["b1", "3426812"]
    assert call("cancel_booking", access_token="token", booking_id="3426812") == {"cancel_status": True}
    assert source.end_state() == before
    with pytest.raises(ToolFault, match="no booking"):
        call("cancel_booking", access_token="token", booking_id="3426812")


def test_numbers_go_on_where_a_fork_was_made(start: Any) -> None:
    """What was drawn is part of the state: both branches book the same next number."""
    source, call = start("bfcl_travel", SETUP)
    call("book_flight", **MINE, **FLIGHT)
    saved = source.get_state()
    first = call("book_flight", **MINE, **FLIGHT)
    source.set_state(saved)
    assert call("book_flight", **MINE, **FLIGHT) == first
    assert first["booking_id"] != "3426812"


def test_insurance_is_for_a_booking(start: Any) -> None:
    """It costs its price and stands in an invoice of its own, with the booking."""
    call = start("bfcl_travel", SETUP)[1]
    call("book_flight", **MINE, **FLIGHT)
    bought = call("purchase_insurance", **MINE, insurance_type="full", insurance_cost=50, booking_id="3426812")
    assert bought == {"insurance_id": "498276044", "insurance_status": True}
    assert call("get_all_credit_cards")["credit_card_list"]["c1"]["balance"] == 550.0
    invoice = call("retrieve_invoice", access_token="token", insurance_id="498276044")["invoice"]
    assert (invoice["insurance_cost"], invoice["travel_cost"]) == (50.0, 400.0)
    assert "b1" in call("contact_customer_support", booking_id="b1", message="help")["customer_support_message"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("book_flight", {**MINE, **FLIGHT, "access_token": "other"}),
        ("book_flight", {**MINE, **FLIGHT, "card_id": "c2"}),
        ("book_flight", {**MINE, **FLIGHT, "travel_to": "CIA", "travel_class": "first"}),
        ("book_flight", {**MINE, **FLIGHT, "travel_to": "Los Angeles"}),
        ("book_flight", {**MINE, **FLIGHT, "travel_to": "SFO"}),
        ("book_flight", {**MINE, **FLIGHT, "travel_class": "cargo"}),
        ("book_flight", {**MINE, **FLIGHT, "travel_date": "tomorrow"}),
        ("purchase_insurance", {**MINE, "insurance_type": "x", "insurance_cost": 1, "booking_id": "no"}),
        ("purchase_insurance", {**MINE, "insurance_type": "x", "insurance_cost": -1, "booking_id": "b1"}),
        ("retrieve_invoice", {"access_token": "token"}),
        ("retrieve_invoice", {"access_token": "token", "insurance_id": "1"}),
        ("set_budget_limit", {"access_token": "token", "budget_limit": -1}),
        ("contact_customer_support", {"booking_id": "no", "message": "x"}),
        ("get_nearest_airport_by_city", {"location": "Atlantis"}),
        ("compute_exchange_rate", {"base_currency": "USD", "target_currency": "XXX", "value": 1}),
    ],
)
def test_what_cannot_be_done_is_refused(tool: str, arguments: dict[str, Any], start: Any) -> None:
    """And nothing is paid, drawn or written down."""
    source, call = start("bfcl_travel", SETUP)
    before = source.get_state()
    with pytest.raises(ToolFault):
        call(tool, **arguments)
    assert source.get_state() == before


def test_a_login_gives_a_token_and_a_card_can_be_registered(start: Any) -> None:
    """The numbers are those that BFCL's gold calls name after a login."""
    call = start("bfcl_travel", {**SETUP, "access_token": None})[1]
    assert call("travel_get_login_status") == {"status": False}
    login = {"client_id": "i", "client_secret": "s", "refresh_token": "r", "grant_type": "read"}
    told = call("authenticate_travel", **login, user_first_name="Ann", user_last_name="Lee")
    assert told == {"expires_in": 3600, "access_token": "251675", "token_type": "Bearer", "scope": "read"}
    card = {"card_number": "1", "cardholder_name": "Ann Lee", "card_verification_number": 1}
    for date in ("1/2026", "13/2026", "2026"):
        with pytest.raises(ToolFault, match="MM/YYYY"):
            call("register_credit_card", access_token="251675", expiration_date=date, **card)
    made = call("register_credit_card", access_token="251675", expiration_date="01/2027", **card)
    assert made == {"card_id": "391310425148"}
    for bad in ({"grant_type": "all"}, {"client_id": ""}):
        with pytest.raises(ToolFault):
            call("authenticate_travel", **{**login, **bad}, user_first_name="A", user_last_name="L")


@pytest.mark.parametrize(
    ("changed", "right"),
    [
        ({}, True),
        ({"first_name": "Bob"}, False),
        ({"date_of_birth": "2008-01-02"}, False),
        ({"date_of_birth": "2008-01-01"}, True),
        ({"passport_number": " "}, False),
    ],
)
def test_a_traveller_is_the_customer_of_age_with_a_passport(changed: dict[str, str], right: bool, start: Any) -> None:
    """It is the first of January 2026."""
    given = {"first_name": "Ann", "last_name": "Lee", "date_of_birth": "1990-05-01", "passport_number": "P1"}
    told = start("bfcl_travel", SETUP)[1]("verify_traveler_information", **{**given, **changed})
    assert (told["verification_status"], not told["verification_failure"]) == (right, right)


def test_the_facts_hang_together(start: Any) -> None:
    """Fares are the same both ways and above zero; money converted and back is the same to a cent."""
    call = start("bfcl_travel", SETUP)[1]
    codes = call("list_all_airports")["airports"]
    assert (codes[0], codes[1], codes[-1]) == ("RMS", "SBK", "BOS")
    assert [call("get_nearest_airport_by_city", location=city)["nearest_airport"] for city in AIRPORTS] == codes
    assert all(fare(one, other) == fare(other, one) > 0 for one in codes for other in codes)
    for name in RATES:
        there = call("compute_exchange_rate", base_currency="USD", target_currency=name, value=100)["exchanged_value"]
        back = call("compute_exchange_rate", base_currency=name, target_currency="USD", value=there)
        assert back["exchanged_value"] == pytest.approx(100, abs=0.01)
    assert call("set_budget_limit", access_token="token", budget_limit=5) == {"budget_limit": 5.0}
    assert call("get_budget_fiscal_year") == {"budget_fiscal_year": "2026"}
