"""BFCL's multi-turn tasks: several requests, answered by simulated APIs that keep their state."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.bfcl.expressions import read_call
from bai.envs.tasks.bfcl.files import answered, find_bfcl, named, rows
from bai.envs.tasks.bfcl.schema import declaration
from bai.envs.tasks.files import Row
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.tools import GoldAction, ToolTask
from bai.envs.tools.base import SourceSpec, Tool, ToolCall
from bai.errors import ConfigError

__all__ = ["APIS", "LEFT_OUT", "load_bfcl_multi_turn"]

APIS: dict[str, tuple[str, str]] = {
    "GorillaFileSystem": ("bfcl_file_system", "gorilla_file_system.json"),
    "MathAPI": ("bfcl_math", "math_api.json"),
    "MessageAPI": ("bfcl_messages", "message_api.json"),
    "TicketAPI": ("bfcl_tickets", "ticket_api.json"),
    "TradingBot": ("bfcl_trading", "trading_bot.json"),
    "TravelAPI": ("bfcl_travel", "travel_booking.json"),
    "TwitterAPI": ("bfcl_posting", "posting_api.json"),
    "VehicleControlAPI": ("bfcl_vehicle", "vehicle_control.json"),
}
"""BFCL's class to the tool source that stands for it and the file of its function docs."""

LEFT_OUT: dict[str, str] = {
    "multi_turn_base_173": "its gold call closes the ticket 'ticket_001', and the function doc wants a whole number",
}
"""Rows that cannot be solved by what they declare, with the reason."""

_DONE = "Done."


def load_bfcl_multi_turn() -> FiniteTaskSet[ToolTask]:
    """Loads BFCL's ``multi_turn_base``, without the rows of :data:`LEFT_OUT`.

    Its files are read again only if they changed.

    Raises:
        TaskSetNotFound: Its files, or the function docs in ``multi_turn_func_doc``, are not on this machine.
        MalformedRow: A row breaks the format, or its gold calls cannot be read.
    """
    docs = (f"multi_turn_func_doc/{file}" for _, file in APIS.values())
    paths = find_bfcl("multi_turn_base.jsonl", "multi_turn_base_answers.jsonl", *docs)
    return _load(paths, stamp(paths))


@functools.lru_cache(maxsize=2)
def _load(paths: tuple[Path, ...], stamp: Stamp) -> FiniteTaskSet[ToolTask]:
    questions, answers, *files = paths
    docs = {name: _docs(path) for name, path in zip(APIS, files, strict=True)}
    pairs = [(row, answer) for row, answer in answered(questions, answers) if row["id"] not in LEFT_OUT]
    return FiniteTaskSet("bfcl_multi_turn", (_task(row, answer, docs) for row, answer in pairs))


def _docs(path: Path) -> dict[str, Tool]:
    return {name: _doc(row) for name, row in rows(path).items()}


def _doc(row: Row) -> Tool:
    with named(row):
        return declaration(row)


def _task(row: Row, answer: Row, docs: Mapping[str, Mapping[str, Tool]]) -> ToolTask:
    with named(row):
        return _made(row, answer, docs)


def _made(row: Row, answer: Row, docs: Mapping[str, Mapping[str, Tool]]) -> ToolTask:
    involved = row.items_of("involved_classes", str)
    for name in involved:
        if name not in APIS:
            raise row.malformed("involved_classes", f"expected some of {', '.join(APIS)}; got {name!r}")
    hidden = set(row.items_of("excluded_function", str))
    tools = [tool for name in involved for tool in docs[name].values() if tool.name not in hidden]
    said = [turn[0]["content"] for turn in row.items_of("question", list)]
    gold = _gold(answer, {tool.name: tuple(tool.parameters["properties"]) for tool in tools}, len(said))
    setups = row["initial_config"]
    return ToolTask(
        task_id=row.text("id"),
        prompt=said[0],
        later=tuple(said[1:]),
        metadata={"category": "multi_turn", "classes": tuple(involved), "turns": len(said)},
        tools=tuple(tools),
        sources=tuple(SourceSpec(source=APIS[name][0], key=name, setup=setups.get(name)) for name in involved),
        judge="bfcl_turns",
        gold=gold,
    )


def _gold(answer: Row, parameters: Mapping[str, tuple[str, ...]], turns: int) -> tuple[GoldAction, ...]:
    """Gives each turn's calls, in one answer, and a word that ends it."""
    truth = answer.items_of("ground_truth", list)
    if len(truth) != turns:
        raise answer.malformed("ground_truth", f"expected one list for each of {turns} turns; got {len(truth)}")
    actions: list[GoldAction] = []
    for calls in truth:
        if calls:
            actions.append(tuple(_read(text, parameters, answer) for text in calls))
        actions.append(_DONE)
    return tuple(actions)


def _read(text: str, parameters: Mapping[str, tuple[str, ...]], answer: Row) -> ToolCall:
    try:
        return read_call(text, parameters)
    except ConfigError as error:
        raise answer.malformed("ground_truth", str(error)) from error
