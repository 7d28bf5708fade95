"""Evaluations of repairs, and the files that SWE-bench's own tools read of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bai.agents.policies.text import TextPolicy
from bai.envs.machines.workshop import LIBRARIES
from bai.envs.repository.patch import make_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.micro_repair import make_micro_repairs
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench import load_repair_rows, write_rows
from bai.evals.predictions import write_predictions
from bai.evals.run import EvalConfig, Evaluation, evaluate, publish
from bai.policy import Completion, Policy, Sampling
from bai.types import Trajectory, Verdict

pytest.importorskip("swebench", reason="needs swebench")
pytest.importorskip("tree_sitter", reason="needs tree-sitter")

READ = """
import json, sys
from swebench.harness.reporting import make_run_report
from swebench.harness.utils import get_predictions_from_file

rows, run_id = [json.loads(line) for line in open(sys.argv[1])], sys.argv[2]
predictions = get_predictions_from_file("predictions.jsonl", "none", "test")
report = make_run_report({one["instance_id"]: one for one in predictions}, rows, run_id, report_dir="theirs")
print(report)
"""
"""What a user of SWE-bench's harness would do in the evaluation's folder."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three micro repairs."""
    return make_micro_repairs(tmp_path_factory.mktemp("rows"), "train", 3, difficulty=1, sandbox="process")


def run(rows: Path, policy: str, out: Path, live: Policy | None = None, **options: Any) -> Evaluation:
    given = {"task_set": str(rows), "mode": "patch", "sandbox": "process", "history": False, **options}
    config = EvalConfig(policy=policy, env="bai/SWEBench-v0", env_options=given, threads=2)
    result = evaluate(config, out=out, policy=live)
    publish(result, out)
    return result


def their_report(rows: Path, out: Path) -> dict[str, Any]:
    """The report that swebench makes of an evaluation's folder."""
    command = [sys.executable, "-W", "ignore", "-c", READ, str(rows), out.name]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(next((out / "theirs").iterdir()).read_text()))


def our_report(out: Path, policy: str) -> dict[str, Any]:
    return dict(json.loads((out / f"{policy}.{out.name}.json").read_text()))


def statuses(result: Evaluation) -> dict[str, int]:
    return dict(result.summary.statuses)


class Mixed(TextPolicy):
    """Solves the first task, changes another beside the point, and says nothing to the third."""

    name = "mixed"

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def generate(self, contexts: Any, n: int, sampling: Sampling, seeds: Any) -> list[list[Completion]]:
        told = [context.messages[0].content for context in contexts]
        return [
            [Completion(text=next(a for key, a in self.answers if key in said), stop_reason="eos")] for said in told
        ]  # type: ignore[misc,has-type]


def test_swebench_reads_what_an_evaluation_writes(rows: Path, tmp_path: Path) -> None:
    """Of a solved, a failed and an empty answer, swebench's own functions make the report that is written."""
    tasks = list(load_repair_rows(rows))
    beside = "--- /dev/null\n+++ b/more.py\n@@ -0,0 +1 @@\n+more = 1\n"
    answers = [
        (task.problem_statement, answer) for task, answer in zip(tasks, (tasks[0].patch, beside, ""), strict=True)
    ]
    out = tmp_path / "run"
    result = run(rows, "mixed", out, live=Mixed(answers))  # type: ignore[arg-type]
    assert statuses(result) == {"passed": 1, "failed": 2}
    ours = our_report(out, "mixed")
    assert ours == their_report(rows, out)
    assert ours["resolved_ids"] == [tasks[0].task_id]
    assert ours["unresolved_ids"] == [tasks[1].task_id]
    assert ours["empty_patch_ids"] == [tasks[2].task_id]
    predictions = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [list(row) for row in predictions] == [["instance_id", "model_name_or_path", "model_patch"]] * 3
    report = json.loads((out / "logs/run_evaluation/run/mixed" / tasks[1].task_id / "report.json").read_text())
    found = report[tasks[1].task_id]
    assert not found["resolved"] and found["patch_successfully_applied"]
    assert found["tests_status"]["FAIL_TO_PASS"] == {"success": [], "failure": list(tasks[1].fail_to_pass)}
    assert found["tests_status"]["PASS_TO_PASS"] == {"success": list(tasks[1].pass_to_pass), "failure": []}


