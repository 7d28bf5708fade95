"""BFCL's rules for whether calls are the wanted ones (its AST check of Python calls), on JSON values.

A wanted call names, for each parameter, all values that are right; ``""`` among them says that the parameter may be
left out. The rules, from gorilla's ``bfcl_eval/eval_checker/ast_eval/ast_checker.py``:

- The name is equal, required parameters are given, and no parameter is given that the function or the answer lacks.
- The type is exact (``true`` is no integer), except that a whole number stands for a float; items of an array are
  checked one level deep. A value of another type is right only where the allowed values are of that type too.
- Texts are compared without regard to case, spaces, and the signs ``,./-_*^``, and ``'`` is ``"``; so are texts in an
  array and in an object, one level deep. Everything else is compared exactly.
- The values of an object are themselves lists of right values; an array of objects is compared in order.
- Calls come in any order, each wanted one once, and no more.

One thing differs: BFCL gives each wanted call the first made one that fits, and we look for an assignment of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bai.envs.grading.tools.compare import paired
from bai.envs.tasks.bfcl.schema import OPTIONAL, TYPES
from bai.envs.tools.base import ToolCall

__all__ = ["WantedCall", "allows", "argument_share", "fits", "mismatch"]

_WHOLE = 2**1000
"""Whole numbers below this have a float."""

_DROPPED = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})


@dataclass(frozen=True, kw_only=True)
class WantedCall:
    """A call that is wanted."""

    name: str
    """The function."""
    allowed: Mapping[str, Sequence[Any]]
    """Parameter to its right values."""
    properties: Mapping[str, Mapping[str, Any]]
    """Parameter to its declaration, with BFCL's types."""
    required: Sequence[str] = ()
    """Parameters that the function asks for, whatever the answer says."""


def fits(call: ToolCall, wanted: WantedCall) -> bool:
    """Whether a call is the wanted one."""
    given = call.arguments
    if call.name != wanted.name or any(name not in given for name in wanted.required):
        return False
    if any(name not in given and OPTIONAL not in values for name, values in wanted.allowed.items()):
        return False
    return all(_argument_fits(name, value, wanted) for name, value in given.items())


def mismatch(calls: Sequence[ToolCall], wanted: Sequence[WantedCall]) -> str | None:
    """Says what is wrong with some calls, without a right value in it; None where they are the wanted ones."""
    if len(calls) != len(wanted):
        return f"{len(calls)} calls were made, and {len(wanted)} are wanted"
    served = set(paired([[index for index, call in enumerate(calls) if fits(call, want)] for want in wanted]).values())
    missing = [want for index, want in enumerate(wanted) if index not in served]
    return f"no call is the one that is wanted of {missing[0].name!r}" if missing else None


def argument_share(calls: Sequence[ToolCall], wanted: Sequence[WantedCall]) -> float:
    """Gives the share of the wanted calls' arguments that were given with a right value, in [0, 1].

    Each wanted call is held against the call of its name that is left and has most of them right. Arguments that may be
    left out count where they were given. Without any argument to count it is whether every wanted call has its own.
    """
    left, right, total = list(calls), 0, 0
    for want in wanted:
        named = [call for call in left if call.name == want.name]
        best = max(named, key=lambda call: _right(call, want), default=None)
        given = {} if best is None else best.arguments
        counted = [name for name, values in want.allowed.items() if name in given or OPTIONAL not in values]
        right, total = right + (0 if best is None else _right(best, want)), total + len(counted)
        if best is not None:
            left.remove(best)
    return right / total if total else float(len(calls) - len(left) == len(wanted))


def allows(value: Any, allowed: Sequence[Any], declared: Mapping[str, Any]) -> bool:
    """Whether a value is a right one for a parameter that is declared so."""
    kind, first, came = TYPES[declared["type"]], _first(allowed), type(value)
    plainly = first != OPTIONAL and type(first) is not kind
    if kind is float and came is int and abs(value) < _WHOLE:
        value, came = float(value), float
    if came is not kind:
        return plainly and came is type(first) and value in allowed
    item = TYPES[declared["items"]["type"]] if kind is list and "items" in declared else None
    if item and not any(_items_fit(value, answer, item) for answer in allowed):
        return False
    if plainly:
        return value in allowed
    if kind is dict:
        return any(_object_fits(value, answer) for answer in allowed if answer != OPTIONAL)
    if item is dict:
        return any(_objects_fit(value, list(answer)) for answer in allowed)
    return _standard(value) in [_standard(list(answer) if kind is list else answer) for answer in allowed]


def _argument_fits(name: str, value: Any, wanted: WantedCall) -> bool:
    known = name in wanted.properties and name in wanted.allowed
    return known and allows(value, wanted.allowed[name], wanted.properties[name])


def _right(call: ToolCall, wanted: WantedCall) -> int:
    return sum(_argument_fits(name, value, wanted) for name, value in call.arguments.items())


def _first(allowed: Sequence[Any]) -> Any:
    """Gives the first right value, which tells their type; ``""`` where there is none."""
    return next((answer for answer in allowed if answer != OPTIONAL), OPTIONAL)


def _items_fit(value: list[Any], answer: Any, item: type) -> bool:
    """Whether items are of the declared type, or of that of this answer's items."""
    if not isinstance(answer, list):
        return True
    kinds = {item, type(_first(answer))} if _first(answer) != OPTIONAL else {item}
    return all(type(element) in kinds for element in value)


def _object_fits(value: Mapping[str, Any], answer: Mapping[str, Sequence[Any]]) -> bool:
    given = all(
        name in answer and _text(element) in [_text(right) for right in answer[name]] for name, element in value.items()
    )
    return given and all(name in value or OPTIONAL in right for name, right in answer.items())


def _objects_fit(value: list[Any], answer: list[Mapping[str, Any]]) -> bool:
    return len(value) == len(answer) and all(map(_object_fits, value, answer))


def _text(value: Any) -> Any:
    """Gives a text without what does not count; anything else as it is."""
    return value.translate(_DROPPED).lower() if isinstance(value, str) else value


def _standard(value: Any) -> Any:
    """Gives a text, or a list of texts, without what does not count."""
    return [_text(element) for element in value] if isinstance(value, list) else _text(value)
