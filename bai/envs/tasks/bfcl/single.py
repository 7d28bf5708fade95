"""BFCL's single turns: one request, some functions, and the calls that are wanted, or none."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.bfcl.files import answered, find_bfcl, named, rows
from bai.envs.tasks.bfcl.schema import OPTIONAL, declaration
from bai.envs.tasks.files import Row
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall

__all__ = [
    "NO_TOOL_FITS",
    "gold_call",
    "load_bfcl_irrelevance",
    "load_bfcl_multiple",
    "load_bfcl_parallel",
    "load_bfcl_simple",
]

NO_TOOL_FITS = "None of these tools fits this request."
"""What the gold answer says where nothing is to be called."""


def load_bfcl_simple() -> FiniteTaskSet[ToolTask]:
    """Loads BFCL's ``simple_python``: one function, one call. Files are read again only if they changed.

    Raises:
        TaskSetNotFound: Its files are not on this machine.
        MalformedRow: A row breaks the format.
    """
    return _answered("simple", "simple_python")


def load_bfcl_multiple() -> FiniteTaskSet[ToolTask]:
    """Loads BFCL's ``multiple``: several functions, one call. Raises as :func:`load_bfcl_simple` does."""
    return _answered("multiple", "multiple")


def load_bfcl_parallel() -> FiniteTaskSet[ToolTask]:
    """Loads BFCL's ``parallel``: one function, several calls. Raises as :func:`load_bfcl_simple` does."""
    return _answered("parallel", "parallel")


def load_bfcl_irrelevance() -> FiniteTaskSet[ToolTask]:
    """Loads BFCL's ``irrelevance``: no function fits. Raises as :func:`load_bfcl_simple` does."""
    paths = find_bfcl("irrelevance.jsonl")
    return _load("irrelevance", paths, stamp(paths))


def gold_call(name: str, allowed: Mapping[str, Sequence[Any]], required: Sequence[str] = ()) -> ToolCall:
    """Gives the shortest right call: the first right value of each parameter that cannot be left out."""
    wanted = {key: values for key, values in allowed.items() if OPTIONAL not in values or key in required}
    return ToolCall(name=name, arguments={key: _first(values) for key, values in wanted.items()})


def _answered(category: str, file: str) -> FiniteTaskSet[ToolTask]:
    paths = find_bfcl(f"{file}.jsonl", f"{file}_answers.jsonl")
    return _load(category, paths, stamp(paths))


@functools.lru_cache(maxsize=8)
def _load(category: str, paths: tuple[Path, ...], stamp: Stamp) -> FiniteTaskSet[ToolTask]:
    """Reads questions and, from the second of the files if there is one, their answers."""
    if len(paths) == 1:
        tasks = [_task(category, row, []) for row in rows(*paths).values()]
    else:
        tasks = [_task(category, row, answer.items_of("ground_truth", dict)) for row, answer in answered(*paths)]
    return FiniteTaskSet(f"bfcl_{category}", tasks)


def _task(category: str, row: Row, truth: list[dict[str, dict[str, list[Any]]]]) -> ToolTask:
    with named(row):
        return _made(category, row, truth)


def _made(category: str, row: Row, truth: list[dict[str, dict[str, list[Any]]]]) -> ToolTask:
    functions = {function["name"]: function for function in row.items_of("function", dict)}
    wanted = [(name, allowed) for call in truth for name, allowed in call.items()]
    for name, _ in wanted:
        if name not in functions:
            raise row.malformed("function", f"the answer calls {name!r}, which is not declared")
    shapes = {name: functions[name]["parameters"] for name, _ in wanted}
    calls = tuple(gold_call(name, allowed, shapes[name]["required"]) for name, allowed in wanted)
    return ToolTask(
        task_id=row.text("id"),
        prompt="\n\n".join(message["content"] for turn in row.items_of("question", list) for message in turn),
        metadata={"category": category, "functions": len(functions), "calls": len(calls)},
        tools=tuple(map(declaration, functions.values())),
        ends_at_answer=True,
        judge="bfcl_calls",
        expected={"functions": shapes, "calls": truth},
        gold=(calls or NO_TOOL_FITS,),
    )


def _first(values: Sequence[Any]) -> Any:
    """Gives the first right value, and of an object in it, at any depth, the first right value of each key."""
    value = next((value for value in values if value != OPTIONAL), OPTIONAL)
    return _chosen(value)


def _chosen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _first(values) for key, values in value.items() if OPTIONAL not in values}
    if isinstance(value, list):
        return [_chosen(element) for element in value]
    return value
