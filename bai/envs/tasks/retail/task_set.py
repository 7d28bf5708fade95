"""tau2-bench's retail domain (Barres et al. 2025, arXiv:2506.07982) as tool tasks with a scripted user.

What differs from tau2: no language model plays the user. Its scenario is said in three messages, whatever the agent
answers: what it wants, who it is, and that the agent may go ahead. What tau2 leaves to a language model's judgement
(``nl_assertions``) is not judged, but where a task lists what has to be communicated, that is.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.folders import find_files
from bai.envs.tasks.retail.user import messages
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import SourceSpec, ToolCall
from bai.envs.tools.retail import RetailSource
from bai.errors import ToolFault

__all__ = ["load_tau2_retail"]

_QUESTIONS = ("Who are you, please?", "May I go ahead?")
"""How the gold answers end the first turns."""


def load_tau2_retail() -> FiniteTaskSet[ToolTask]:
    """Gives the 114 tasks, in the order of their file.

    Metadata: ``split`` (``train`` or ``test``) and ``category``: ``change`` where users or orders are to be changed,
    ``keep`` where all is to stay as it is.

    Raises:
        TaskSetNotFound: The files are not on this machine.
        MalformedRow: A task lacks a field.
    """
    names = ("tasks.json", "db.json", "policy.md*", "split_tasks.json")
    paths = find_files("tau2_retail", "tools/tau2_retail", *names)
    return _load(paths, stamp(paths))


@functools.lru_cache(maxsize=2)
def _load(paths: tuple[Path, ...], stamp: Stamp) -> FiniteTaskSet[ToolTask]:
    tasks, database, policy, split_file = paths
    splits = json.loads(split_file.read_bytes())
    split_of = {task_id: name for name in ("train", "test") for task_id in splits.get(name, ())}
    source = SourceSpec(source="retail", setup={"file": str(database)})
    system = policy.read_text(encoding="utf-8")
    return FiniteTaskSet("tau2_retail", (_task(row, source, system, split_of) for row in read_rows(tasks)))


def _task(row: Row, source: SourceSpec, system: str, split_of: Mapping[str, str]) -> ToolTask:
    number = row.text("id")
    try:
        scenario = row["user_scenario"]["instructions"]
        wanted, who, more = messages({key: scenario[key] for key in _SCENARIO})
    except (KeyError, TypeError, AttributeError) as error:
        raise row.malformed("user_scenario", f"expected instructions with {', '.join(_SCENARIO)}; {error!r}") from error
    try:
        criteria = row["evaluation_criteria"]
        calls = [ToolCall(name=action["name"], arguments=action["arguments"]) for action in criteria["actions"]]
        communicate = [str(text) for text in criteria["communicate_info"] or ()]
    except (KeyError, TypeError) as error:
        raise row.malformed("evaluation_criteria", f"expected actions and communicate_info; {error!r}") from error
    state = _state_after(source, calls)
    return ToolTask(
        task_id=f"tau2_retail/{number}",
        prompt=wanted,
        later=(who, more),
        system=system,
        metadata={
            "split": split_of.get(number, ""),
            "category": "change" if any(state.values()) else "keep",
        },
        sources=(source,),
        judge="retail",
        expected={"state": state, "communicate": communicate},
        gold=(*_QUESTIONS, *((call,) for call in calls), "; ".join(["Done", *communicate])),
    )


_SCENARIO = ("reason_for_call", "known_info", "unknown_info", "task_instructions")


def _state_after(spec: SourceSpec, calls: list[ToolCall]) -> Any:
    """What the gold calls leave behind; some of them look for what is not there, as the scenario has it."""
    source = RetailSource()
    source.begin(spec.setup)
    for call in calls:
        try:
            source.call(call.name, call.arguments)
        except ToolFault:
            continue
    return source.end_state()
