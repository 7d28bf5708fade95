"""An API of which the documentation is known and nothing else: it takes calls, and says that it is simulated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bai.envs.tools.api import ApiSource
from bai.envs.tools.base import Tool
from bai.errors import ConfigError
from bai.types import JSON

__all__ = ["AnsweredSource"]


class AnsweredSource(ApiSource):
    """Answers every call with what the episode's setup has for its function, or with an acknowledgement.

    The setup is ``{"answers": {function: {field: value}}}``. The answer to a call is ``{"simulated": true, "result":
    {field: value}}`` where the function is there, and otherwise ``{"simulated": true, "message": ...}``, which says
    that the call was taken and that there are no data. The end state is ``{"calls": [{"name", "arguments"}, ...]}``.

    Args:
        tools: The functions, each ``{"name", "description", "parameters"}``.

    Raises:
        ConfigError: A tool is not of this form.
    """

    def __init__(self, *, tools: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        try:
            self._tools = tuple(Tool.from_json(tool) for tool in tools)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"expected tools with name, description and parameters; got {tools!r:.200}") from error

    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    def _load(self, setup: Any) -> Any:
        match setup:
            case {"answers": dict(answers), **rest} if not rest:
                return {"answers": answers, "calls": []}
        raise ConfigError(f"expected {{'answers': {{function: result}}}} as the setup; got {setup!r:.200}")

    def end_state(self) -> Any:
        return {"calls": super().end_state()["calls"]}

    def _method(self, name: str) -> Callable[..., JSON]:
        return functools.partial(self._answer, name)

    def _answer(self, function: str, /, **arguments: Any) -> JSON:
        self.state["calls"].append({"name": function, "arguments": arguments})
        if function in self.state["answers"]:
            return {"simulated": True, "result": self.state["answers"][function]}
        return {"simulated": True, "message": f"{function} took the call; this API is simulated and has no data."}
