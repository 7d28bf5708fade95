"""bai/ToolUse-v0: do with tools what a user asks for, judged by what is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.tools.base import MadeCall, Record, TurnRecord
from bai.envs.grading.tools.registry import find_judge
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import SourceSpec, ToolTask
from bai.envs.tools.reading import Answer, CallFormat, read_answer, write_calls
from bai.envs.tools.toolbox import Toolbox
from bai.envs.vector.make import vector_entry
from bai.errors import ConfigError, ToolFault

__all__ = ["ToolUseEnv", "make_vector"]

Prompt = Literal["full", "short"]

_HOW: dict[CallFormat, str] = {
    "tags": 'To call a tool, answer <tool_call>{"name": "TOOL", "arguments": {...}}</tool_call>, once for each call.',
    "json": 'To call a tool, answer {"name": "TOOL", "arguments": {...}}; for several calls, a list of these.',
}
_ENDING = "Text without a call ends your turn."


@dataclass
class _Progress:
    """How far an episode has come."""

    turns: list[TurnRecord] = field(default_factory=lambda: [TurnRecord()])
    answers: int = 0
    calls: int = 0


class ToolUseEnv(TextEnv[ToolTask]):
    """PAGE"""

    def __init__(
        self,
        *,
        task_set: str = "work",
        split: str | None = None,
        difficulty: int | str | Sequence[int | str] | None = None,
        category: str | Sequence[str] | None = None,
        uses: Sequence[str] | None = None,
        max_turns: int = 24,
        max_calls: int = 64,
        prompt: Prompt = "full",
        call_format: CallFormat = "json",
        max_output: int = 4_000,
        sandbox: str = "auto",
        postgres_url: str | None = None,
        redis_url: str | None = None,
        mcp: Mapping[str, Sequence[str]] | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        for name, value in (("max_turns", max_turns), ("max_calls", max_calls), ("max_output", max_output)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1; got {value!r:.100}")
        for name, text, known in (("prompt", prompt, Prompt), ("call_format", call_format, CallFormat)):
            if text not in get_args(known):
                raise ConfigError(f"{name} must be one of {', '.join(map(repr, get_args(known)))}; got {text!r:.100}")
        chosen = {"split": split, "difficulty": difficulty, "category": category, "uses": uses}
        self._source: dict[str, Any] = {"name": task_set, **chosen}
        self._tasks: TaskSet[ToolTask] | None = load_tool_set(**self._source)
        self._max_turns, self._max_calls = max_turns, max_calls
        self._prompt, self._call_format = prompt, call_format
        given = _given(sandbox, postgres_url, redis_url)
        self._toolbox = Toolbox(given=given, extra=_servers(mcp or {}), sandbox=sandbox, most=max_output)
        self._progress = _Progress()

    def _task_set(self) -> TaskSet[ToolTask]:
        if self._tasks is None:
            self._tasks = load_tool_set(**self._source)
        return self._tasks

    def _begin(self, task: ToolTask) -> str:
        self._progress = _Progress()
        self._toolbox.begin(task)
        if self._prompt == "short":
            return "\n".join(filter(None, [task.system, task.prompt]))
        declared = [json.dumps(tool.to_json(), ensure_ascii=False) for tool in self._toolbox.declared]
        tools = ["These are the tools:", *declared, f"{_HOW[self._call_format]} {_ENDING}"] if declared else []
        return "\n\n".join(filter(None, [task.system, "\n".join(tools), task.prompt]))

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._progress.answers += 1
        answer = read_answer(action)
        if not answer.calls:
            return self._end_turn(self.task, answer.text)
        made = self._make(answer)
        if self.task.ends_at_answer or self._is_spent():
            return self._judged(self.task)
        return Outcome(observation=_told(made))

    def _is_spent(self) -> bool:
        return self._progress.answers >= self._max_turns or self._progress.calls >= self._max_calls

    def _make(self, answer: Answer) -> list[MadeCall]:
        made = []
        for call in answer.calls:
            self._progress.calls += 1
            if self._progress.calls > self._max_calls:
                call = ToolFault(f"an episode may hold {self._max_calls} calls", "too_large")
            made.append(self._toolbox.answer(call))
        turn = self._progress.turns[-1]
        self._progress.turns[-1] = replace(turn, calls=(*turn.calls, *made))
        return made

    def _end_turn(self, task: ToolTask, text: str) -> Outcome:
        turns = self._progress.turns
        turns[-1] = replace(turns[-1], answer=text)
        self._note_states(task)
        if len(turns) > len(task.later) or self._is_spent():
            return self._judged(task)
        turns.append(TurnRecord())
        return Outcome(observation=task.later[len(turns) - 2])

    def _note_states(self, task: ToolTask) -> None:
        """Keeps the sources' states after a turn, where the judge looks at them."""
        turns = self._progress.turns
        if find_judge(task.judge).wants_states:
            try:
                turns[-1] = replace(turns[-1], states=self._toolbox.end_states())
            except ToolFault:
                turns[-1] = replace(turns[-1], states={})  # the judge's own look at the end says why

    def _judged(self, task: ToolTask) -> Outcome:
        turns = tuple(self._progress.turns)
        try:
            record = Record(turns=turns, end_states=self._toolbox.end_states())
        except ToolFault as fault:
            record = Record(turns=turns, unreadable=fault.reason)
        found = find_judge(task.judge).judge(task, record)
        score = found.verdict.score
        return Outcome(
            observation="", reward=score, terminated=True, verdict=found.verdict, reward_terms=dict(found.terms)
        )

    def record(self) -> dict[str, Any]:
        """Gives what an evaluation keeps of the episode beside its verdict: every call and what came of it."""
        return {
            "calls": [
                [
                    {"call": made.call and made.call.to_json(), "fault": made.fault, "result": made.result[:1000]}
                    for made in turn.calls
                ]
                for turn in self._progress.turns
            ]
        }

    # Branching and gold answers.

    def _get_state(self) -> Any:
        return {"progress": self._progress, "states": None if self._done else self._toolbox.get_states()}

    def _set_state(self, state: Any) -> None:
        assert self.task is not None
        self._progress = state["progress"]
        if state["states"] is not None:
            self._toolbox.restore(self.task, state["states"])

    def _solve(self, task: ToolTask) -> Iterator[str]:
        if not task.gold:
            raise ConfigError(f"task {task.task_id} brings no gold answers to solve it with")
        for action in task.gold:
            yield action if isinstance(action, str) else write_calls(action, self._call_format)

    def close(self) -> None:
        self._toolbox.close()


