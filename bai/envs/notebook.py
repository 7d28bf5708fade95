"""bai/Notebook-v0: answer a question about tables by working in a live Jupyter notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

from bai.envs.arguments import expect_counts, expect_one_of
from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.notebook import judge, read_answers
from bai.envs.notebooks.dialogue import HOW, Said, read_action, tell_observation, write_answer, write_step
from bai.envs.notebooks.document import make_notebook
from bai.envs.notebooks.moment import Moment
from bai.envs.notebooks.outputs import tell
from bai.envs.notebooks.packages import notebook_machine
from bai.envs.notebooks.progress import Progress
from bai.envs.notebooks.shell import CellResult, Nursery, Shell
from bai.envs.sandbox import expect_sandbox
from bai.envs.sandbox.base import MIB, Limits
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.notebook import NotebookTask
from bai.envs.tasks.notebook_sets import load_notebook_set
from bai.envs.vector.make import vector_entry
from bai.errors import ConfigError
from bai.types import Verdict

__all__ = ["NotebookEnv", "make_vector"]

RewardKind = Literal["binary", "fraction"]
Prompt = Literal["full", "task"]

PROCESSES = 64
"""Processes and threads of all shells of an environment together: its own, and those of snapshots that are held."""


class NotebookEnv(TextEnv[NotebookTask]):
    """Answer a question about tables in a live Jupyter notebook.

    ## Description

    Each episode poses one question about tables that lie in the working directory: one of `tables`, our own generator,
    whose answers are computed as the tables are drawn, or one of DABench. The agent works step by step: it thinks, runs a
    cell of Python, is told what came of it, and in the end gives named values. Cells run in a real IPython shell in a
    sandbox, which keeps its state from cell to cell. The labels stay outside, and the answer alone is judged: nothing
    that a cell prints, shows or changes in the shell counts.

    A cell that fails is written anew: the next cell takes its place, in the saved notebook too, and its number. What
    it did before it failed stays done.

    ## Action Space

    `UnicodeText(1048576)`: any string of at most 1 Mi characters. A step is

    ```
    <step><thought>...</thought><action>python_executor</action><action_input>code</action_input></step>
    ```

    and the last one `<stop_analysis><thought>...</thought><answer>@mean[3.21]</answer></stop_analysis>`. It is read
    [leniently](../notebooks.md): tags in any case, missing closing tags, code in a fence. What follows the first step
    is passed over. A text without code or answer counts as a step that failed.

    ## Observation Space

    `UnicodeText(1048576)`: after `reset`, how to answer (with `prompt="full"`), the question, the form of the answer and
    the files. After a step `<observation>...</observation>` with what the cell printed and showed (pictures by their
    kind) and its traceback, and how many steps are left; after one that failed, also a line that says so. Of more
    than `max_output` characters the middle is left out, and how much that was is said. After the last step, the empty
    string.

    ## Rewards

    Nothing until the episode ends; then, with `reward="binary"`, 1.0 if all values are right and else 0.0, or, with
    `reward="fraction"`, the share of values that are. Questions for a picture count its absence as one more value that is
    wrong. 0.0 without an answer, and where a cell ended the shell. `info["reward_terms"]["answers"]` is the share.

    ## Starting State

    A task drawn by the environment's own generator (`reset(seed=...)`), or the one that `reset(options={"task_id": ...})`
    names, and a fresh shell whose workspace holds the task's tables. The first `reset` makes the machine that shells run
    on, where it is not in the cache, and a first shell; later ones fork that. `reset` raises `bai.errors.InfraError` if
    there can be none.

    ## Episode End

    Terminated at the answer; at step number `max_steps`; when `max_errors` steps in a row have failed; and when a cell
    ends the shell: by `exit` or a crash (status `crashed`), by running longer than `cell_s` (`timeout`), by taking too much
    memory, a `MemoryError` that leaves the cell included (`memory`). Truncated if the machinery failed: then the reward is
    0.0, `info["error"]` names the fault, and the episode is to be left out, not scored.

    ## Information

    `task_id`; `verdict`: empty until the episode ends, then `status` (`passed`, `failed`, `timeout`, `crashed`, `memory` or
    `infra_error`), `score` and `detail`, which never holds a value; `reward_terms`: `answers`, once judged; `error`:
    None, or the fault of the machinery.

    ## Saving

    `env.unwrapped.save("episode.ipynb")` writes the episode as a notebook that Jupyter opens and `nbclient` runs again,
    and `env.unwrapped.notebook()` gives it as a dictionary; see [notebooks](../notebooks.md).

    ## Arguments

    ```python
    gym.make("bai/Notebook-v0", task_set="tables", family=["group", "join"], difficulty=2)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `task_set` | `"tables"` | `tables`, `dabench`, or the path of [rows](../own_tasks.md) |
    | `split` | `None` | `train` (None) or `heldout` of `tables` |
    | `family` | `None` | of `tables`: one or several of `clean`, `join`, `group`, `test`, `regress`, `plot`; None: all |
    | `difficulty` | `None` | one or several of 1, 2, 3 (`tables`), or of `easy`, `medium`, `hard` (`dabench`); None: all |
    | `max_steps` | `30` | steps in an episode |
    | `max_errors` | `5` | failed steps in a row that end it |
    | `max_output` | `10000` | characters of output that an observation shows |
    | `cell_s` | `60.0` | seconds that a cell may run |
    | `memory_mb` | `1024` | mebibytes of memory of all shells of the environment together, those of snapshots included; its libraries take about 100 |
    | `reward` | `"binary"` | `binary` or `fraction` |
    | `prompt` | `"full"` | `full`: the first observation says how to answer; `task`: it is the task alone |
    | `packages` | `None` | a distribution, or a list of those, that cells may import, beside IPython, pandas, matplotlib and what they need; None: of Jinja2, scikit-learn, SciPy, seaborn and statsmodels those that are installed |
    | `sandbox` | `"auto"` | `docker`, `bubblewrap`, `process`, or the strongest that works here |
    | `cache_dir` | `None` | the folder that the machine is kept in; None: `bai` in `XDG_CACHE_HOME` or `~/.cache` |
    | `render_mode` | `None` | `ansi`: `render()` returns the transcript; `human`: it is printed |

    ## Snapshots

    `snapshot`, `restore` and `fork` branch the live shell: variables, imports, figures, open files and the workspace. A
    shell with a thread, a socket or a child process cannot be branched: `CannotFork` says which. A snapshot that went to
    another process, or whose live copy is lost, is restored by running its cells again, which `stats["revived"]` tells.

    ## Vectorization

    `gym.make_vec("bai/Notebook-v0", num_envs=8)` gives a [`SandboxVectorEnv`](../vector.md), which steps all of them at
    once; `bai.make_vec` adds wrappers. With Gymnasium's own `vectorization_mode="async"`, pass
    `vector_kwargs={"shared_memory": False}`. Each environment has a sandbox of its own; forks live in their original's.

    ## References

    The dialogue: Datarus-R1 (arXiv:2508.13382). DABench: Hu et al. 2024 (arXiv:2401.05507).

    ## Version History

    - v0: first version.
    """  # noqa: E501 - a table's row is one line

    def __init__(
        self,
        *,
        task_set: str = "tables",
        split: str | None = None,
        family: str | Sequence[str] | None = None,
        difficulty: int | str | Sequence[int] | Sequence[str] | None = None,
        max_steps: int = 30,
        max_errors: int = 5,
        max_output: int = 10_000,
        cell_s: float = 60.0,
        memory_mb: int = 1024,
        reward: RewardKind = "binary",
        prompt: Prompt = "full",
        packages: str | Sequence[str] | None = None,
        sandbox: str = "auto",
        cache_dir: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        expect_counts(max_steps=max_steps, max_errors=max_errors, max_output=max_output)
        expect_one_of("reward", reward, get_args(RewardKind))
        expect_one_of("prompt", prompt, get_args(Prompt))
        expect_sandbox(sandbox)
        chosen = {"split": split, "family": family, "difficulty": difficulty}
        self._source: dict[str, Any] = {"name": task_set, **chosen}
        self._tasks: TaskSet[NotebookTask] | None = load_notebook_set(**self._source)
        self._limits = Limits(wall_s=cell_s, memory_bytes=memory_mb * MIB, processes=PROCESSES)
        self._max_steps, self._max_errors, self._max_output = max_steps, max_errors, max_output
        self._reward, self._prompt = reward, prompt
        packages = (packages,) if isinstance(packages, str) else packages
        self._machine: dict[str, Any] = {
            "sandbox": sandbox,
            "packages": None if packages is None else tuple(packages),
            "cache_dir": cache_dir,
        }
        self._nursery: Nursery | None = None
        self._shell: Shell | None = None
        self._progress = Progress()

    def __getstate__(self) -> dict[str, Any]:
        # A set may take megabytes and every process can load it; shells belong to their process.
        return {**self.__dict__, "_tasks": None, "_nursery": None, "_shell": None, "_done": True}

    def _task_set(self) -> TaskSet[NotebookTask]:
        if self._tasks is None:
            self._tasks = load_notebook_set(**self._source)
        return self._tasks

    # The episode.

    def _open(self, task: NotebookTask) -> Shell:
        """Gives a fresh shell with the task's tables."""
        if self._nursery is None:
            self._nursery = Nursery(notebook_machine(**self._machine), self._limits)
        return self._nursery.open(task.files)

    def _drop_shell(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def _begin(self, task: NotebookTask) -> str:
        self._drop_shell()
        self._progress = Progress()
        self._shell = self._open(task)
        return f"{HOW}\n{task.prompt}" if self._prompt == "full" else task.prompt

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._progress = self._progress.with_step()
        said = read_action(action)
        if said.kind == "answer":
            self._progress = self._progress.with_answer(said.body)
            return self._ended(self._judge(said.body))
        if said.kind == "malformed":
            return self._told(f"No cell was run: {said.body}.", failed=True)
        result = self._run(said)
        if result.is_gone:
            return self._ended(Verdict(status=result.status, score=0.0, detail=result.detail))  # type: ignore[arg-type]
        return self._told(tell(result.outputs, self._max_output), failed=result.status == "error")

    def _run(self, said: Said) -> CellResult:
        assert self._shell is not None
        result = self._shell.run(said.body, self._progress.next_count)
        self.stats["cells_s"] = self.stats.get("cells_s", 0.0) + result.seconds
        self._progress = self._progress.with_cell(said, result)
        return result

    def _told(self, text: str, *, failed: bool) -> Outcome:
        self._progress = self._progress.with_end_of_step(failed=failed)
        if over := self._progress.why_over(self._max_steps, self._max_errors):
            return self._ended(Verdict(status="failed", score=0.0, detail=over))
        left = self._max_steps - self._progress.steps
        return Outcome(observation=tell_observation(text, failed=failed, left=left))

    # How it is judged.

    def _judge(self, answer: str) -> Verdict:
        assert self.task is not None
        wanted = self.task.wanted_pictures
        return judge(self.task.expected, answer, pictures=self._progress.pictures(), wanted_pictures=wanted)

    def _ended(self, verdict: Verdict) -> Outcome:
        self._drop_shell()
        terms = {"answers": verdict.score}
        if self._reward == "binary" and verdict.status == "failed":
            verdict = Verdict(status="failed", score=0.0, detail=verdict.detail)
        return Outcome(observation="", reward=verdict.score, terminated=True, verdict=verdict, reward_terms=terms)

    # The document.

    def notebook(self, *, failures: bool = False) -> dict[str, Any]:
        """Gives the episode so far as a notebook document, of nbformat 4.5.

        Args:
            failures: Whether failed cells stay, tagged ``raises-exception``. Else each is replaced by the cell after
                it, with the same number; a cell that needs what a failed one did before it failed then lacks that.

        Raises:
            ConfigError: There is no episode.
        """
        if self.task is None:
            raise ConfigError("there is no notebook before reset()")
        facts = {"task_id": self.task.task_id, "verdict": self._info.get("verdict")}
        return make_notebook(
            self._progress.cells,
            prompt=self.task.prompt,
            answer=self._progress.answer,
            facts=facts,
            failures=failures,
        )

    def save(self, path: str | Path, *, failures: bool = False, tables: bool = False) -> Path:
        """Writes :meth:`notebook` to a file, which should be called ``.ipynb``.

        Args:
            path: The file; one that is there is replaced.
            failures: As of :meth:`notebook`.
            tables: Whether the task's tables are written beside it, so that it can be run again there.

        Raises:
            ConfigError: There is no episode.
            OSError: It cannot be written.
        """
        path, text = Path(path), json.dumps(self.notebook(failures=failures), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        assert self.task is not None
        for name, data in self.task.files.items() if tables else ():
            path.with_name(name).write_bytes(data)
        return path

    def record(self) -> dict[str, Any]:
        """Gives what an evaluation keeps of the episode beside its verdict: ``cells``, and ``answer`` where given."""
        cells = [{"source": cell.source, "failed": cell.failed} for cell in self._progress.cells]
        return {"cells": cells, **({} if self._progress.answer is None else {"answer": self._progress.answer})}

    # Branching and gold answers.

    def _get_state(self) -> Any:
        moment = None if self._shell is None or self._done else Moment.of(self._shell, self._progress.cells)
        return {"progress": self._progress, "moment": moment}

    def _set_state(self, state: Any) -> None:
        assert self.task is not None
        self._drop_shell()
        self._progress = state["progress"]
        moment: Moment | None = state["moment"]
        if moment is not None:
            task = self.task
            self._shell, live = moment.revive(lambda: self._open(task))
            self.stats["revived"] = "live" if live else "replayed"

    def fork(self) -> Self:
        """Gives an independent environment at the same moment of the same episode, with a live copy of the shell."""
        twin, snapshot = self._twin(), self.snapshot()
        if snapshot.state["moment"] is not None:
            # Nobody else will come for it, so that it need not be forked once more.
            snapshot.state["moment"].is_last = True
        twin.restore(snapshot)
        return twin

    def _solve(self, task: NotebookTask) -> Iterator[str]:
        gold = "\n".join(f"@{item.name}[{item.value}]" for item in task.expected)
        if task.solution:
            done = self._progress.steps
            yield write_step("All of it takes one cell.", task.solution)
            # Whoever lists the actions before taking them gets the gold answer; else it is what the cell printed.
            if self.task is task and self._progress.steps > done and self._progress.cells:
                printed = tell(self._progress.cells[-1].outputs, self._max_output)
                said = read_answers(printed)
                gold = "\n".join(f"@{name}[{value}]" for name, values in said.items() for value in values)
        yield write_answer("It is known.", gold)

    def close(self) -> None:
        self._drop_shell()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None


make_vector = vector_entry("bai/Notebook-v0")
"""The vector entry point."""
