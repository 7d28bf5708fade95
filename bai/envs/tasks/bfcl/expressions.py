"""Reading calls that are written in Python, without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from bai.envs.tools.base import ToolCall
from bai.errors import ConfigError

__all__ = ["read_call"]


def read_call(text: str, parameters: Mapping[str, Sequence[str]]) -> ToolCall:
    """Reads ``name(1, key="text")``: one call of a known name, whose arguments are literals.

    Args:
        text: The call.
        parameters: Function to the names of its parameters, in order; for arguments given by place.

    Raises:
        ConfigError: It is anything else; the message says what.
    """
    call = _parsed(text)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ConfigError(f"expected a call such as name(key=1); got {text!r:.200}")
    name = call.func.id
    if name not in parameters:
        raise ConfigError(f"{text!r:.200} calls {name!r}; known are {', '.join(parameters)}")
    if len(call.args) > len(parameters[name]):
        raise ConfigError(f"{text!r:.200} has {len(call.args)} arguments by place; {name!r} takes {parameters[name]}")
    pairs = [*zip(parameters[name], call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
    names = [key for key, _ in pairs]
    if None in names or len(set(names)) != len(names):
        raise ConfigError(f"{text!r:.200} unpacks an argument, or gives one twice")
    return ToolCall(name=name, arguments={str(key): _literal(value, text) for key, value in pairs})


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"expected one expression in Python; got {text!r:.200}: {error}") from error


def _literal(node: ast.expr, text: str) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ConfigError(f"expected literals as arguments in {text!r:.200}: {error}") from error