def _told(made: Sequence[MadeCall]) -> str:
    """What the agent sees of its calls: the result, or each under its number."""
    if len(made) == 1:
        return made[0].result
    return "\n".join(f"[{number}] {one.result}" for number, one in enumerate(made, start=1))


def _given(sandbox: str, postgres_url: str | None, redis_url: str | None) -> dict[str, dict[str, Any]]:
    """What sources are told beside their tasks' settings."""
    urls = {"postgres": postgres_url, "redis": redis_url}
    return {
        **{name: {"sandbox": sandbox} for name in ("sqlite", "files")},
        **{name: {"url": url} for name, url in urls.items() if url is not None},
    }


def _servers(mcp: Mapping[str, Sequence[str]]) -> tuple[SourceSpec, ...]:
    if not isinstance(mcp, Mapping):
        raise ConfigError(f"mcp must be a mapping of a server's name to its command; got {mcp!r:.100}")
    for name, command in mcp.items():
        if isinstance(command, str) or not command or not all(isinstance(part, str) for part in command):
            raise ConfigError(f"the command of MCP server {name!r} is a list of texts; got {command!r:.100}")
    return tuple(
        SourceSpec(source="mcp", key=f"mcp:{name}", settings={"command": list(command)})
        for name, command in mcp.items()
    )


make_vector = vector_entry("bai/ToolUse-v0")
"""The vector entry point."""
