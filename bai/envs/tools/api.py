"""A simulated API as a tool source: an object whose state is a plain value and whose methods are its tools."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from bai.envs.tools.base import ToolSource
from bai.errors import ConfigError

__all__ = ["ApiSource"]


class ApiSource(ToolSource):
    """Base of sources that run in this process on a state of JSON values, written by people whom we trust.

    A subclass declares :meth:`tools`, says in :meth:`_load` what state an episode starts in, and has a method for each
    tool, which takes its arguments by name, changes ``self.state`` and gives a JSON value or text. A method raises
    :class:`~bai.errors.ToolFault` to refuse; a call that failed leaves the state as it was.
    """

    def __init__(self) -> None:
        self.state: Any = None

    @abstractmethod
    def _load(self, setup: Any) -> Any:
        """Gives the first state. Raises ConfigError where the setup is none."""

    def _method(self, name: str) -> Callable[..., Any]:
        """Gives what answers a tool; a subclass may map names that are no identifiers."""
        method: Callable[..., Any] | None = getattr(self, name, None)
        if method is None:
            raise ConfigError(f"{type(self).__name__} declares the tool {name!r} and has no such method")
        return method

    def begin(self, setup: Any) -> None:
        self.state = copy.deepcopy(self._load(setup))

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        method, before = self._method(name), copy.deepcopy(self.state)
        try:
            result = method(**copy.deepcopy(dict(arguments)))
        except BaseException:
            self.state = before
            raise
        return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)

    def end_state(self) -> Any:
        return copy.deepcopy(self.state)

    def get_state(self) -> Any:
        return copy.deepcopy(self.state)

    def set_state(self, state: Any) -> None:
        self.state = copy.deepcopy(state)
