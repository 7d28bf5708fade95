"""Names of tool sources, so that a task says in plain JSON what answers its calls."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from bai.envs.tools.base import ToolSource
from bai.errors import ConfigError

__all__ = ["SOURCES", "make_source"]

SOURCES: dict[str, str] = {
    "sqlite": "bai.envs.tools.sqlite:SQLiteSource",
    "postgres": "bai.envs.tools.postgres:PostgresSource",
    "redis": "bai.envs.tools.redis:RedisSource",
    "files": "bai.envs.tools.files:FilesSource",
    "calculator": "bai.envs.tools.calculator:CalculatorSource",
    "answered": "bai.envs.tools.answered:AnsweredSource",
    "retail": "bai.envs.tools.retail:RetailSource",
    "mcp": "bai.envs.tools.mcp:MCPSource",
    "bfcl_file_system": "bai.envs.tools.simulated.file_system:FileSystemApi",
    "bfcl_math": "bai.envs.tools.simulated.mathematics:MathApi",
    "bfcl_messages": "bai.envs.tools.simulated.messages:MessageApi",
    "bfcl_posting": "bai.envs.tools.simulated.posting:PostingApi",
    "bfcl_tickets": "bai.envs.tools.simulated.tickets:TicketApi",
    "bfcl_trading": "bai.envs.tools.simulated.trading:TradingApi",
    "bfcl_travel": "bai.envs.tools.simulated.travel:TravelApi",
    "bfcl_vehicle": "bai.envs.tools.simulated.vehicle:VehicleApi",
}
"""Name to module and class; imported when one is made."""


def make_source(name: str, settings: Mapping[str, Any] | None = None) -> ToolSource:
    """Makes a source; nothing is started yet.

    Raises:
        ConfigError: There is none of this name, or it does not know a setting.
        MissingDependency: A library that it needs is absent.
    """
    kind = _find(name)
    try:
        return kind(**dict(settings or {}))
    except TypeError as error:
        raise ConfigError(f"tool source {name!r} cannot be made with {sorted(settings or {})}: {error}") from error


@functools.cache
def _find(name: str) -> type[ToolSource]:
    if name not in SOURCES:
        raise ConfigError(f"there is no tool source {name!r}; there are {', '.join(sorted(SOURCES))}")
    module, _, attribute = SOURCES[name].partition(":")
    kind: type[ToolSource] = getattr(import_module(module), attribute)
    return kind
