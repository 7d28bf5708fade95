"""bai/ToolUse-v0: do with tools what a user asks for, judged by what is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from bai.envs.arguments import expect_counts, expect_one_of
from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.tools.base import Record, TurnRecord
from bai.envs.grading.tools.registry import find_judge
from bai.envs.sandbox import expect_sandbox
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import MadeCall, SourceSpec
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
    """Do with tools what a user asks for; what is left behind, handed in or said is judged.

    ## Description

    Each episode poses one task: something a user asks for, perhaps in several messages, and tools to do it with. The
    agent calls tools, reads what came back, and ends its turn with text; then the user says what comes next, or the
    episode is judged. The tools are real: SQL on SQLite and PostgreSQL, commands of a Redis server, files with a shell
    and Python in a sandbox, a calculator, and whatever a server of the Model Context Protocol offers. Their state is
    the episode's own, and branches with it. Some tasks are such that no tool fits; saying so is right there.
    Most tasks are judged by the state of the databases and the files, or by the rows of a result: never by the text of
    a statement. [Tools](../tools.md) tells of the sources, their limits and the judges.

    ## Action Space

    `UnicodeText(1048576)`: any string. Calls are JSON, in either style, whichever the prompt shows:

    - `{"name": "sql", "arguments": {"query": "SELECT 1"}}`, a list of such calls, or a message
      `{"tool_calls": [{"function": {"name": ..., "arguments": "{...}"}}]}`, as the whole answer or in a block marked
      `json` that ends it;
    - `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, as often as wanted, with or without text around.

    Several calls of one answer are made in order. Text without a call ends the turn. JSON is read strictly: a key that
    comes twice, `NaN` and text after the value are faults; what was to be a call and cannot be read does not end the
    turn. An answer may hold 64 calls, a call 65,536 characters.

    ## Observation Space

    `UnicodeText(1048576)`: what is said next. After `reset`: rules, the tools' names, descriptions and schemas, how to
    call them, and the user's message (`prompt="short"`: without the tools and the how). After calls: the result, or
    each result under its number (`[1] ...`); a fault is `error (KIND): REASON`, which names the argument, what was
    expected and what came. The kinds are `unreadable`, `unknown_tool`, `bad_arguments`, `refused`, `failed`, `timeout`,
    `too_large` and `died`. After text: the user's next message, or the empty string at the end.

    ## Rewards

    Nothing until the episode ends; then 1.0 if the judge passes it and else 0.0.

    ## Starting State

    A task drawn by the environment's own generator (`reset(seed=...)`), or the one that
    `reset(options={"task_id": ...})` names, with every source in the state that the task begins in. `reset` raises
    `bai.errors.InfraError` if a server or a sandbox that the task needs cannot be had.

    ## Episode End

    Terminated once judged: after the text that ends the last turn; after the first answer, where the task says so
    (single turns of BFCL); or, unfinished, at answer `max_turns` or call `max_calls`. Truncated if the machinery
    failed: then the reward is 0.0, `info["error"]` names the fault, and the episode is to be left out, not scored.

    ## Information

    `task_id`; `verdict`: empty until the episode ends, then `status`, `score` and `detail`; `reward_terms`, once judged,
    those of these that the task has: `exact_calls` (1.0 where the calls are the gold ones, no more and no fewer, and none
    of them failed; gold calls of 15 of tau2's 114 tasks do), `arguments` (share of the gold calls' arguments that were
    given), `irrelevance` (1.0 where no tool fits, none was called and something was said), `end_state` (1.0 where what
    was left behind or handed in is right), `turns` (share of BFCL's turns that came before the first fault),
    `communicated` (share of what tau2's user had to be told that was); `error`: None, or the fault of the machinery.
    `bai eval` prints the means of the terms.

    ## Arguments

    ```python
    gym.make("bai/ToolUse-v0", difficulty=[1, 2], uses=["sqlite", "files"], max_turns=8)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `task_set` | `"work"` | a [set of tool tasks](../tool_sets.md), or the path of [rows](../own_tasks.md); `work` is our own generator |
    | `split` | `None` | part of the set; `train` or `heldout` of `work` (None: `train`) |
    | `difficulty` | `None` | a number or a list; 1 to 5 for `work` (None: 1 to 3) |
    | `category` | `None` | a category or a list; `simple`, `parallel`, `several turns`, `irrelevance` of `work`; None: all |
    | `uses` | `None` | what tasks of `work` are about, one or several of `sqlite`, `postgres`, `files`, `redis`, `calculator` (None: `sqlite` and `files`) |
    | `max_turns` | `24` | answers in an episode |
    | `max_calls` | `64` | calls in an episode |
    | `prompt` | `"full"` | `full`, or `short`: the user's words alone, for policies with a small window |
    | `call_format` | `"json"` | `json` or `tags`: which style the prompt shows and the oracle writes; both are read |
    | `max_output` | `4000` | characters of a result that the agent sees |
    | `sandbox` | `"auto"` | `process`, `bubblewrap`, `docker`, or the strongest that works here |
    | `postgres_url` | `None` | address of a PostgreSQL server, as a role that may make databases and roles; None: `BAI_POSTGRES_URL` |
    | `redis_url` | `None` | address of a Redis server; None: `BAI_REDIS_URL` |
    | `mcp` | `None` | name of a server to its command, such as `{"notes": ["python", "notes.py"]}`: tools that every task has beside its own |
    | `render_mode` | `None` | `ansi`: `render()` returns the transcript; `human`: it is printed |

    ## Vectorization

    `gym.make_vec("bai/ToolUse-v0", num_envs=8)` gives a [`SandboxVectorEnv`](../vector.md), which steps all of
    them at once; `bai.make_vec` adds wrappers. With Gymnasium's own `vectorization_mode="async"`, pass
    `vector_kwargs={"shared_memory": False}`. Environments of one process share the sandboxes that statements and scripts
    run in; databases, files and connections are each one's own. With an MCP server an environment cannot be
    forked: what the server holds is its own. Amid an episode with PostgreSQL or an MCP server an environment cannot be
    pickled.

    ## References

    The calls' styles are those of OpenAI's chat interface and of Hermes (NousResearch). Arguments are checked by JSON
    Schema, draft 2020-12. That end states judge a dialogue with tools is from Yao et al. 2024 (tau-bench,
    arXiv:2406.12045), that not calling can be right from BFCL (Patil et al. 2025).

    ## Version History

    - v0: first version.
    """  # noqa: E501 - a table's row is one line

    def __init__(
        self,
        *,
        task_set: str = "work",
        split: str | None = None,
        difficulty: int | str | Sequence[int | str] | None = None,
        category: str | Sequence[str] | None = None,
        uses: str | Sequence[str] | None = None,
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
        expect_counts(max_turns=max_turns, max_calls=max_calls, max_output=max_output)
        expect_one_of("prompt", prompt, get_args(Prompt))
        expect_one_of("call_format", call_format, get_args(CallFormat))
        expect_sandbox(sandbox)
        chosen = {"split": split, "difficulty": difficulty, "category": category, "uses": uses}
        self._source: dict[str, Any] = {"name": task_set, **chosen}
        self._tasks: TaskSet[ToolTask] | None = load_tool_set(**self._source)
        self._max_turns, self._max_calls = max_turns, max_calls
        self._prompt, self._call_format = prompt, call_format
        given = _given(sandbox, postgres_url, redis_url)
        self._toolbox = Toolbox(given=given, extra=_servers(mcp or {}), sandbox=sandbox, most=max_output)
        self._progress = _Progress()

    def __getstate__(self) -> dict[str, Any]:
        # A set may take megabytes, and every process can load it; of the sources, an episode under way takes the state.
        return {**self.__dict__, "_tasks": None, "_held": None if self._done else self._toolbox.get_states()}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update({name: value for name, value in state.items() if name != "_held"})
        if state["_held"] is not None:
            assert self.task is not None
            self._toolbox.restore(self.task, state["_held"])

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
        if len(turns) > len(task.later) or self._is_spent():
            return self._judged(task)
        turns.append(TurnRecord())
        return Outcome(observation=task.later[len(turns) - 2])

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
        SourceSpec(source="mcp", key=f"mcp:{name}", settings={"command": list(command), "name": name})
        for name, command in mcp.items()
    )


make_vector = vector_entry("bai/ToolUse-v0")
"""The vector entry point."""
