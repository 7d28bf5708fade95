"""bai/Mathematics-v0: solve a problem; the final answer is compared as mathematics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from bai.envs.arguments import expect_counts, expect_one_of, expect_seconds
from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.answers import fenced_python
from bai.envs.grading.mathematics.final import marked_answer
from bai.envs.grading.mathematics.grader import MathGrader
from bai.envs.grading.mathematics.steps import split_steps
from bai.envs.sandbox import expect_sandbox
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.maths.game24 import combine
from bai.envs.tasks.maths.load import load_math_set
from bai.envs.tasks.maths.task import MathTask
from bai.envs.tools.python_shell import PythonShell
from bai.envs.vector.make import vector_entry
from bai.errors import CannotFork, ConfigError
from bai.types import Verdict

__all__ = ["MathematicsEnv", "make_vector"]

Tools = Literal["none", "python"]
Prompt = Literal["full", "short"]

_HOW = "Work step by step, one step a line. Give the final answer in \\boxed{...}."
_TOOL = (
    "You may compute with Python: answer with a block fenced as ```python and without a final answer, and you are told "
    "what it prints. Variables stay. There are {turns} turns."
)


class MathematicsEnv(TextEnv[MathTask]):
    r"""Solve a problem of mathematics; the final answer is compared with the right one as mathematics.

    ## Description

    Each episode poses one problem: a generated one (`arithmetic`), a question in words (GSM8K), a competition problem
    (MATH-500), or four numbers to combine to 24. The agent answers with a solution. Its final answer is read by a parser
    of bai's own, which names what it reads and evaluates nothing, and is right if it equals the right one: `1/2` is
    `0.5`, `\frac{1}{2}` and `50\%`; `\sqrt{12}` is `2\sqrt{3}`; `x = 1 or x = 2` is `\{2, 1\}`. What rational numbers do
    not decide is left to sympy, in a process that is limited and can be killed. Optionally the agent computes with
    Python in a sandbox before it answers.

    ## Action Space

    `UnicodeText(1048576)`: any string of at most 1 Mi characters. The final answer is the last `\boxed{...}`; without
    one, what the last `<answer>...</answer>` holds; without that, what follows `####` on the last line that begins so;
    without that, what follows `The answer is` (or `answer:`); without that, the last line. With `tools="python"`, an
    action with a block fenced as `python` and no marked answer runs the block instead. What is read, and how, is told in
    [mathematics](../mathematics.md).

    For a Game of 24 the final answer is an expression that uses each number once, with `+ - * /` and brackets.

    ## Observation Space

    `UnicodeText(1048576)`: what the environment says next. After `reset`, the problem and, with `prompt="full"`, how to
    answer it. After a block, what it printed, the value of its last line, its traceback. After an answer, the empty
    string.

    ## Rewards

    1.0 for a right answer and 0.0 for any other, at the end of the episode. `info["reward_terms"]["answer"]` repeats it.

    ## Starting State

    A task drawn by the environment's own generator (`reset(seed=...)`), or the one that
    `reset(options={"task_id": ...})` names. `reset` makes sure that answers can be compared and, with the tool, starts
    an empty interpreter; it raises `bai.errors.InfraError` if that fails.

    ## Episode End

    Terminated at the first answer; with the tool, at the first action that marks one or holds no block, and in any case
    at action number `max_turns`, whose block is not run. Truncated if the machinery failed: then the reward is 0.0,
    `info["error"]` names the fault, and the episode is to be left out, not scored.

    ## Information

    `task_id`; `verdict`: empty until the episode ends, then `status` (`passed`, `failed`; `timeout`, `memory` or `crashed`
    where comparing the answer took too much; or `infra_error`), `score` and `detail`, which never holds the right
    answer; `reward_terms`: `answer`, once judged; `error`: None, or the fault of the machinery; `steps`: the steps of the
    last action as places in it, `[[start, end], ...]` in characters, for rewards that judge steps. A rollout keeps the
    steps of all turns in `Trajectory.metadata["record"]["steps"]`.

    ## Arguments

    ```python
    gym.make("bai/Mathematics-v0", task_set="gsm8k", split="heldout", tools="python")
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `task_set` | `"arithmetic"` | `arithmetic`, `gsm8k`, `math500`, `game24`, or the path of [rows](../own_tasks.md) |
    | `split` | `None` | part of the set: `train` or `heldout` of `arithmetic` (None: `train`) and `gsm8k`; `train` or `test` of `game24`; None: all |
    | `difficulty` | `None` | a number, or a list of numbers: 1 to 5; of `gsm8k` the lines of its solution, 2 to 9; None: all |
    | `subject` | `None` | a subject of `math500`, such as `Algebra`, or a list; None: all |
    | `tools` | `"none"` | `none`; or `python`: blocks of Python are run |
    | `max_turns` | `None` | actions in an episode; None: 1, or 6 with the tool; more than 1 only with the tool |
    | `prompt` | `"full"` | `full`; or `short`: the problem alone, for models that were trained to answer it |
    | `compare_s` | `10.0` | seconds that comparing an answer may take |
    | `sandbox` | `"auto"` | `process`, `bubblewrap`, or the strongest that works here; for the tool |
    | `wall_s` | `10.0` | seconds that a block may take |
    | `memory_mb` | `512` | mebibytes of memory for all processes of the interpreter |
    | `max_output` | `4000` | characters of a block's output that are shown |
    | `render_mode` | `None` | `ansi`: `render()` returns the transcript; `human`: it is printed |

    ## Vectorization

    `gym.make_vec("bai/Mathematics-v0", num_envs=8)` gives a [`SandboxVectorEnv`](../vector.md); `bai.make_vec` adds
    wrappers. With Gymnasium's own `vectorization_mode="async"`, pass `vector_kwargs={"shared_memory": False}`.
    Environments of one process share the processes that compare. A `snapshot` or a `fork` amid an episode with
    the tool branches the live interpreter ([forks](../forking.md)); such an episode cannot be pickled.

    ## References

    GSM8K: Cobbe et al. 2021 (arXiv:2110.14168). MATH: Hendrycks et al. 2021 (arXiv:2103.03874); MATH-500: Lightman et al.
    2023 (arXiv:2305.20050). Game of 24: Yao et al. 2023 (arXiv:2305.10601).

    ## Version History

    - v0: first version.
    """  # noqa: E501 - a table's row is one line

    def __init__(
        self,
        *,
        task_set: str = "arithmetic",
        split: str | Sequence[str] | None = None,
        difficulty: int | Sequence[int] | None = None,
        subject: str | Sequence[str] | None = None,
        tools: Tools = "none",
        max_turns: int | None = None,
        prompt: Prompt = "full",
        compare_s: float = 10.0,
        sandbox: str = "auto",
        wall_s: float = 10.0,
        memory_mb: int = 512,
        max_output: int = 4_000,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        expect_one_of("tools", tools, get_args(Tools))
        expect_one_of("prompt", prompt, get_args(Prompt))
        expect_sandbox(sandbox)
        turns = (1 if tools == "none" else 6) if max_turns is None else max_turns
        expect_counts(max_turns=turns, max_output=max_output, memory_mb=memory_mb)
        if tools == "none" and turns != 1:
            raise ConfigError(f'without a tool an episode has one turn; got max_turns={turns}, tools="none"')
        expect_seconds(3_600, compare_s=compare_s)
        self._source: dict[str, Any] = {"name": task_set, "split": split, "difficulty": difficulty, "subject": subject}
        self._tasks: TaskSet[MathTask] | None = load_math_set(**self._source)
        self._limits = Limits(wall_s=wall_s, memory_bytes=memory_mb * MIB)
        self._tools, self._max_turns, self._prompt = tools, turns, prompt
        self._sandbox, self._max_output = sandbox, max_output
        self._grader = MathGrader(wall_s=compare_s)
        self._shell: PythonShell | None = None
        self._steps: list[list[list[int]]] = []

    def __getstate__(self) -> dict[str, Any]:
        if self._shell is not None and not self._done:
            raise CannotFork("an episode with a live interpreter cannot be pickled: fork() it, or replay its actions")
        # A set may take megabytes, and every process can load it.
        return {**self.__dict__, "_tasks": None, "_shell": None}

    def _task_set(self) -> TaskSet[MathTask]:
        if self._tasks is None:
            self._tasks = load_math_set(**self._source)
        return self._tasks

    def _begin(self, task: MathTask) -> str:
        self._steps = []
        self._grader.ensure_works()
        self._end_shell()
        if self._tools == "python":
            self._shell = PythonShell(self._sandbox, self._limits, self._max_output)
        if self._prompt == "short":
            return task.prompt
        told = [task.prompt, _HOW]
        if self._tools == "python":
            told.append(_TOOL.format(turns=self._max_turns))
        return "\n\n".join(told)

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._steps.append([list(step) for step in split_steps(action)])
        if self._shell is not None and len(self._steps) < self._max_turns and marked_answer(action) is None:
            code = fenced_python(action)
            if code is not None:
                return Outcome(observation=self._told(self._shell.run(code)))
        verdict = self._grader.grade(self.task, action)
        return self._judged(verdict)

    def _told(self, output: str) -> str:
        left = self._max_turns - len(self._steps)
        return f"{output.rstrip() or '[no output]'}\n\n[{left} turn{'s' if left > 1 else ''} left]\n"

    def _judged(self, verdict: Verdict) -> Outcome:
        reward = verdict.score
        return Outcome(observation="", reward=reward, terminated=True, verdict=verdict, reward_terms={"answer": reward})

    def _make_info(self, verdict: Verdict | None, terms: Mapping[str, float], error: str | None) -> dict[str, Any]:
        return {**super()._make_info(verdict, terms, error), "steps": self._steps[-1] if self._steps else []}

    def record(self) -> dict[str, Any]:
        """Gives the steps of every turn, as places in its action: ``{"steps": [[[start, end], ...], ...]}``."""
        return {"steps": self._steps}

    def _get_state(self) -> Any:
        return {"steps": self._steps, "shell": None if self._done else self._shell}

    def _set_state(self, state: Any) -> None:
        self._end_shell()
        self._steps, self._shell = state["steps"], state["shell"]

    def _solve(self, task: MathTask) -> Iterator[str]:
        answer = combine(task.operands, int(task.gold)) if task.operands else task.gold
        if answer is None:
            raise ConfigError(f"task {task.task_id} cannot be solved")
        yield "\n".join(part for part in (task.solution, f"The answer is \\boxed{{{answer}}}.") if part)

    def _end_shell(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close()

    def close(self) -> None:
        self._end_shell()


make_vector = vector_entry("bai/Mathematics-v0")
"""The vector entry point."""
