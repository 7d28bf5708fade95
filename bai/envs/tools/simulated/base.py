"""What the simulated APIs share: their tools are the methods marked as such, and some of their state is their own."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from bai.envs.tools.api import ApiSource
from bai.envs.tools.base import Tool
from bai.errors import ConfigError, ToolFault

__all__ = ["UNSET", "SimulatedApi", "listed", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

UNSET = "None"
"""What the function docs write for an optional text that was not given."""

_LARGEST = 10**15
"""Largest absolute value of a number that is worked with: below, doubles still count whole numbers."""

_SCHEMAS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list[str]: {"type": "array", "items": {"type": "string"}},
    list[float]: {"type": "array", "items": {"type": "number"}},
    dict[str, Any]: {"type": "object"},
}


def tool(method: F) -> F:
    """Marks a method as a tool: its name, the first line of its docstring and its signature are what is declared."""
    method.__dict__["is_tool"] = True
    return method


class SimulatedApi(ApiSource):
    """Base of the simulated APIs.

    A setup is an object with some of the attributes in ``DEFAULTS``; what it leaves out starts as there, what is in
    neither is passed over. Attributes whose names start with an underscore are the source's own: they fork with the
    rest, and :meth:`end_state` leaves them out.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    """The state that an empty setup leads to."""

    def tools(self) -> tuple[Tool, ...]:
        return _declared(type(self))

    def _method(self, name: str) -> Callable[..., Any]:
        if not any(declared.name == name for declared in self.tools()):
            raise ConfigError(f"{type(self).__name__} has no tool {name!r}")
        return super()._method(name)

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if not _ordinary(list(arguments.values())):
            raise ToolFault(f"expected numbers between -{_LARGEST:.0e} and {_LARGEST:.0e}", "bad_arguments")
        return super().call(name, {**arguments, **self._whole(name, arguments)})

    def _whole(self, name: str, arguments: Mapping[str, Any]) -> dict[str, int]:
        """Gives the integers among the arguments that came as numbers such as 5.0, which a schema takes for 5."""
        declared: Mapping[str, Any] = next(
            (tool.parameters["properties"] for tool in self.tools() if tool.name == name), {}
        )
        return {
            key: int(value)
            for key, value in arguments.items()
            if isinstance(value, float) and declared.get(key) == _SCHEMAS[int] and value.is_integer()
        }

    def _load(self, setup: Any) -> dict[str, Any]:
        if setup is not None and not isinstance(setup, Mapping):
            raise ConfigError(f"{type(self).__name__} begins with an object of attributes; got {type(setup).__name__}")
        try:
            known = {name: value for name, value in self._adapted(setup or {}).items() if name in self.DEFAULTS}
        except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(f"{type(self).__name__} cannot begin with {setup!r:.200}: {error!r}") from error
        return {**self.DEFAULTS, **known}

    def _adapted(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        """Gives a setup in the form that the state has."""
        return setup

    def end_state(self) -> Any:
        return {name: value for name, value in super().end_state().items() if not name.startswith("_")}


@functools.cache
def _declared(kind: type[SimulatedApi]) -> tuple[Tool, ...]:
    methods = inspect.getmembers(kind, lambda member: getattr(member, "is_tool", False))
    return tuple(_tool(name, method) for name, method in methods)


def _tool(name: str, method: Callable[..., Any]) -> Tool:
    types = typing.get_type_hints(method)
    parameters = [item for item in inspect.signature(method).parameters.values() if item.name != "self"]
    schema = {
        "type": "object",
        "properties": {item.name: _SCHEMAS[types[item.name]] for item in parameters},
        "required": [item.name for item in parameters if item.default is inspect.Parameter.empty],
        "additionalProperties": False,
    }
    lines = (inspect.getdoc(method) or "").splitlines()
    return Tool(name=name, description=lines[0] if lines else "", parameters=schema)


def _ordinary(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_ordinary, value.values()))
    if isinstance(value, list):
        return all(map(_ordinary, value))
    return not isinstance(value, (int, float)) or abs(value) <= _LARGEST


def listed(options: Mapping[str, Any] | tuple[str, ...], value: str, what: str) -> str:
    """Gives ``value`` where it is one of the options.

    Raises:
        ToolFault: It is none of them; the message lists them.
    """
    if value not in options:
        raise ToolFault(f"{what} is one of {', '.join(options)}; got {value!r:.80}")
    return value
