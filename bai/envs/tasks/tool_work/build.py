"""From chance to a task: turns of requests, the tools they need, and the state that they lead to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from bai.envs.tasks.tool_work.kinds import KINDS
from bai.envs.tasks.tool_work.request import Kind, Request
from bai.envs.tasks.tool_work.words import OUTSIDE
from bai.envs.tasks.tool_work.world import World, draw_world
from bai.envs.tasks.tools import GoldAction, ToolTask
from bai.envs.tools.base import SourceSpec

__all__ = ["DIFFICULTIES", "LETTERS", "build"]

LETTERS = {"sqlite": "s", "postgres": "p", "files": "f", "redis": "r", "calculator": "c"}
"""Source -> letter of it in task ids."""
DIFFICULTIES = (1, 2, 3, 4, 5)
"""1: one call; 2: one thing of several calls, or two things at once; 3: two turns; 4: two tables, two turns; 5: three
turns."""
_SOURCES = {letter: source for source, letter in LETTERS.items()}
_TURNS = {1: (1,), 2: (2,), 3: (2, 3), 4: (4, 2), 5: (4, 3, 2)}
"""Difficulty -> the level of what each turn asks for."""
_OUTSIDE_SHARE = 0.1
"""Of tasks: no tool fits."""
_PAIR_SHARE = 0.3
"""Of turns of level 2: two things of level 1 at once."""
_FILE_TOOLS = ("list_files", "read_file", "write_file", "append_file", "move_file", "delete_file")


def build(task_id: str, rng: random.Random, uses: str, difficulty: int, split: str) -> ToolTask | None:
    """Draws a task; None where that came to nothing: all stays as it is, or nothing is left to ask for.

    Args:
        task_id: Its id.
        rng: The only source of chance.
        uses: Letters of the sources it may be about.
        difficulty: One of :data:`DIFFICULTIES`.
        split: For its metadata.
    """
    start = draw_world(rng, size=2 + 2 * difficulty, many=difficulty >= 4)
    if rng.random() < _OUTSIDE_SHARE:
        return _outside(task_id, rng, start, uses, difficulty, split)
    world = start.copy()
    taken: set[str] = set()
    turns: list[Request] = []
    for level in _TURNS[difficulty]:
        if (drawn := _draw(rng, world, uses, level)) is None:
            return None
        turns.append(drawn[0])
        taken |= drawn[1]
    if _states(world, taken) == _states(start, taken) and not turns[-1].said:
        return None
    gold: list[GoldAction] = []
    for turn in turns:
        gold += [*turn.actions, turn.answer]
    texts = [_sentence(turn.text) for turn in turns]
    category = "parallel" if any(len(calls) > 1 for turn in turns for calls in turn.actions) else "simple"
    expected: dict[str, Any] = {"states": {_SOURCES[one]: state for one, state in _states(world, taken).items()}}
    if turns[-1].said:
        expected["answer"] = turns[-1].said
    return ToolTask(
        task_id=task_id,
        prompt=" ".join(filter(None, [_heading(start, taken), texts[0]])),
        metadata=_metadata(difficulty, split, "several turns" if len(turns) > 1 else category, taken),
        later=tuple(f"Also, {text[0].lower()}{text[1:]}" for text in texts[1:]),
        sources=_sources(start, taken),
        judge="end_state",
        expected=expected,
        gold=tuple(gold),
    )


def _outside(task_id: str, rng: random.Random, world: World, uses: str, difficulty: int, split: str) -> ToolTask:
    taken = {rng.choice(uses)}
    return ToolTask(
        task_id=task_id,
        prompt=" ".join(filter(None, [_heading(world, taken), rng.choice(OUTSIDE)])),
        metadata=_metadata(difficulty, split, "irrelevance", taken),
        sources=_sources(world, taken),
        judge="end_state",
        expected={"states": {_SOURCES[one]: state for one, state in _states(world, taken).items()}},
        gold=("no tool can do that",),
    )


def _draw(rng: random.Random, world: World, uses: str, level: int) -> tuple[Request, set[str]] | None:
    """Draws a request of a level, or of the nearest that these sources have; None where nothing is left to ask for."""
    if level == 2 and rng.random() < _PAIR_SHARE and (pair := _draw_pair(rng, world, uses)):
        return pair
    for nearest in (*range(level, 0, -1), 2):
        if found := _fitting(uses, nearest, world):
            kind = rng.choice(found)
            return kind.draw(rng, world), kind.letters(uses) or set()
    return None


def _draw_pair(rng: random.Random, world: World, uses: str) -> tuple[Request, set[str]] | None:
    """Draws two things that are done to different sources, at once."""
    found = _fitting(uses, 1, world)
    by_needs = {kind.needs: [one for one in found if one.needs == kind.needs] for kind in found}
    if len(by_needs) < 2:
        return None
    kinds = [rng.choice(by_needs[needs]) for needs in rng.sample(sorted(by_needs), 2)]
    first, second = (kind.draw(rng, world) for kind in kinds)
    letters = {letter for kind in kinds for letter in kind.letters(uses) or ()}
    actions = ((*first.actions[0], *second.actions[0]),)
    return Request(text=f"{first.text} and {second.text}", actions=actions), letters


def _fitting(uses: str, level: int, world: World) -> list[Kind]:
    return [kind for kind in KINDS if kind.level == level and kind.letters(uses) is not None and kind.has_room(world)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _heading(world: World, taken: set[str]) -> str:
    return f"{world.heading()}." if taken & {"s", "p"} else ""


def _sources(world: World, taken: set[str]) -> tuple[SourceSpec, ...]:
    setups = {
        "s": {"script": world.script()},
        "p": {"script": world.script()},
        "f": dict(world.files),
        "r": dict(world.keys),
        "c": None,
    }
    settings = {"f": {"tools": list(_FILE_TOOLS)}}
    return tuple(
        SourceSpec(source=_SOURCES[one], settings=settings.get(one, {}), setup=setups[one]) for one in sorted(taken)
    )


def _states(world: World, taken: set[str]) -> dict[str, Any]:
    states: dict[str, Any] = {
        "s": {"tables": world.tables()},
        "p": {"tables": world.tables()},
        "f": {"files": dict(world.files)},
        "r": {"keys": dict(sorted(world.keys.items()))},
    }
    return {one: states[one] for one in sorted(taken & states.keys())}


def _metadata(difficulty: int, split: str, category: str, taken: Sequence[str] | set[str]) -> dict[str, Any]:
    return {
        "source": "work",
        "split": split,
        "difficulty": difficulty,
        "category": category,
        "uses": [_SOURCES[one] for one in sorted(taken)],
    }
