"""bai/SWEBench-v0: repair a real repository, judged by its hidden tests in a sandbox of their own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np

from bai.envs.arguments import expect_counts, expect_one_of, expect_seconds
from bai.envs.base import Outcome, TextEnv
from bai.envs.grading.gold import gold_changes
from bai.envs.grading.repair import TEST_LIMITS, RepairGrader, RepairReport
from bai.envs.grading.similarity import similarity_reward
from bai.envs.machines.base import Machine
from bai.envs.machines.interpreters import expect_choice
from bai.envs.machines.sources import expect_repos
from bai.envs.machines.workshop import LocalWorkshop, shared_workshop
from bai.envs.repository.actions import Action, read_action, read_patch
from bai.envs.repository.context import Context, show_files
from bai.envs.repository.dialogue import HOW, handing_in, tell_result, writing
from bai.envs.repository.patch import make_patch
from bai.envs.repository.tree import Tree
from bai.envs.sandbox import expect_sandbox
from bai.envs.sandbox.base import MIB, Limits, Snapshot
from bai.envs.tasks.base import TaskSet
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench import load_repair_set
from bai.envs.vector.make import vector_entry
from bai.envs.workplace import Workplace
from bai.errors import ConfigError, DataError, PatchError
from bai.types import Verdict

__all__ = ["SWEBenchEnv", "make_vector"]

Mode = Literal["bash", "patch"]
RewardKind = Literal["resolved", "fraction", "similarity"]
Prompt = Literal["full", "short"]


class SWEBenchEnv(TextEnv[RepairTask]):
    """Repair a repository that an issue complains about; hidden tests judge it.

    ## Description

    Each episode poses one task: a repository at one commit and an issue in words. The agent works on the files in a
    sandbox of its own, without network and with a history of one commit, and hands in what it changed. That difference
    alone leaves its sandbox. It is judged in a fresh one: the trusted files with the changes that may be made, the
    task's tests put on last, file by file, and one test that must fail under a name drawn at random.
    `swebench`'s own parsers read what the tests print, and its rules decide.

    ## Action Space

    `UnicodeText(1048576)`: any string. With `mode="bash"` it holds exactly one fenced block that is an action: `bash`,
    a script that runs in the repository's directory, each in a shell of its own; `edit`, SEARCH/REPLACE blocks for
    named files (see [patches](../patches.md)); or `submit`, which ends the episode. With `mode="patch"` the only
    action is a unified diff, in a block tagged `diff` or as the whole text. Anything else is answered with what was
    expected and costs a turn; in `mode="patch"` it is a wrong answer.

    ## Observation Space

    `UnicodeText(1048576)`. After `reset`: the issue, how to answer, and with `context` the text of files. After a
    `bash` action: how the script ended and what it printed, at most `max_output` characters, the middle cut out and
    counted. After an `edit`: the files changed, or why not. At the end, the empty string.

    ## Rewards

    Nothing until the end. Then, with `reward="resolved"`, 1.0 if every fail-to-pass test passes and every pass-to-pass
    test still does, else 0.0; with `"fraction"`, the share of fail-to-pass tests that pass, provided nothing broke;
    with `"similarity"`, SWE-RL's (Wei et al. 2025): -1 for an answer that breaks its format, else the similarity of
    the change to the gold one in [0, 1], without running a test. `info["reward_terms"]` holds `resolved`,
    `fail_to_pass` (share that passes) and `tampered_files`; with `"similarity"`, `similarity`.

    ## Starting State

    A task drawn by the environment's own generator (`reset(seed=...)`), or the one that
    `reset(options={"task_id": ...})` names. `reset` finds the trusted files and the machine, which takes minutes the
    first time an environment is built and less than half a second after, and raises `bai.errors.InfraError` where
    there is none to be had.

    ## Episode End

    Terminated at `submit`, or when `max_turns` actions or `total_s` seconds of commands are used up: then what is there
    is judged as if it had been submitted. With `mode="patch"`, at the first action. Truncated if the machinery failed:
    then the reward is 0.0 and `info["error"]` names the fault.

    ## Information

    `task_id`; `verdict`: empty until the end, then `status` (`passed`, `failed`, `timeout`, `crashed`, `memory`,
    `tampered` or `infra_error`), `score` and `detail`, which names no hidden test; `reward_terms`; `error`. The
    change that was judged is in `env.unwrapped.report` with what the tests showed: for people, not for the agent.

    ## Arguments

    ```python
    gym.make("bai/SWEBench-v0", task_set="swebench_lite", repos="/data/mirrors", max_turns=50)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `task_set` | `"default"` | `default` (shipped, works offline), `swebench_lite`, `swebench_verified`, `swebench`, or a path: see [repair tasks](../repair_tasks.md) |
    | `split` | `None` | part of the set; None: all |
    | `difficulty` | `None` | value of the rows' `difficulty`, or a list; None: all |
    | `mode` | `"bash"` | `bash` or `patch` |
    | `max_turns` | `30` | actions in an episode; 1 with `mode="patch"` |
    | `command_s` | `60.0` | seconds that one script may take |
    | `total_s` | `1800.0` | seconds that all scripts of an episode may take together |
    | `max_output` | `10000` | characters of a script's output that are shown |
    | `test_s` | `600.0` | seconds that the hidden tests may take |
    | `memory_mb` | `2048` | mebibytes of memory for all processes of a sandbox |
    | `context` | `None` | files shown in the prompt: `none`, `oracle` (those that the gold patch changes) or `all`; None: `none`, or `oracle` with `mode="patch"` |
    | `prompt` | `"full"` | `full`; or `short`: the issue and the files alone, for models that were trained to answer so |
    | `reward` | `"resolved"` | `resolved`, `fraction` or `similarity` |
    | `history` | `True` | whether the agent gets a `.git` of one commit (needs git on this machine) |
    | `sandbox` | `"auto"` | `docker`, `bubblewrap`, `process`, or the strongest that works here |
    | `repos` | `None` | where public repositories come from: a directory of clones or mirrors, or a URL with `{repo}`: see [machines](../machines.md) |
    | `python` | `"any"` | interpreter for environments built here: `spec`, `any` or a version |
    | `build` | `True` | whether environments may be built |
    | `pull` | `False` | whether tasks' images may be pulled |
    | `cache_dir` | `None` | where environments and clones are kept; None: the user's cache directory |
    | `render_mode` | `None` | `ansi`: `render()` returns the transcript; `human`: it is printed |

    ## Vectorization

    `gym.make_vec("bai/SWEBench-v0", num_envs=8)` gives a [`SandboxVectorEnv`](../vector.md); `bai.make_vec` adds
    wrappers. With Gymnasium's own `vectorization_mode="async"`, pass `vector_kwargs={"shared_memory": False}`. Each
    environment has a sandbox of its own while it works and one more while it is judged.

    ## References

    SWE-bench: Jimenez et al. 2024 (arXiv:2310.06770). Rewards by similarity: SWE-RL, Wei et al. 2025
    (arXiv:2502.18449). What is stricter here than in SWE-bench's harness is told in [patches](../patches.md) and
    [repair tasks](../repair_tasks.md).

    ## Version History

    - v0: first version.
    """  # noqa: E501 - a table's row is one line

    def __init__(
        self,
        *,
        task_set: str = "default",
        split: str | None = None,
        difficulty: str | Sequence[str] | None = None,
        mode: Mode = "bash",
        max_turns: int | None = None,
        command_s: float = 60.0,
        total_s: float = 1800.0,
        max_output: int = 10_000,
        test_s: float = 600.0,
        memory_mb: int = 2048,
        context: Context | None = None,
        prompt: Prompt = "full",
        reward: RewardKind = "resolved",
        history: bool = True,
        sandbox: str = "auto",
        repos: str | None = None,
        python: str = "any",
        build: bool = True,
        pull: bool = False,
        cache_dir: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        expect_one_of("mode", mode, get_args(Mode))
        expect_one_of("prompt", prompt, get_args(Prompt))
        expect_one_of("reward", reward, get_args(RewardKind))
        expect_one_of("context", context, (None, *get_args(Context)))
        expect_sandbox(sandbox)
        turns = (1 if mode == "patch" else 30) if max_turns is None else max_turns
        expect_counts(max_turns=turns, max_output=max_output, memory_mb=memory_mb)
        expect_seconds(86_400, command_s=command_s, total_s=total_s, test_s=test_s)
        if mode == "patch" and turns != 1:
            raise ConfigError(f'mode="patch" has one turn; got max_turns={max_turns}')
        if reward == "similarity" and mode != "patch":
            raise ConfigError('reward="similarity" judges one answer of edits or a diff: it needs mode="patch"')
        expect_repos(repos)
        expect_choice(python)
        self._source: dict[str, Any] = {"name_or_path": task_set, "split": split, "difficulty": difficulty}
        self._tasks: TaskSet[RepairTask] | None = load_repair_set(**self._source)
        self._mode, self._max_turns, self._reward = mode, turns, reward
        self._command_s, self._total_s, self._max_output = command_s, total_s, max_output
        self._prompt = prompt
        self._context: Context = context or ("oracle" if mode == "patch" else "none")
        places = {"sandbox": sandbox, "repos": repos, "cache_dir": cache_dir}
        self._place_options: dict[str, Any] = {**places, "python": python, "build": build, "pull": pull}
        self._limits = Limits(**{**vars(TEST_LIMITS), "memory_bytes": memory_mb * MIB, "wall_s": test_s})
        self._workshop: LocalWorkshop | None = None
        self._grader: RepairGrader | None = None
        self._workplace = Workplace(limits=self._limits, history=history)
        self._turns = 0
        self.report: RepairReport | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A set may take megabytes, and every process has a workshop of its own; the sandbox's files go along.
        moment = None if self.task is None else self._get_state()
        return {**self.__dict__, "_tasks": None, "_workshop": None, "_grader": None, "_moment": moment}

    def __setstate__(self, state: dict[str, Any]) -> None:
        moment = state.pop("_moment")
        self.__dict__.update(state)
        if moment is not None:
            self._set_state(moment)

    def _task_set(self) -> TaskSet[RepairTask]:
        if self._tasks is None:
            self._tasks = load_repair_set(**self._source)
        return self._tasks

    def _shop(self) -> LocalWorkshop:
        if self._workshop is None:
            self._workshop = shared_workshop(**self._place_options)
        return self._workshop

    def _judge(self) -> RepairGrader:
        if self._grader is None:
            self._grader = RepairGrader(self._shop(), limits=self._limits)
        return self._grader

    @property
    def mode(self) -> Mode:
        """How the agent answers."""
        return self._mode

    def given(self) -> tuple[Tree, Machine]:
        """Gives the files that the agent begins with and the machine on which it works: nothing that it may not see.

        Raises:
            ConfigError: There is no episode.
        """
        if self.task is None:
            raise ConfigError("there is no repository before reset()")
        return self._shop().tree(self.task), self._shop().machine(self.task)

    def _begin(self, task: RepairTask) -> str:
        self._turns, self.report = 0, None
        tree, machine = self.given()
        if self._mode == "bash":
            self._workplace.begin(tree, machine)
        self._judge()
        shown = show_files(tree, self._context, task.patch)
        told = (task.prompt, HOW[self._mode]) if self._prompt == "full" else (task.problem_statement,)
        return "\n".join(part for part in (*told, shown) if part)

    def _advance(self, action: str) -> Outcome:
        assert self.task is not None
        self._turns += 1
        if self._mode == "patch":
            return self._judge_text(self.task, action)
        wanted = read_action(action)
        said = "" if wanted.kind == "submit" else self._act(wanted)
        if self._workplace.wrecked:
            return self._lost("a script ended the sandbox that held the repository")
        if wanted.kind == "submit" or self._turns >= self._max_turns or self._workplace.spent_s >= self._total_s:
            return self._judge_place(self.task)
        left = self._max_turns - self._turns
        return Outcome(observation=f"{said}\n[{left} turn{'s' if left > 1 else ''} left]\n")

    # What the agent does.

    def _act(self, action: Action) -> str:
        if action.kind == "malformed":
            return f"No action was taken: {action.problem}."
        if action.kind == "edit":
            try:
                return "Changed " + ", ".join(self._workplace.edit(action.body)) + "."
            except PatchError as error:
                return f"Nothing was changed: {error}"
        wall_s = min(self._command_s, max(1.0, self._total_s - self._workplace.spent_s))
        return tell_result(self._workplace.run(action.body, wall_s), wall_s, self._max_output)

    # How it is judged.

    def _judge_place(self, task: RepairTask) -> Outcome:
        try:
            changes = self._workplace.changes()
        except DataError as error:
            return self._lost(str(error))
        return self._reported(self._judge().grade(task, changes, rng=self._fresh_rng()))

    def _judge_text(self, task: RepairTask, action: str) -> Outcome:
        if self._reward == "similarity":
            return self._compared(task, action)
        try:
            patch = read_patch(action) if action.strip() else ""
        except PatchError as error:
            return self._lost(str(error))
        return self._reported(self._judge().grade_patch(task, patch, rng=self._fresh_rng()))

    def _fresh_rng(self) -> np.random.Generator:
        """Names of tests that must fail come from the episode's seed, and leave its own draws alone."""
        return copy.deepcopy(self.np_random).spawn(1)[0]

    def _lost(self, why: str) -> Outcome:
        verdict = Verdict(status="failed", score=0.0, detail=why[:500])
        return self._reported(RepairReport(verdict=verdict))

    def _reported(self, report: RepairReport) -> Outcome:
        self.report = report
        self.stats |= {"tests_s": report.tests_s, "grade_s": report.seconds, "commands_s": self._workplace.spent_s}
        verdict, terms = report.verdict, report.terms()
        if self._reward == "resolved" and verdict.status == "failed":
            verdict = Verdict(status="failed", score=0.0, detail=verdict.detail)
        return Outcome(observation="", reward=verdict.score, terminated=True, verdict=verdict, reward_terms=terms)

    def _compared(self, task: RepairTask, action: str) -> Outcome:
        reward = similarity_reward(action, self._shop().tree(task), task.patch)
        score = max(0.0, reward)
        verdict = Verdict(status="passed" if score == 1.0 else "failed", score=score, detail=f"similarity {reward:.3f}")
        terms = {"similarity": reward}
        return Outcome(observation="", reward=reward, terminated=True, verdict=verdict, reward_terms=terms)

    def record(self) -> dict[str, Any]:
        """Gives what an evaluation keeps of the episode beside its verdict; it names hidden tests.

        Empty until it was judged by tests or refused; then ``patch``, the change that was judged, and, where the tests
        came to tell, ``failing``: the expected tests that do not pass.
        """
        if self.report is None or self._reward == "similarity":
            return {}
        failing = self.report.failing()
        return {"patch": self.report.patch, **({} if failing is None else {"failing": failing})}

    # Branching and gold answers.

    def _get_state(self) -> Any:
        place = self._workplace.pack() if self._mode == "bash" and not self._done else None
        return {"turns": self._turns, "place": place, "spent_s": self._workplace.spent_s, "report": self.report}

    def _set_state(self, state: Any) -> None:
        self._turns, self.report = state["turns"], state["report"]
        place: Snapshot | None = state["place"]
        if place is not None:
            self._workplace.unpack(place, *self.given(), state["spent_s"])

    def _solve(self, task: RepairTask) -> Iterator[str]:
        if self._mode == "patch" and task.patch.strip():
            yield handing_in(task.patch)
            return
        tree, changes = self._shop().tree(task), gold_changes(task, self._shop(), self._limits)
        if self._mode == "patch":
            yield handing_in(make_patch(tree, tree.changed(changes)).text)
            return
        yield writing(changes)
        yield "```submit\n```"

    def close(self) -> None:
        self._workplace.close()


make_vector = vector_entry("bai/SWEBench-v0")
"""The vector entry point."""