@pytest.mark.parametrize("mode", ["patch", "bash"])
def test_the_oracle_resolves_and_the_empty_policy_does_not(rows: Path, tmp_path: Path, mode: str) -> None:
    """In both modes; the oracle takes two actions in a sandbox, the empty policy all there are."""
    turns = {"max_turns": 3} if mode == "bash" else {}
    solved = run(rows, "oracle", tmp_path / "oracle", mode=mode, **turns)
    assert statuses(solved) == {"passed": 3}
    assert [len(row.turns) for row in solved.trajectories] == [2 if mode == "bash" else 1] * 3
    silent = run(rows, "empty", tmp_path / "empty", mode=mode, **turns)
    assert statuses(silent) == {"failed": 3}
    assert our_report(tmp_path / "empty", "empty")["empty_patch_instances"] == 3


def test_an_evaluation_goes_on_and_spreads_over_processes(rows: Path, tmp_path: Path) -> None:
    """What an earlier run finished is kept with its patches; worker processes find the same."""
    options = {"task_set": str(rows), "mode": "patch", "sandbox": "process"}
    config = EvalConfig(policy="oracle", env="bai/SWEBench-v0", env_options=options, limit=1)
    publish(evaluate(config, out=tmp_path), tmp_path)
    first = (tmp_path / "trajectories.jsonl").read_bytes()
    wider = EvalConfig(policy="oracle", env="bai/SWEBench-v0", env_options=options, workers=1)
    result = evaluate(wider, out=tmp_path)
    publish(result, tmp_path)
    assert (tmp_path / "trajectories.jsonl").read_bytes().startswith(first)
    assert statuses(result) == {"passed": 3}
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 3


def test_a_library_s_task_is_evaluated_like_any(tmp_path: Path) -> None:
    """A fault put by hand into a shipped library: pytest runs its tests, the oracle repairs it."""
    tree = Tree.from_folder(LIBRARIES / "recur", leave_out=frozenset({"__pycache__"}))
    write_rows(tmp_path / "rows.jsonl", [library_task(tree)])
    assert statuses(run(tmp_path / "rows.jsonl", "oracle", tmp_path / "oracle")) == {"passed": 1}
    assert statuses(run(tmp_path / "rows.jsonl", "empty", tmp_path / "empty")) == {"failed": 1}


def library_task(tree: Tree) -> RepairTask:
    """Makes a task whose test is hidden with what it is about."""
    code = "def twice(value):\n    return {} * value\n"
    test = "from recur.twice import twice\n\n\ndef test_twice():\n    assert twice(4) == 8\n"
    faulty = tree.changed({"recur/twice.py": Entry(data=code.format(3).encode())})
    sound = tree.changed({"recur/twice.py": Entry(data=code.format(2).encode())})
    tested = faulty.changed({"tests/test_twice.py": Entry(data=test.encode())})
    return RepairTask(
        task_id="recur__twice",
        prompt="",
        repo="library/recur",
        base_commit=faulty.digest,
        version="0",
        problem_statement="twice(4) gives 12.",
        patch=make_patch(faulty, sound).text,
        test_patch=make_patch(faulty, tested).text,
        fail_to_pass=("tests/test_twice.py::test_twice",),
        pass_to_pass=(),
        log_parser="parse_log_pytest",
        run=TestRun(
            command="python -m pytest -rA --no-header -p no:cacheprovider -o addopts=", targets=("tests/test_twice.py",)
        ),
        origin={"library": "recur", "bug": make_patch(tree, faulty).text},
    )


def test_what_the_machinery_lost_is_incomplete(rows: Path, tmp_path: Path) -> None:
    """A sample that was lost hands nothing in, and hostile names of tasks and models stay in the folder."""
    task = next(iter(load_repair_rows(rows)))
    lost = Trajectory(
        trajectory_id="x",
        env_id="bai/SWEBench-v0",
        task_id=task.task_id,
        turns=(),
        verdict=Verdict(status="infra_error", score=0.0),
        error="SandboxDied",
        metadata={"sample": 0},
    )
    write_predictions(tmp_path / "a", [task], [lost], model="../../etc/model", run_id="..")
    assert (tmp_path / "a" / "predictions.jsonl").read_text() == ""
    report = json.loads((tmp_path / "a" / "..__..__etc__model.__.json").read_text())
    assert report["incomplete_ids"] == [task.task_id] and report["total_instances"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
