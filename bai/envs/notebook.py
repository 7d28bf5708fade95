"""bai/Notebook-v0: answer a question about tables by working in a live Jupyter notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.notebook import judge, read_answers
from bai.envs.notebooks.dialogue import ACTION, HOW, Said, read_action, tell_observation
from bai.envs.notebooks.document import Cell, make_notebook, rewritten
from bai.envs.notebooks.moment import Moment
from bai.envs.notebooks.outputs import pictures, tell
from bai.envs.notebooks.packages import notebook_machine
from bai.envs.notebooks.shell import CellResult, Nursery, Shell
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


@dataclass(frozen=True, kw_only=True)
class _Progress:
    """What an episode has come to; replaced, never changed."""

    cells: tuple[Cell, ...] = ()
    steps: int = 0
    errors: int = 0
    """Steps in a row that failed."""
    answer: str | None = None


class NotebookEnv(TextEnv[NotebookTask]):
    """DOCSTRING"""

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
        packages: Sequence[str] | None = None,
        sandbox: str = "auto",
        cache_dir: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        for name, value in (("max_steps", max_steps), ("max_errors", max_errors), ("max_output", max_output)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number, at least 1; got {value!r:.100}")
        if reward not in get_args(RewardKind):
            raise ConfigError(f"reward must be 'binary' or 'fraction'; got {reward!r:.100}")
        if prompt not in get_args(Prompt):
            raise ConfigError(f"prompt must be 'full' or 'task'; got {prompt!r:.100}")
        self._source: dict[str, Any] = {
            "name": task_set,
            "split": split,
            "family": family,
            "difficulty": difficulty,
        }
        self._tasks: TaskSet[NotebookTask] | None = load_notebook_set(**self._source)
        self._limits = Limits(wall_s=cell_s, memory_bytes=memory_mb * MIB, processes=PROCESSES)
        self._max_steps, self._max_errors, self._max_output = max_steps, max_errors, max_output
        self._reward, self._prompt = reward, prompt
        self._machine: dict[str, Any] = {
            "sandbox": sandbox,
            "packages": None if packages is None else tuple(packages),
            "cache_dir": cache_dir,
        }
        self._nursery: Nursery | None = None
        self._shell: Shell | None = None
        self._progress = _Progress()

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
        self._progress = _Progress()
        self._shell = self._open(task)
        return f"{HOW}\n{task.prompt}" if self._prompt == "full" else task.prompt

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._advanced(steps=self._progress.steps + 1)
        said = read_action(action)
        if said.kind == "answer":
            self._advanced(answer=said.body)
            return self._ended(self._judge(said.body))
        if said.kind == "malformed":
            return self._told(f"No cell was run: {said.body}.", failed=True)
        result = self._run(said)
        if result.is_gone:
            return self._ended(Verdict(status=result.status, score=0.0, detail=result.detail))  # type: ignore[arg-type]
        return self._told(tell(result.outputs, self._max_output), failed=result.status == "error")

    def _run(self, said: Said) -> CellResult:
        assert self._shell is not None
        # A cell after a failed one takes its place, and its number.
        last = self._progress.cells[-1] if self._progress.cells else None
        count = 1 if last is None else last.count + (not last.failed)
        result = self._shell.run(said.body, count)
        self.stats["cells_s"] = self.stats.get("cells_s", 0.0) + result.seconds
        cell = Cell(
            source=said.body,
            count=count,
            thought=said.thought,
            outputs=result.outputs,
            failed=result.status != "ok",
        )
        self._advanced(cells=(*self._progress.cells, cell))
        return result

    def _advanced(self, **changes: Any) -> None:
        self._progress = _Progress(**{**vars(self._progress), **changes})

    def _told(self, text: str, *, failed: bool) -> Outcome:
        self._advanced(errors=self._progress.errors + 1 if failed else 0)
        left = self._max_steps - self._progress.steps
        if self._progress.errors >= self._max_errors:
            return self._ended(_floor(f"{self._max_errors} steps in a row failed"))
        if left <= 0:
            return self._ended(_floor(f"no answer within {self._max_steps} steps"))
        return Outcome(observation=tell_observation(text, failed=failed, left=left))

    # How it is judged.

    def _judge(self, answer: str) -> Verdict:
        assert self.task is not None
        shown = sum(pictures(cell.outputs) for cell in rewritten(self._progress.cells))
        return judge(self.task.expected, answer, pictures=shown, wanted_pictures=self.task.wanted_pictures)

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
            failures: Whether failed cells stay, tagged ``raises-exception``. Else each is replaced by the cell after it,
                with the same number; a cell that needs what a failed one did before it failed then lacks that.

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
        """Gives what an evaluation keeps of the episode beside its verdict: ``cells``, and ``answer`` if there is one."""
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
            thought = "<thought>All of it takes one cell.</thought>"
            yield f"<step>\n{thought}\n<action>{ACTION}</action>\n<action_input>\n{task.solution}\n</action_input>\n</step>"
            # Whoever lists the actions before taking them gets the gold answer; else it is what the cell printed.
            if self.task is task and self._progress.steps > done and self._progress.cells:
                printed = tell(self._progress.cells[-1].outputs, self._max_output)
                said = read_answers(printed)
                gold = "\n".join(f"@{name}[{value}]" for name, values in said.items() for value in values)
        yield f"<stop_analysis>\n<thought>It is known.</thought>\n<answer>\n{gold}\n</answer>\n</stop_analysis>"

    def close(self) -> None:
        self._drop_shell()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None


def _floor(why: str) -> Verdict:
    return Verdict(status="failed", score=0.0, detail=why)


make_vector = vector_entry("bai/Notebook-v0")
"""The vector entry point."""
