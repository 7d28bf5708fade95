"""BFCL's car."""

from __future__ import annotations

from typing import Any

import pytest

from bai.errors import ToolFault

DOORS = ["driver", "passenger", "rear_left", "rear_right"]
SETUP = {"fuelLevel": 10.0, "doorStatus": dict.fromkeys(DOORS, "unlocked"), "slopeAngle": 3.0}


@pytest.fixture
def car(start: Any) -> Any:
    return start("bfcl_vehicle", SETUP)[1]


def ready(car: Any) -> None:
    car("lockDoors", unlock=False, door=DOORS)
    car("pressBrakePedal", pedalPosition=1.0)


def test_the_engine_starts_when_all_is_ready(car: Any) -> None:
    """Doors locked, pedal down, fuel in the tank; each of these lacking is named."""
    with pytest.raises(ToolFault, match="doors"):
        car("startEngine", ignitionMode="START")
    assert car("lockDoors", unlock=False, door=DOORS) == {"lockStatus": "locked", "remainingUnlockedDoors": 0}
    car("pressBrakePedal", pedalPosition=0.5)
    with pytest.raises(ToolFault, match="pedal"):
        car("startEngine", ignitionMode="START")
    assert car("pressBrakePedal", pedalPosition=1) == {"brakePedalStatus": "pressed", "brakePedalForce": 1000.0}
    assert car("startEngine", ignitionMode="START")["engineState"] == "running"
    with pytest.raises(ToolFault, match="already"):
        car("startEngine", ignitionMode="START")
    assert car("startEngine", ignitionMode="STOP")["engineState"] == "stopped"


def test_an_empty_tank_does_not_start(start: Any) -> None:
    """Fuel is filled up to 50 gallons."""
    car = start("bfcl_vehicle", {**SETUP, "fuelLevel": 0.0})[1]
    ready(car)
    with pytest.raises(ToolFault, match="empty"):
        car("startEngine", ignitionMode="START")
    assert car("fillFuelTank", fuelAmount=50) == {"fuelLevel": 50.0}
    for amount in (0.1, -1):
        with pytest.raises(ToolFault, match="holds"):
            car("fillFuelTank", fuelAmount=amount)


def test_cruise_control_needs_the_engine(car: Any) -> None:
    """Its speed is a multiple of 5 up to 120, and it is the car's."""
    cruise = {"speed": 65, "activate": True, "distanceToNextVehicle": 100}
    with pytest.raises(ToolFault, match="running"):
        car("setCruiseControl", **cruise)
    ready(car)
    car("startEngine", ignitionMode="START")
    for speed in (66, 125, -5):
        with pytest.raises(ToolFault, match="multiple"):
            car("setCruiseControl", **{**cruise, "speed": speed})
    assert car("setCruiseControl", **cruise)["cruiseStatus"] == "active"
    assert car("get_current_speed") == {"currentSpeed": 65.0}
    car("startEngine", ignitionMode="STOP")
    assert car("get_current_speed") == {"currentSpeed": 0.0}


def test_every_part_is_shown(car: Any) -> None:
    """What was set is what is shown."""
    car("adjustClimateControl", temperature=68, unit="fahrenheit", fanSpeed=70, mode="cool")
    car("setHeadlights", mode="on")
    car("activateParkingBrake", mode="engage")
    shown = {
        "fuel": {"fuelLevel": 10.0},
        "battery": {"batteryVoltage": 12.6},
        "doors": {"doorStatus": SETUP["doorStatus"]},
        "climate": {"currentACTemperature": 20.0, "fanSpeed": 70, "climateMode": "cool", "humidityLevel": 50.0},
        "headlights": {"headlightStatus": "on"},
        "parkingBrake": {"parkingBrakeStatus": "engaged", "parkingBrakeForce": 400.0, "slopeAngle": 3.0},
        "brakePedal": {"brakePedalStatus": "released", "brakePedalForce": 0.0},
        "engine": {"engineState": "stopped"},
    }
    assert {option: car("displayCarStatus", option=option)["status"] for option in shown} == shown
    assert car("releaseBrakePedal")["brakePedalStatus"] == "released"
    assert car("setHeadlights", mode="auto") == {"headlightStatus": "off"}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("startEngine", {"ignitionMode": "GO"}),
        ("lockDoors", {"unlock": True, "door": ["driver", "trunk"]}),
        ("pressBrakePedal", {"pedalPosition": 1.1}),
        ("activateParkingBrake", {"mode": "on"}),
        ("adjustClimateControl", {"temperature": 20, "fanSpeed": 101}),
        ("adjustClimateControl", {"temperature": 20, "unit": "kelvin"}),
        ("displayCarStatus", {"option": "radio"}),
        ("setHeadlights", {"mode": "dim"}),
        ("get_zipcode_based_on_city", {"city": "Atlantis"}),
        ("estimate_distance", {"cityA": "Rivermist", "cityB": "San Francisco"}),
    ],
)
def test_what_a_car_cannot_do_is_refused(tool: str, arguments: dict[str, Any], start: Any) -> None:
    """And leaves every part as it was, doors too."""
    source, car = start("bfcl_vehicle", SETUP)
    before = source.get_state()
    with pytest.raises(ToolFault):
        car(tool, **arguments)
    assert source.get_state() == before


def test_the_way_is_found(car: Any) -> None:
    """Zip codes, distances both ways, fuel for them, and units."""
    one, other = (car("get_zipcode_based_on_city", city=city)["zipcode"] for city in ("San Francisco", "Rivermist"))
    for pair in ({"cityA": one, "cityB": other}, {"cityA": other, "cityB": one}):
        assert car("estimate_distance", **pair)["distance"] == 980.0
    far = [car("estimate_drive_feasibility_by_mileage", distance=miles)["canDrive"] for miles in (200, 201)]
    assert far == [True, False]
    assert car("gallon_to_liter", gallon=10)["liter"] == pytest.approx(37.8541)
    assert car("liter_to_gallon", liter=166)["gallon"] == pytest.approx(43.85, abs=0.005)
    assert car("set_navigation", destination="X") == {"status": "Navigating to X"}
    assert car("find_nearest_tire_shop")["shopLocation"].endswith("Rivermist, 83214")
    assert car("display_log", messages=["a"]) == {"log": ["a"]}


def test_tyres_and_weather(start: Any) -> None:
    """Healthy is a mean from 30 to 35; both reports say the same."""
    corners = ("frontLeft", "frontRight", "rearLeft", "rearRight")
    for pressure, healthy in ((29.0, False), (32.0, True), (36.0, False)):
        car = start("bfcl_vehicle", {f"{corner}TirePressure": pressure for corner in corners})[1]
        assert car("check_tire_pressure")["tirePressure"]["healthy_tire_pressure"] is healthy
    assert car("get_outside_temperature_from_google") == car("get_outside_temperature_from_weather_com")
