"""ToolAlpaca's evaluation on simulated APIs (Tang et al. 2023, arXiv:2306.05301) as tool tasks.

Each row is an API: its OpenAPI documentation, requests to it and golden calls. A task is one request. Graded are the
calls and nothing else; ToolAlpaca has a language model judge them, and another one play the API.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.folders import find_files
from bai.envs.tasks.toolalpaca.documentation import Function, functions, widened
from bai.envs.tasks.toolalpaca.golden import ASK, GoldCall, coerced, parse_call
from bai.envs.tasks.toolalpaca.scripts import Script, write_script
from bai.envs.tasks.tools import GoldAction, ToolTask
from bai.envs.tools.base import SourceSpec

__all__ = ["load_toolalpaca"]

_SYSTEM = """You use the API {name} for a user. {introduction}
The API is simulated: it takes calls and has hardly any data. Where the request lacks something that you need, ask the \
user before you call anything that needs it. Call each function as often as the request needs it and no more, then \
answer."""


def load_toolalpaca() -> FiniteTaskSet[ToolTask]:
    """Gives the 100 requests to ten APIs, in the order of their file.

    Metadata: ``split`` (``eval_simulated``), ``category`` (``single``, ``several`` calls, or ``ask``, where the user
    has to be asked), ``api`` and ``topic`` (the API's kind).

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: An API's documentation or a golden answer cannot be read.
    """
    (path,) = find_files("toolalpaca", "tools/toolalpaca", "*eval_simulated.json")
    return _load(path, stamp([path]))


@functools.lru_cache(maxsize=2)
def _load(path: Path, stamp: Stamp) -> FiniteTaskSet[ToolTask]:
    return FiniteTaskSet("toolalpaca", (task for row in read_rows(path) for task in _tasks(row)))


def _tasks(row: Row) -> Iterator[ToolTask]:
    api, requests = row.text("Name"), row.items_of("Instructions", str)
    known, answers = _read(row)
    if len(requests) != len(answers):
        raise row.malformed("Golden_Answers", f"expected {len(requests)} answers; got {len(answers)}")
    system = _SYSTEM.format(name=api, introduction=row.text("Introduction"))
    source = {"tools": [function.tool.to_json() for function in known.values()]}
    for number, (request, gold) in enumerate(zip(requests, answers, strict=True)):
        task_id = f"toolalpaca/{api}/{number}"
        script = write_script(task_id, request, gold, known)
        yield ToolTask(
            task_id=task_id,
            prompt=request.strip(),
            later=(script.reply,) if script.reply else (),
            system=system,
            metadata={
                "split": "eval_simulated",
                "category": "ask" if script.reply else "single" if len(script.calls) == 1 else "several",
                "api": api,
                "topic": row.text("Category"),
            },
            sources=(SourceSpec(source="answered", settings=source, setup={"answers": dict(script.answers)}),),
            judge="wanted_calls",
            expected={
                "calls": list(script.wanted),
                "reading": [name for name, function in known.items() if function.reads],
            },
            gold=_gold(script),
        )


def _gold(script: Script) -> tuple[GoldAction, ...]:
    question = (script.question,) if script.question else ()
    return (*question, *((call,) for call in script.calls), "Done.")


def _read(row: Row) -> tuple[Mapping[str, Function], list[list[GoldCall]]]:
    """Reads an API's functions, widened by what its golden calls give, and these."""
    try:
        known = functions(json.loads(row.text("Documentation")), row["Function_Projection"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise row.malformed("Documentation", f"expected OpenAPI with the projected functions; {error!r}") from error
    try:
        answers = [[_call(each, known) for each in answer] for answer in row.items_of("Golden_Answers", list)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise row.malformed("Golden_Answers", f"expected calls of the API's functions; {error!r}") from error
    calls = [call for answer in answers for call in answer]
    return {
        name: widened(function, [call.arguments for call in calls if call.name == name])
        for name, function in known.items()
    }, answers


def _call(answer: Mapping[str, str], known: Mapping[str, Function]) -> GoldCall:
    call = parse_call(answer)
    if call.name == ASK:
        return call
    arguments = coerced(call.arguments, known[call.name].tool.parameters)
    return GoldCall(name=call.name, arguments=arguments, optional=call.optional)
