"""bai/Coding-v0: write a function from a prompt, judged by hidden tests in a sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.answers import assemble
from bai.envs.grading.grader import Grader
from bai.envs.sandbox import expect_sandbox
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.sandbox.pool import shared_pool
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.coding import CodingTask
from bai.envs.tasks.load import load_task_set
from bai.envs.vector.make import vector_entry
from bai.errors import ConfigError
from bai.types import Verdict

__all__ = ["CodingEnv", "make_vector"]

RewardKind = Literal["binary", "fraction"]


class CodingEnv(TextEnv[CodingTask]):
    """Write a Python function from a prompt; hidden tests judge it.

    ## Description

    Each episode poses one task of a task set: a sentence and an example (MBPP), a signature with a
    docstring (HumanEval), a faulty program (QuixBugs), or a generated one (`micro`). The agent answers
    with code. The code runs alone in a sandbox; what judges it runs elsewhere, sends it arguments and gets
    plain values back, so that expected values and tests are never where the code could read or change them,
    and neither exit codes nor printed text decide anything.

    ## Action Space

    `UnicodeText(1048576)`: any string of at most 1 Mi characters. The code is the last fenced block marked
    `python` (or `py`); without one, the last fenced block without a language; without that, the whole
    text. Where the prompt is the beginning of a function (HumanEval), code that does not define the
    function is taken as its body. An empty answer, one that is not UTF-8, and one that is no Python are
    answers like any other, and wrong.

    ## Observation Space

    `UnicodeText(1048576)`: what the environment says next. After `reset`, the task's prompt. After an attempt
    that is not the last, what came of the public examples: the call, what it returned or raised, what was
    expected. After the last, the empty string.

    ## Rewards

    Nothing until the episode ends; then, with `reward="binary"`, 1.0 if every hidden test passes and else
    0.0, or, with `reward="fraction"`, the share of hidden tests that pass. Code that ends its process, or takes
    too long or too much memory, earns 0.0 either way. `info["reward_terms"]["hidden_tests"]` repeats it.

    ## Starting State

    A task drawn by the environment's own generator (`reset(seed=...)`), or the one that
    `reset(options={"task_id": ...})` names. `reset` makes sure that sandboxes work here and raises
    `bai.errors.InfraError` if they do not.

    ## Episode End

    Terminated once the hidden tests have judged: at the first attempt that passes the public examples, and
    in any case at attempt number `max_turns`. With `max_turns=1` that is the first answer. A task without
    public examples is judged at the first answer that loads. Truncated if the machinery failed: then the
    reward is 0.0, `info["error"]` names the fault, and the episode is to be left out, not scored.

    ## Information

    `task_id`; `verdict`: empty until the episode ends, then `status` (`passed`, `failed`, `timeout`, `crashed`,
    `memory`, `tampered` or `infra_error`), `score` and `detail`, which never holds a hidden test;
    `reward_terms`: `hidden_tests`, once judged; `error`: None, or the fault of the machinery.

    ## Arguments

    ```python
    gym.make("bai/Coding-v0", task_set="mbpp", split="test", max_turns=3)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `task_set` | `"micro"` | `micro`, `humaneval`, `humaneval_plus`, `mbpp`, `mbpp_plus`, `quixbugs`, or the path of a file in the [row format](../task_format.md) |
    | `split` | `None` | part of the set: `train` or `heldout` of `micro` (None: `train`); `prompt`, `test`, `validation` or `train` of `mbpp`; None: all |
    | `difficulty` | `None` | a number, or a list of numbers; 1 to 5 for `micro`; None: all |
    | `max_turns` | `1` | attempts in an episode |
    | `sandbox` | `"auto"` | `process`, `bubblewrap`, or the strongest that works here |
    | `wall_s` | `10.0` | seconds for loading an answer and running all tests on it; for the plus sets, four times the reference's seconds if that is more |
    | `memory_mb` | `512` | mebibytes of memory for all its processes together |
    | `reward` | `"binary"` | `binary` or `fraction` |
    | `render_mode` | `None` | `ansi`: `render()` returns the transcript; `human`: it is printed |

    ## Vectorization

    `gym.make_vec("bai/Coding-v0", num_envs=8)` gives a [`SandboxVectorEnv`](../vector.md), which steps all of
    them at once; `bai.make_vec` adds wrappers. Gymnasium's own vector environments work too: with
    `vectorization_mode="async"`, pass `vector_kwargs={"shared_memory": False}`, because its shared memory
    cannot hold text. Environments of one process share their sandboxes; a forked process starts its own.

    ## References

    HumanEval: Chen et al. 2021 (arXiv:2107.03374). MBPP: Austin et al. 2021 (arXiv:2108.07732). HumanEval+
    and MBPP+: Liu et al. 2023 (arXiv:2305.01210). QuixBugs: Lin et al. 2017. What of each set differs here
    is told in [task sets](../task_sets.md).

    ## Version History

    - v0: first version.
    """  # noqa: E501 - a table's row is one line

    def __init__(
        self,
        *,
        task_set: str = "micro",
        split: str | None = None,
        difficulty: int | Sequence[int] | None = None,
        max_turns: int = 1,
        sandbox: str = "auto",
        wall_s: float = 10.0,
        memory_mb: int = 512,
        reward: RewardKind = "binary",
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        if isinstance(max_turns, bool) or not isinstance(max_turns, int) or max_turns < 1:
            raise ConfigError(f"max_turns must be a whole number, at least 1; got {max_turns!r}")
        if reward not in get_args(RewardKind):
            raise ConfigError(f"reward must be 'binary' or 'fraction'; got {reward!r}")
        expect_sandbox(sandbox)
        self._source: dict[str, Any] = {"name_or_path": task_set, "split": split, "difficulty": difficulty}
        self._tasks: TaskSet[CodingTask] | None = load_task_set(**self._source)
        self._limits = Limits(wall_s=wall_s, memory_bytes=memory_mb * MIB)
        self._max_turns, self._sandbox, self._reward = max_turns, sandbox, reward
        self._attempts = 0

    def __getstate__(self) -> dict[str, Any]:
        # A set may take megabytes, and every process can load it.
        return {**self.__dict__, "_tasks": None}

    def _task_set(self) -> TaskSet[CodingTask]:
        if self._tasks is None:
            self._tasks = load_task_set(**self._source)
        return self._tasks

    def _grader(self) -> Grader:
        # The pool is this process's own, so it is asked for anew after a fork or an unpickling.
        return Grader(shared_pool(self._sandbox, self._limits), wall_s=self._limits.wall_s)

    def _begin(self, task: CodingTask) -> str:
        self._grader().ensure_works()
        self._attempts = 0
        return task.prompt

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._attempts += 1
        if self._attempts < self._max_turns:
            feedback = self._grader().check(self.task, action)
            if feedback.verdict.status != "passed":
                return Outcome(observation=self._advice(feedback.text))
        return self._judged(self._grader().grade(self.task, action, partial=self._reward == "fraction"))

    def _advice(self, text: str) -> str:
        left = self._max_turns - self._attempts
        return f"{text}\n\nTry again: {left} attempt{'s' if left > 1 else ''} left.\n"

    def _judged(self, verdict: Verdict) -> Outcome:
        reward = verdict.score
        return Outcome(
            observation="", reward=reward, terminated=True, verdict=verdict, reward_terms={"hidden_tests": reward}
        )

    def _get_state(self) -> Any:
        return self._attempts

    def _set_state(self, state: Any) -> None:
        self._attempts = state

    def _solve(self, task: CodingTask) -> Iterator[str]:
        if not task.reference:
            raise ConfigError(f"task {task.task_id} brings no reference to solve it with")
        yield f"```python\n{assemble(task, task.reference).strip()}\n```"


make_vector = vector_entry("bai/Coding-v0")
"""The vector entry point."""
