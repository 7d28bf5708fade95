"""What the travel agency knows: airports, classes, fares and rates.

The function docs name the cities and the currencies; what BFCL's gold calls imply holds here too (the first two and the
last airport, a fare of 400 dollars from SFO to LAX in business class, 0.8 euros for a dollar); the rest is decided.
"""

from __future__ import annotations

__all__ = ["AIRPORTS", "CLASSES", "RATES", "fare"]

AIRPORTS = {
    "Rivermist": "RMS",
    "Stonebrook": "SBK",
    "Maplecrest": "MPC",
    "Silverpine": "SVP",
    "Shadowridge": "SHR",
    "London": "LHR",
    "Paris": "CDG",
    "Sunset Valley": "SSV",
    "Oakendale": "OKD",
    "Willowbend": "WLB",
    "Crescent Hollow": "CRH",
    "Autumnville": "ATV",
    "Pinehaven": "PHV",
    "Greenfield": "GFD",
    "San Francisco": "SFO",
    "Los Angeles": "LAX",
    "New York": "JFK",
    "Chicago": "ORD",
    "Beijing": "PEK",
    "Hong Kong": "HKG",
    "Rome": "CIA",
    "Tokyo": "HND",
    "Boston": "BOS",
}
"""City to code, in the order in which they are listed."""

CLASSES = {"economy": 1.0, "business": 2.0, "first": 5.0}
"""Class to how many times the economy fare it costs."""

RATES = {
    "USD": 1.0,
    "RMB": 7.0,
    "EUR": 0.8,
    "GBP": 0.7,
    "JPY": 110.0,
    "CAD": 1.3,
    "AUD": 1.4,
    "INR": 70.0,
    "RUB": 60.0,
    "BRL": 5.0,
    "MXN": 20.0,
}
"""Currency to how much of it a dollar is."""

_IMPLIED = {
    frozenset({"SFO", "LAX"}): 200.0,
    frozenset({"LAX", "JFK"}): 1200.0,
    frozenset({"SFO", "CIA"}): 1400.0,
    frozenset({"RMS", "JFK"}): 420.0,
    frozenset({"JFK", "PEK"}): 280.0,
}


def fare(one: str, other: str) -> float:
    """Gives the economy fare between two airports, in dollars: what gold calls imply, else by places in the list."""
    places = list(AIRPORTS.values())
    return _IMPLIED.get(frozenset({one, other}), 100.0 + 20.0 * abs(places.index(one) - places.index(other)))
