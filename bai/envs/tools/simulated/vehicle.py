"""A car: doors, engine, fuel, climate, tyres and the way (BFCL's VehicleControlAPI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import SimulatedApi, listed, tool
from bai.errors import ToolFault

__all__ = ["VehicleApi"]

_TANK = 50.0
_MILES_PER_GALLON = 20.0
_LITERS_PER_GALLON = 3.78541
_GALLONS_PER_LITER = 0.264172
_BRAKE_FORCE = 1000.0
_PARKING_BRAKE_FORCE = 400.0
_OUTSIDE_CELSIUS = 35.0
_HEALTHY_PSI = (30.0, 35.0)
_TIRE_SHOP = "456 Oakwood Avenue, Rivermist, 83214"

_ZIPCODES = {
    "Rivermist": "83214",
    "Stonebrook": "74532",
    "Silverpine": "62947",
    "Oakendale": "47329",
    "Crescent Hollow": "69238",
    "Autumnville": "51479",
    "San Francisco": "94016",
}
_KILOMETERS = {
    frozenset({"94016", "83214"}): 980.0,
    frozenset({"83214", "74532"}): 750.0,
    frozenset({"69238", "51479"}): 630.0,
    frozenset({"94016", "62947"}): 780.0,
    frozenset({"94016", "74532"}): 880.0,
    frozenset({"62947", "47329"}): 1050.0,
}


class VehicleApi(SimulatedApi):
    """The engine starts with all doors locked, the brake pedal pressed to the floor and fuel in the tank.

    Forces, the slope and the speed are not part of the end state. The car stands: only cruise control gives it a
    speed. Headlights on ``auto`` are off, for it is day; it is hot outside, whoever is asked.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "fuelLevel": 0.0,
        "batteryVoltage": 12.6,
        "engineState": "stopped",
        "doorStatus": dict.fromkeys(("driver", "passenger", "rear_left", "rear_right"), "unlocked"),
        "acTemperature": 25.0,
        "fanSpeed": 50,
        "acMode": "auto",
        "humidityLevel": 50.0,
        "headLightStatus": "off",
        "parkingBrakeStatus": "released",
        "brakePedalStatus": "released",
        "distanceToNextVehicle": 50.0,
        "cruiseStatus": "inactive",
        "destination": "None",
        "frontLeftTirePressure": 32.0,
        "frontRightTirePressure": 32.0,
        "rearLeftTirePressure": 30.0,
        "rearRightTirePressure": 30.0,
        "_parkingBrakeForce": 0.0,
        "_slopeAngle": 0.0,
        "_brakePedalForce": 0.0,
        "_speed": 0.0,
    }

    def _adapted(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {f"_{name}": setup[name] for name in ("parkingBrakeForce", "slopeAngle") if name in setup}
        return {**setup, **own}

    @tool
    def startEngine(self, ignitionMode: str) -> Any:  # noqa: N802 - BFCL's names
        """Starts or stops the engine."""
        if listed(("START", "STOP"), ignitionMode, "the ignition mode") == "STOP":
            self.state |= {"engineState": "stopped", "cruiseStatus": "inactive", "_speed": 0.0}
        else:
            self._start()
        return {name: self.state[name] for name in ("engineState", "fuelLevel", "batteryVoltage")}

    @tool
    def fillFuelTank(self, fuelAmount: float) -> Any:  # noqa: N802
        """Adds gallons to the tank, which holds 50."""
        level = round(self.state["fuelLevel"] + fuelAmount, 6)
        if fuelAmount < 0 or level > _TANK:
            raise ToolFault(f"the tank holds {_TANK} gallons and has {self.state['fuelLevel']}; got {fuelAmount} more")
        self.state["fuelLevel"] = level
        return {"fuelLevel": level}

    @tool
    def lockDoors(self, unlock: bool, door: list[str]) -> Any:  # noqa: N802
        """Locks or unlocks doors."""
        doors, status = self.state["doorStatus"], "unlocked" if unlock else "locked"
        for name in door:
            doors[listed(doors, name, "a door")] = status
        return {"lockStatus": status, "remainingUnlockedDoors": self._open_doors()}

    @tool
    def pressBrakePedal(self, pedalPosition: float) -> Any:  # noqa: N802
        """Presses the brake pedal, from 0 to 1, and keeps it there."""
        if not 0 <= pedalPosition <= 1:
            raise ToolFault(f"expected a position from 0 to 1; got {pedalPosition}")
        return self._brake("pressed" if pedalPosition else "released", _BRAKE_FORCE * pedalPosition)

    @tool
    def releaseBrakePedal(self) -> Any:  # noqa: N802
        """Releases the brake pedal."""
        return self._brake("released", 0.0)

    @tool
    def activateParkingBrake(self, mode: str) -> Any:  # noqa: N802
        """Engages or releases the parking brake."""
        engaged = listed(("engage", "release"), mode, "the mode") == "engage"
        self.state["parkingBrakeStatus"] = "engaged" if engaged else "released"
        self.state["_parkingBrakeForce"] = _PARKING_BRAKE_FORCE if engaged else 0.0
        return {name: self.state[name] for name in ("parkingBrakeStatus", "_parkingBrakeForce", "_slopeAngle")}

    @tool
    def setCruiseControl(self, speed: float, activate: bool, distanceToNextVehicle: float) -> Any:  # noqa: N802
        """Switches cruise control."""
        if activate and self.state["engineState"] != "running":
            raise ToolFault("cruise control needs a running engine")
        if not 0 <= speed <= 120 or speed % 5:
            raise ToolFault(f"expected a speed from 0 to 120 that is a multiple of 5; got {speed}")
        self.state["cruiseStatus"] = "active" if activate else "inactive"
        self.state["distanceToNextVehicle"] = float(distanceToNextVehicle)
        self.state["_speed"] = float(speed) if activate else 0.0
        shown = {name: self.state[name] for name in ("cruiseStatus", "distanceToNextVehicle")}
        return {**shown, "currentSpeed": self.state["_speed"]}

    @tool
    def get_current_speed(self) -> Any:
        """Tells the speed."""
        return {"currentSpeed": self.state["_speed"]}

    @tool
    def setHeadlights(self, mode: str) -> Any:  # noqa: N802
        """Switches the headlights."""
        self.state["headLightStatus"] = "on" if listed(("on", "off", "auto"), mode, "the mode") == "on" else "off"
        return {"headlightStatus": self.state["headLightStatus"]}

    @tool
    def adjustClimateControl(  # noqa: N802
        self,
        temperature: float,
        unit: str = "celsius",
        fanSpeed: int = 50,
        mode: str = "auto",
    ) -> Any:
        """Sets temperature, fan and mode of the climate control."""
        if listed(("celsius", "fahrenheit"), unit, "the unit") == "fahrenheit":
            temperature = round((temperature - 32) * 5 / 9, 2)
        if not 0 <= fanSpeed <= 100:
            raise ToolFault(f"expected a fan speed from 0 to 100; got {fanSpeed}")
        listed(("auto", "cool", "heat", "defrost"), mode, "the mode")
        self.state |= {"acTemperature": float(temperature), "fanSpeed": fanSpeed, "acMode": mode}
        shown = {"currentTemperature": float(temperature), "climateMode": mode}
        return {**shown, "humidityLevel": self.state["humidityLevel"]}

    @tool
    def displayCarStatus(self, option: str) -> Any:  # noqa: N802
        """Shows one part of the car."""
        shown = self._status()
        return {"status": shown[listed(shown, option, "the option")]}

    @tool
    def display_log(self, messages: list[str]) -> Any:
        """Shows messages."""
        return {"log": messages}

    @tool
    def check_tire_pressure(self) -> Any:
        """Shows the pressure of all tyres, in psi; healthy is a mean from 30 to 35."""
        corners = ("frontLeft", "frontRight", "rearLeft", "rearRight")
        found = {f"{corner}TirePressure": self.state[f"{corner}TirePressure"] for corner in corners}
        healthy = _HEALTHY_PSI[0] <= sum(found.values()) / len(found) <= _HEALTHY_PSI[1]
        return {"tirePressure": {**found, "healthy_tire_pressure": healthy, "car_info": {}}}

    @tool
    def find_nearest_tire_shop(self) -> Any:
        """Tells where the nearest tyre shop is."""
        return {"shopLocation": _TIRE_SHOP}

    @tool
    def set_navigation(self, destination: str) -> Any:
        """Sets where to go."""
        self.state["destination"] = destination
        return {"status": f"Navigating to {destination}"}

    @tool
    def get_zipcode_based_on_city(self, city: str) -> Any:
        """Gives the zip code of a city."""
        return {"zipcode": _ZIPCODES[listed(_ZIPCODES, city, "a city with a known zip code")]}

    @tool
    def estimate_distance(self, cityA: str, cityB: str) -> Any:
        """Gives the distance between two zip codes."""
        way = frozenset({cityA, cityB})
        if way not in _KILOMETERS:
            raise ToolFault(f"the distance from {cityA!r:.40} to {cityB!r:.40} is not known; expected zip codes")
        return {"distance": _KILOMETERS[way], "intermediaryCities": []}

    @tool
    def estimate_drive_feasibility_by_mileage(self, distance: float) -> Any:
        """Says whether the fuel is enough for a distance, at 20 to the gallon."""
        return {"canDrive": self.state["fuelLevel"] * _MILES_PER_GALLON >= distance}

    @tool
    def gallon_to_liter(self, gallon: float) -> Any:
        """Converts gallons to litres."""
        return {"liter": gallon * _LITERS_PER_GALLON}

    @tool
    def liter_to_gallon(self, liter: float) -> Any:
        """Converts litres to gallons."""
        return {"gallon": liter * _GALLONS_PER_LITER}

    @tool
    def get_outside_temperature_from_google(self) -> Any:
        """Tells the temperature outside."""
        return {"outsideTemperature": _OUTSIDE_CELSIUS}

    @tool
    def get_outside_temperature_from_weather_com(self) -> Any:
        """Tells the temperature outside."""
        return {"outsideTemperature": _OUTSIDE_CELSIUS}

    def _open_doors(self) -> int:
        return sum(status == "unlocked" for status in self.state["doorStatus"].values())

    def _brake(self, status: str, force: float) -> Any:
        self.state |= {"brakePedalStatus": status, "_brakePedalForce": force}
        return {"brakePedalStatus": status, "brakePedalForce": force}

    def _start(self) -> None:
        if self.state["engineState"] == "running":
            raise ToolFault("the engine runs already")
        if self._open_doors():
            raise ToolFault(f"all doors must be locked; {self._open_doors()} are not")
        if self.state["_brakePedalForce"] < _BRAKE_FORCE:
            raise ToolFault("the brake pedal must be fully pressed")
        if self.state["fuelLevel"] <= 0:
            raise ToolFault("the tank is empty")
        self.state["engineState"] = "running"

    def _status(self) -> dict[str, dict[str, Any]]:
        state = self.state
        climate = {"currentACTemperature": state["acTemperature"], "fanSpeed": state["fanSpeed"]}
        climate |= {"climateMode": state["acMode"], "humidityLevel": state["humidityLevel"]}
        brake = {"parkingBrakeStatus": state["parkingBrakeStatus"], "parkingBrakeForce": state["_parkingBrakeForce"]}
        pedal = {"brakePedalStatus": state["brakePedalStatus"], "brakePedalForce": state["_brakePedalForce"]}
        return {
            "fuel": {"fuelLevel": state["fuelLevel"]},
            "battery": {"batteryVoltage": state["batteryVoltage"]},
            "doors": {"doorStatus": state["doorStatus"]},
            "climate": climate,
            "headlights": {"headlightStatus": state["headLightStatus"]},
            "parkingBrake": {**brake, "slopeAngle": state["_slopeAngle"]},
            "brakePedal": pedal,
            "engine": {"engineState": state["engineState"]},
        }
