"""The ``bai`` command: one sentence for every mistake, JSON for machines, honest exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import bai
from bai.agents.policies import make_policy
from bai.cli.output import assignments, difficulties, env_options, progress
from bai.cli.training import model_directory
from bai.envs.sandbox import make_sandbox
from bai.envs.sandbox.registry import ProcessId, Record
from bai.errors import ConfigError
from bai.types import Trajectory, Turn, Verdict, read_trajectories, write_trajectories

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with four trajectories: two pass, one fails, one was lost."""
    rows = [
        Trajectory(
            trajectory_id=f"t/{i}",
            env_id="bai/Coding-v0",
            task_id=f"t/{i}",
            turns=(Turn(observation=f"Write f{i}.", action=f"def f{i}(): return '\x1b[31m'"),),
            reward=float(i < 2),
            verdict=None if i == 3 else Verdict(status="passed" if i < 2 else "failed", score=float(i < 2)),
            error="SandboxDied" if i == 3 else None,
        )
        for i in range(4)
    ]
    write_trajectories(tmp_path / "trajectories.jsonl", rows)
    return tmp_path


def test_help_names_every_policy(run: Run) -> None:
    """``bai eval --help`` and the refusal of an unknown policy name the same forms."""
    code, text, _ = run("eval", "--help")
    with pytest.raises(ConfigError) as refused:
        make_policy("nobody")
    forms = re.split(r", | or ", str(refused.value).removeprefix("a policy is named ").partition(";")[0])
    assert code == 0 and len(forms) == 7
    assert all(re.search(rf"\b{re.escape(form)}\b", text) for form in forms)


def test_help_lists_the_commands_and_loads_nothing_heavy() -> None:
    """``bai --help`` names every command, and neither torch nor Ray nor an environment is imported for it."""
    source = (
        "import sys, json\nsys.argv = ['bai', '--help']\nfrom bai.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "print(json.dumps(sorted(n for n in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {"torch", "ray", "transformers", "bai.envs.coding", "bai.agents.rollout"}.isdisjoint(loaded)
    for command in ("train", "eval", "tasks", "view", "bench", "doctor", "demo", "sandbox"):
        assert f" {command} " in done.stdout


def test_runs_as_a_module() -> None:
    """``python -m bai`` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "bai", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, bai.__version__)


class TestMistakes:
    """Bad input is answered by one sentence and exit code 2, never by a traceback."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("eval", "--policy", "nonsense", "--limit", "2"),
            ("eval", "--policy", "oracle", "--task-set", "nothing-here"),
            ("eval", "--policy", "oracle", "--samples", "0"),
            ("eval", "--policy", "oracle", "--limit", "2", "--policy-option", "colour=red"),
            ("eval", "--policy", "oracle", "--option", "sandbox"),
            ("eval", "--policy", "oracle", "--option", "colour=red"),
            ("eval", "--agent", "empty", "--env", "bai/SWEBench-v0", "--env-arg", "max_turn=3"),
            ("eval", "--agent", "empty", "--env", "bai/SWEBench-v0", "--env-arg", "mode=3"),
            ("train", "--model", "nano", "--out", "run", "--env-arg", "colour=red"),
            ("eval", "--policy", "oracle", "--env", "bai/Nothing-v0"),
            ("eval", "--policy", "oracle", "--temperature", "-1"),
            ("eval", "--policy", "oracle", "--difficulty", "hard"),
            ("eval", "--policy", "oracle", "--difficulty", "4-9"),
            ("tasks", "check", "micro", "--difficulty", "3-1"),
            ("tasks", "check", "micro", "--split", "test"),
            ("train", "--model", "nano", "--out", "run", "--difficulty", "1,2"),
            ("tasks", "show", "nothing-here"),
            ("tasks", "show", "micro", "micro/0"),
            ("train", "--model", "nothing-here", "--out", "run"),
            ("train", "--model", "nano", "--out", "run", "--env-runners", "-1"),
            ("train", "--model", "nano", "--out", "run", "--set", "lr=fast"),
            ("view", "nothing-here.jsonl"),
        ],
        ids=" ".join,
    )
    def test_one_sentence(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple) -> None:
        """The fault is on standard error, in one line."""
        monkeypatch.chdir(tmp_path)
        code, text, faults = run(*arguments)
        assert code == 2
        assert faults.startswith("error: ")
        assert len(faults.strip().splitlines()) == 1
        assert "Traceback" not in faults + text

    def test_a_path_that_cannot_be_a_folder_is_named(self, run: Run, tmp_path: Path) -> None:
        """An output folder that is a file."""
        (tmp_path / "file").write_text("taken")
        code, _, told = run("eval", "--policy", "oracle", "--limit", "1", "--out", str(tmp_path / "file"))
        assert code == 2
        assert str(tmp_path / "file") in told
        assert "Traceback" not in told

    def test_an_unknown_set_is_told_with_the_nearest(self, run: Run) -> None:
        """Sets of every environment are thought of, before anything heavy is imported."""
        for command in (("eval", "--policy", "oracle"), ("train", "--model", "none", "--out", "none")):
            code, _, faults = run(*command, "--task-set", "gsm9k")
            assert code == 2
            assert "no file 'gsm9k' (did you mean 'gsm8k'?)" in faults
            assert "`bai tasks list`" in faults

    def test_an_unknown_environment_is_told_with_those_of_bai(self, run: Run) -> None:
        """An id that nobody registered is answered with the nearest, for training too."""
        for command in (("eval", "--policy", "oracle"), ("train", "--model", "none", "--out", "none")):
            code, _, faults = run(*command, "--env", "bai/Codin-v0")
            assert code == 2
            assert "there is no environment 'bai/Codin-v0' (did you mean 'bai/Coding-v0'?)" in faults
            assert "bai/ToolUse-v0" in faults

    def test_what_can_be_told_early_is_told_before_anything_heavy(self, tmp_path: Path) -> None:
        """A model, a run, a setting: neither torch nor Ray is imported to find that it is wrong."""
        source = (
            "import sys\nfrom bai.cli import main\n"
            "try: main()\nexcept SystemExit as e: print(e.code, *sorted({'torch', 'ray'} & set(sys.modules)))"
        )
        (tmp_path / "config.json").write_text("{}")
        train, new = ("train", "--model", str(tmp_path), "--out"), str(tmp_path / "new")
        cases = {
            ("eval", "--policy", "hf:nowhere", "--limit", "1", "--out", new): "nowhere is no directory",
            ("train", "--model", "nowhere", "--out", new): "nowhere is no directory",
            (*train, str(tmp_path)): "holds a run already",
            (*train, new, "--set", "learning_rate=1"): "did you mean 'lr'",
            (*train, new, "--set", "lr=fast"): "lr must be a number",
            (*train, new, "--env-arg", "colour=red"): "no argument 'colour'",
        }
        for arguments, said in cases.items():
            done = subprocess.run(
                [sys.executable, "-c", source, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
            )
            assert (done.stdout, said in done.stderr) == ("2\n", True), done.stderr

    def test_unknown_options_are_named(self, run: Run) -> None:
        """A mistyped option or command is exit code 2 too."""
        assert run("eval", "--polcy", "oracle")[0] == 2
        assert run("evaluate")[0] == 2


class TestView:
    """Trajectories in the terminal and as a page."""

    def test_shows_figures_and_a_list(self, run: Run, saved: Path) -> None:
        """Without an index: the figures, what was lost, and every trajectory in a line."""
        code, text, _ = run("view", saved)
        assert code == 0
        assert "66.7 %" in text
        assert "1 of 4 samples were lost" in text
        assert [line.split()[:3] for line in text.splitlines() if line.startswith(("0 ", "3 "))] == [
            ["0", "t/0", "passed"],
            ["3", "t/3", "infra_error"],
        ]

    def test_shows_one(self, run: Run, saved: Path) -> None:
        """With an index: prompt, answer and verdict, terminal escapes spelled out."""
        code, text, _ = run("view", saved, "--index", 2)
        assert code == 0
        assert "Write f2." in text
        assert "\\x1b[31m" in text
        assert "\x1b" not in text
        assert run("view", saved, "-i", 9)[0] == 2

    def test_chooses_by_status_and_task(self, run: Run, saved: Path) -> None:
        """Filters come before the index."""
        assert "Write f2." in run("view", saved, "--status", "failed", "-i", 0)[1]
        assert "Write f1." in run("view", saved, "--task", "t/1", "-i", 0)[1]
        assert run("view", saved, "--status", "timeout", "-i", 0)[0] == 2
        code, _, faults = run("view", saved, "--status", "pased")
        assert code == 2
        assert "status must be one of passed, failed" in faults

    def test_long_lines_are_folded(self, run: Run, tmp_path: Path) -> None:
        """All of a prompt and an answer shows, however long a line; a verdict without a reason is the status alone."""
        words = [f"word{number}" for number in range(100)]
        turn = Turn(observation=" ".join(words), action="x" * 300)
        verdict = Verdict(status="passed", score=1.0)
        row = Trajectory(trajectory_id="t", env_id="e", task_id="t", turns=(turn,), reward=1.0, verdict=verdict)
        write_trajectories(tmp_path / "long.jsonl", [row])
        code, text, _ = run("view", tmp_path / "long.jsonl", "-i", 0)
        assert code == 0
        assert set(words) <= set(re.findall(r"word\d+", text))
        assert text.count("x") == 300
        assert "verdict: passed\n" in text

    def test_none_left_is_said(self, run: Run, saved: Path) -> None:
        """Where no trajectory is what was asked for, that is said, with what there is."""
        code, text, faults = run("view", saved, "--task", "t/11")
        assert (code, text) == (2, "")
        assert "none of the 4 trajectories has task 't/11' (did you mean 't/1'?)" in faults
        assert "there are 2 passed, 1 failed, 1 infra_error" in faults
        code, text, faults = run("view", saved, "--status", "timeout")
        assert (code, text) == (2, "")
        assert "none of the 4 trajectories has status 'timeout'" in faults

    def test_a_training_run_is_its_last_iteration(self, run: Run, saved: Path) -> None:
        """Of a run's folder the newest file of trajectories is shown; a folder without any is refused."""
        rows = list(read_trajectories(saved / "trajectories.jsonl"))
        folder = saved / "run" / "trajectories"
        folder.mkdir(parents=True)
        code, _, faults = run("view", saved / "run")
        assert code == 2
        assert "of a training run" in faults
        for number in (1, 2):
            write_trajectories(folder / f"{number:06d}.jsonl", rows[:number])
        code, text, _ = run("view", saved / "run", "--json")
        assert code == 0
        assert [(group["name"], group["samples"]) for group in json.loads(text)] == [("000002", 2)]

    def test_json_is_the_trajectory(self, run: Run, saved: Path) -> None:
        """A machine gets the stored form back; without an index it gets the figures."""
        row = json.loads(run("view", saved, "-i", 0, "--json")[1])
        assert Trajectory.from_json(row).task_id == "t/0"
        (figures,) = json.loads(run("view", saved, "--json")[1])
        assert (figures["samples"], figures["lost"]) == (3, 1)

    def test_writes_a_page(self, run: Run, saved: Path) -> None:
        """Several files stand side by side; a run's metrics become its curve."""
        (saved / "metrics.jsonl").write_text('{"iteration": 1, "reward": 0.5}\n')
        page = saved / "page.html"
        (saved / "other.jsonl").write_bytes((saved / "trajectories.jsonl").read_bytes())
        code, text, _ = run("view", saved, saved / "other.jsonl", "--html", page)
        assert code == 0
        assert str(page) in text
        assert "gain in pass@1: +0.0 points [+0.0, +0.0]" in run("view", saved, saved / "other.jsonl")[1]
        assert "Training" in page.read_text(encoding="utf-8")
        assert page.read_text(encoding="utf-8").count('<details class="trajectory"') == 8

    def test_a_training_run_s_page_has_its_curve(self, run: Run, saved: Path) -> None:
        """Metrics lie beside the folder that a run keeps its trajectories in."""
        (saved / "trajectories").mkdir()
        sampled = saved / "trajectories" / "000001.jsonl"
        sampled.write_bytes((saved / "trajectories.jsonl").read_bytes())
        (saved / "metrics.jsonl").write_text('{"iteration": 1, "reward": 0.5}\n')
        assert run("view", sampled, "--html", saved / "page.html")[0] == 0
        assert "Training" in (saved / "page.html").read_text(encoding="utf-8")
        assert run("view", sampled, "--html", saved / "page.html", "--metrics", saved / "none.jsonl")[0] == 2

    def test_a_file_without_trajectories_is_refused(self, run: Run, saved: Path) -> None:
        """A file that is empty, or holds a torn line alone, is no evaluation of nothing."""
        for content in ("", "{}"):
            (saved / "trajectories.jsonl").write_text(content)
            code, _, faults = run("view", saved)
            assert code == 2
            assert "not one whole line" in faults

    def test_the_same_file_twice_is_refused(self, run: Run, saved: Path) -> None:
        """A file cannot be compared with itself."""
        assert run("view", saved, saved / "trajectories.jsonl")[0] == 2

    def test_a_damaged_file_is_named(self, run: Run, saved: Path) -> None:
        """A broken line gives its file and number."""
        path = saved / "trajectories.jsonl"
        path.write_bytes(b"{}\n" + path.read_bytes())
        code, _, faults = run("view", path)
        assert code == 2
        assert "trajectories.jsonl:1" in faults

    def test_another_file_is_no_trajectories(self, run: Run, tmp_path: Path) -> None:
        """A file of another kind is said to hold none, whatever in it could not be read."""
        for content in ('{\n "cells": []\n}\n', '{"cells": []}\n{}\n', "[1]\n{}\n"):
            (tmp_path / "episode.ipynb").write_text(content)
            code, _, faults = run("view", tmp_path / "episode.ipynb")
            assert code == 2
            assert "episode.ipynb:1: expected a trajectory, as bai writes them one a line; this is none" in faults


class TestTasks:
    """Task sets on the command line."""

    def test_lists_sets(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sets that aren't here are listed as such, with the folders that are searched."""
        monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        code, text, _ = run("tasks", "list")
        assert code == 0
        assert "micro" in text
        assert "unlimited" in text
        assert "not on this machine" in text
        for folder in ("code", "math", "notebook", "sql", "swebench", "tools"):
            assert f"{tmp_path / 'data' / folder}, " in text
        listed = json.loads(run("tasks", "list", "--json")[1])
        assert {row["name"]: row["found"] for row in listed["sets"]}["humaneval"] is False

    def test_shows_what_an_agent_may_see(self, run: Run) -> None:
        """The prompt and the examples are printed; hidden tests and the solution are not."""
        code, text, _ = run("tasks", "show", "micro")
        assert code == 0
        assert "Write " in text
        assert "example: " in text
        shown = json.loads(run("tasks", "show", "micro", "--json")[1])
        assert set(shown) == {"task_id", "entry_point", "prompt", "public", "metadata"}
        assert shown["task_id"] in text

    def test_finds_a_task_by_its_id(self, run: Run) -> None:
        """An id picks the task."""
        assert "micro/heldout/2/000000001" in run("tasks", "show", "micro", "micro/heldout/2/000000001")[1]

    def test_checks_a_set(self, run: Run, tmp_path: Path) -> None:
        """Gold answers pass and empty ones don't; a set with a wrong solution is unsound, and says which."""
        code, text, _ = run("tasks", "check", "micro", "--limit", 6)
        assert (code, text.strip()) == (
            0,
            "6 tasks: 6 gold answers pass, 0 empty answers earn, 0 attempts lost to the machinery",
        )
        rows = [
            {"task_id": f"t/{i}", "prompt": "Write f(x).", "entry_point": "f", "reference": f"def f(x): return x + {i}",
             "cases": [{"args": [1], "expected": 2}]}
            for i in (1, 2)
        ]  # fmt: skip
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        code, text, _ = run("tasks", "check", file)
        assert code == 1
        assert "gold answer fails: t/2: failed" in text
        found = json.loads(run("tasks", "check", file, "--json")[1])
        assert (found["tasks"], found["solved"], list(found["unsolved"]), found["ok"]) == (2, 1, ["t/2"], False)

    def test_checks_part_of_a_set(self, run: Run, tmp_path: Path) -> None:
        """Split and difficulty choose the tasks that ``bai eval`` would choose."""
        rows = [
            {"task_id": f"{split}/{level}", "prompt": "Write f(x).", "entry_point": "f",
             "reference": "def f(x): return x", "cases": [{"args": [1], "expected": 1}],
             "metadata": {"split": split, "difficulty": level}}
            for split in ("train", "test") for level in (1, 2, 3, 4)
        ]  # fmt: skip
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for options, tasks in (
            ((), 8),
            (("--split", "test"), 4),
            (("--difficulty", "3"), 2),
            (("--difficulty", "2-4"), 6),
            (("--split", "train", "--difficulty", "1-2", "--difficulty", "4"), 3),
        ):
            code, text, _ = run("tasks", "check", file, *options, "--json")
            assert (code, json.loads(text)["tasks"]) == (0, tasks), options
            out = tmp_path / "-".join(("out", *options))
            code, text, _ = run("eval", "--policy", "oracle", "--task-set", file, *options, "--out", out, "--json")
            assert (code, json.loads(text)["tasks"]) == (0, tasks), options


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small untrained model of ours with its tokenizer, as a directory."""
    import torch
    from transformers import AutoModelForCausalLM

    from bai.models import preset, train_tokenizer

    folder = tmp_path_factory.mktemp("nano")
    tokenizer = train_tokenizer(["def f(x):\n    return x + 1\n"] * 4, 300)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = preset("nano", vocab_size=len(tokenizer), num_key_value_heads=1, **shape)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestEval:
    """Evaluations from end to end, in a real sandbox."""

    def test_the_oracle_on_generated_tasks(self, run: Run, tmp_path: Path) -> None:
        """The oracle passes all; figures, trajectories and report are written; a second run draws nothing anew."""
        command = ("eval", "--policy", "oracle", "--limit", 8, "--out", tmp_path / "run")
        code, text, _ = run(*command)
        assert code == 0
        assert "100.0 %" in text
        assert "report: " in text
        assert sorted(p.name for p in (tmp_path / "run").iterdir() if p.name[0] != ".") == [
            "evaluation.json", "report.html", "summary.json", "trajectories.jsonl"
        ]  # fmt: skip
        before = (tmp_path / "run" / "trajectories.jsonl").read_bytes()
        figures = json.loads(run(*command, "--json")[1])
        assert figures["pass_at"]["1"]["value"] == 1.0
        assert figures["env_options"] == {"task_set": "micro", "split": "heldout"}
        assert (tmp_path / "run" / "trajectories.jsonl").read_bytes() == before

    def test_difficulty_is_a_number_or_a_range(self, run: Run, tmp_path: Path) -> None:
        """A range holds both of its ends; a single number is kept as such, as in folders of earlier evaluations."""
        for given, kept in (("2", 2), ("1-3", [1, 2, 3]), ("2-2", 2)):
            command = ("eval", "--policy", "oracle", "--difficulty", given, "--limit", 6, "--out", tmp_path / given)
            code, text, _ = run(*command, "--json")
            figures = json.loads(text)
            assert (code, figures["env_options"]["difficulty"]) == (0, kept)
            levels = {row.metadata["difficulty"] for row in read_trajectories(tmp_path / given / "trajectories.jsonl")}
            assert levels == ({kept} if isinstance(kept, int) else set(kept))

    def test_the_same_command_finds_its_folder(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a folder, one is made of what is evaluated: more tasks go to the same, another seed to another."""
        monkeypatch.chdir(tmp_path)
        for arguments in (("--limit", 1), ("--limit", 2), ("--limit", 1, "--seed", 1)):
            assert run("eval", "--policy", "oracle", *arguments)[0] == 0
        assert len(list((tmp_path / "runs" / "eval").iterdir())) == 2

    @pytest.mark.slow
    def test_a_model_of_ours(self, run: Run, tmp_path: Path, nano: Path) -> None:
        """A checkpoint is sampled; worker processes draw the samples that one process draws."""
        command = ("eval", "--policy", f"checkpoint:{nano}", "--limit", 3, "-n", 2, "--max-new-tokens", 8, "--json")
        code, text, _ = run(*command, "--out", tmp_path / "here")
        assert code == 0
        assert json.loads(text)["samples"] == 6
        assert run(*command, "--out", tmp_path / "there", "--workers", 2)[0] == 0
        drawn = [
            sorted(
                (t.trajectory_id, t.turns[0].action) for t in read_trajectories(tmp_path / name / "trajectories.jsonl")
            )
            for name in ("here", "there")
        ]
        assert drawn[0] == drawn[1]
        assert len(set(drawn[0])) == 6

    def test_too_many_faults_fail(self, tmp_path: Path) -> None:
        """Where no sandbox works nothing is scored: the losses are printed and the exit code is 1."""
        command = ["-m", "bai", "eval", "--policy", "oracle", "--limit", "2", "--out", str(tmp_path / "run")]
        done = subprocess.run(
            [sys.executable, *command, "--option", "sandbox=bubblewrap"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        )
        assert done.returncode == 1, done.stderr
        assert "2 of 2 samples were lost" in done.stderr
        assert "100.0 %" in done.stdout
        assert json.loads((tmp_path / "run" / "summary.json").read_text())["samples"] == 0

    @pytest.mark.slow
    def test_killed_and_run_again(self, run: Run, tmp_path: Path) -> None:
        """A run killed by the system loses no finished sample, and ends as an undisturbed run ends."""
        command = ["eval", "--policy", "oracle", "--limit", "60", "--batch", "3", "--out"]
        file = tmp_path / "killed" / "trajectories.jsonl"
        with subprocess.Popen([sys.executable, "-m", "bai", *command, str(file.parent)], cwd=ROOT) as process:
            while process.poll() is None and not (file.exists() and file.read_bytes().count(b"\n") >= 6):
                time.sleep(0.01)
            process.kill()
        kept = list(read_trajectories(file))
        assert 6 <= len(kept) < 60
        assert run(*command, file.parent)[0] == 0
        assert run(*command, tmp_path / "whole")[0] == 0
        ends = [list(read_trajectories(folder / "trajectories.jsonl")) for folder in (file.parent, tmp_path / "whole")]
        assert ends[0][: len(kept)] == kept
        assert [replace(t, spans=()) for t in ends[0]] == [replace(t, spans=()) for t in ends[1]]

    def test_a_second_process_is_refused(self, run: Run, tmp_path: Path) -> None:
        """While one process evaluates into a folder another is told so; once the first is killed it may."""
        command = ["eval", "--policy", "oracle", "--batch", "2", "--out", str(tmp_path / "shared")]
        file = tmp_path / "shared" / "trajectories.jsonl"
        with subprocess.Popen([sys.executable, "-m", "bai", *command, "--limit", "2000"], cwd=ROOT) as first:
            try:
                while first.poll() is None and not (file.exists() and file.read_bytes().count(b"\n")):
                    time.sleep(0.01)
                code, text, faults = run(*command, "--limit", "2")
                assert first.poll() is None
            finally:
                first.kill()
        assert (code, text) == (2, "")
        assert faults == (
            f"error: another process is evaluating into {file.parent}; wait for it or choose another directory\n"
        )
        assert run(*command, "--limit", "2")[0] == 0

    @pytest.mark.slow
    def test_an_endpoint_that_is_down(self, run: Run, tmp_path: Path) -> None:
        """A server that does not answer is a fault of the machinery: nothing is scored, the exit code is 1."""
        options = ("--policy-option", "backoff_s=0.01", "--policy-option", "retries=1")
        code, _, faults = run(
            "eval", "--policy", "openai:http://127.0.0.1:9/v1#m", "--limit", 2, *options, "--out", tmp_path
        )
        assert code == 1
        assert "2 of 2 samples were lost" in faults
        assert "lost: 2 x EndpointError: http://127.0.0.1:9/v1/chat/completions failed 2 times" in faults
        assert {t.error for t in read_trajectories(tmp_path / "trajectories.jsonl")} == {"EndpointError"}

    @pytest.mark.data
    @pytest.mark.slow
    def test_a_public_set(self, run: Run, tmp_path: Path, data_dir: Path) -> None:
        """HumanEval runs from end to end with the oracle, which passes all of it."""
        code, text, _ = run("eval", "--policy", "oracle", "--task-set", "humaneval", "--out", tmp_path)
        assert code == 0
        assert int(next(line.split()[-1] for line in text.splitlines() if line.split()[:1] == ["passed"])) == 164
        assert "not passed: " not in text
        assert (tmp_path / "report.html").stat().st_size > 100_000


def test_the_model_that_ships_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``nano``, wherever one is; a directory of that name is meant where there is one."""
    monkeypatch.chdir(tmp_path)
    assert (model_directory(Path("nano")) / "config.json").is_file()
    (tmp_path / "nano").mkdir()
    assert model_directory(Path("nano")) == Path("nano")


@pytest.mark.ray
@pytest.mark.slow
def test_trains(run: Run, tmp_path: Path, nano: Path) -> None:
    """Two iterations leave metrics, a policy that evaluates, and a report with the run's curve."""
    settings = ("--set", "group_size=2", "--set", "prompts_per_step=2", "--set", "max_new_tokens=8", "--set", "lr=1e-4")
    command = ("train", "--model", nano, "--out", tmp_path / "run", "--iterations", 2, *settings, "--json")
    code, text, _ = run(*command)
    assert code == 0
    result = json.loads(text[text.index("{") :])
    assert result["iterations"] == 2
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    page = tmp_path / "page.html"
    assert run("view", tmp_path / "run" / "trajectories" / "000001.jsonl", "--html", page)[0] == 0
    assert "Training" in page.read_text(encoding="utf-8")
    assert run(*command)[0] == 2  # it holds a run already
    code, _, _ = run(
        "eval",
        "--policy",
        f"checkpoint:{result['policy']}",
        "--limit",
        1,
        "--max-new-tokens",
        4,
        "--out",
        tmp_path / "e",
    )
    assert code == 0


def names_of(checks: list[dict], area: str) -> set[str]:
    """The names of an area's checks."""
    return {check["name"] for check in checks if check["area"] == area}


class TestDoctor:
    """What works here."""

    def test_tries_everything(self, run: Run) -> None:
        """Sandboxes, Ray, the device and the data sets are all told of, and the exit code follows the findings."""
        code, text, _ = run("doctor", "--json")
        checks = json.loads(text)
        assert {check["area"] for check in checks} == {"bai", "library", "server", "sandbox", "ray", "device", "data"}
        assert {"humaneval", "default", "swebench_lite", "dabench", "spider", "gsm8k"} <= names_of(checks, "data")
        assert "micro" not in names_of(checks, "data")
        assert {"torch", "ipython", "jsonschema", "redis", "mcp", "sympy"} <= names_of(checks, "library")
        assert code == int(any(check["state"] == "fail" for check in checks))
        ran = [check for check in checks if check["area"] == "sandbox" and check["state"] in ("ok", "warn")]
        assert all("not stopped" in check["detail"] for check in ran)

    def test_prints_for_people(self, run: Run) -> None:
        """Each finding is a line of its own."""
        _, text, _ = run("doctor")
        assert "sandbox" in text
        assert "gymnasium" in text


class TestSandboxes:
    """Which sandboxes there are, and removing what is left of dead processes."""

    @pytest.fixture(autouse=True)
    def registry(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """Entries of sandboxes apart from the machine's."""
        monkeypatch.setenv("BAI_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", None)
        return tmp_path

    def test_they_are_listed(self, run: Run) -> None:
        """People read a table, machines JSON; whose it is stands in both."""
        with make_sandbox("process"):
            code, text, _ = run("sandbox", "ps", "--json")
            (row,) = [row for row in json.loads(text) if row["owner"] == os.getpid()]
            assert code == 0 and (row["state"], row["sandbox"]) == ("in use", "process")
            assert set(row) == {"state", "sandbox", "owner", "runner", "idle_s", "age_s", "place"}
            code, text, _ = run("sandbox", "ps")
            assert code == 0 and "in use" in text and str(os.getpid()) in text

    def test_what_is_in_use_stays_unless_all_is_said(self, run: Run, registry: Path) -> None:
        """Nothing of a living process is removed by itself; leftovers without an entry only on request."""
        folder = registry / "bai-sandbox-old"
        (folder / "workspace").mkdir(parents=True)
        os.utime(folder, (0, 0))
        with make_sandbox("process") as sandbox:
            code, text, _ = run("sandbox", "reap")
            assert code == 0 and text.endswith("removed\n") and sandbox.alive and folder.exists()
            (row,) = [row for row in json.loads(run("sandbox", "ps", "--json")[1]) if row["place"] == str(folder)]
            assert row["state"] == "unclaimed"

    def test_leftovers_are_counted_and_removed(self, run: Run, registry: Path) -> None:
        """A dead owner's folder is told of, then removed; what was removed is listed."""
        folder = registry / "bai-sandbox-left"
        (folder / "workspace" / "deep").mkdir(parents=True)
        here = ProcessId.of(os.getpid())
        dead = Record(sandbox="process", owner=here._replace(start=1), made=0.0, holdings={"folder": str(folder)})
        entry = registry / "entry.json"
        entry.write_bytes(dead.to_json())
        entry.chmod(0o600)
        assert "bai sandbox reap" in run("sandbox", "ps")[1]
        rows = json.loads(run("sandbox", "reap", "--json")[1])
        assert [row["place"] for row in rows if row["sandbox"]] == [str(folder)]
        assert not folder.exists() and not entry.exists()

    def test_what_stays_is_told_with_the_reason(self, run: Run, registry: Path) -> None:
        """What cannot be removed is named on standard error with the reason, and the exit code is 1."""
        folder = registry / "precious"
        folder.mkdir()
        here = ProcessId.of(os.getpid())
        dead = Record(sandbox="process", owner=here._replace(start=1), made=0.0, holdings={"folder": str(folder)})
        entry = registry / "entry.json"
        entry.write_bytes(dead.to_json())
        entry.chmod(0o600)
        for words in ((), ("--json",)):
            code, text, faults = run("sandbox", "reap", *words)
            assert code == 1 and "not removed: orphaned process" in faults and "no folder of a sandbox" in faults
            assert str(folder) not in text and folder.exists() and entry.exists()


class TestAssignments:
    """Options given as NAME=VALUE."""

    def test_values_are_json_or_text(self) -> None:
        """JSON is taken as such, anything else as text; the first equals sign separates."""
        given = assignments(["a=1", "b=true", "c=[1, 2]", "d=hello", "e=x=y", "f="])
        assert given == {"a": 1, "b": True, "c": [1, 2], "d": "hello", "e": "x=y", "f": ""}

    @pytest.mark.parametrize("bad", ["a", "=1", ""])
    def test_others_are_refused(self, bad: str) -> None:
        """Without a name or an equals sign there is nothing to set."""
        with pytest.raises(ConfigError, match="NAME=VALUE"):
            assignments([bad])


class TestDifficulties:
    """Numbers and ranges."""

    def test_ranges_hold_both_ends(self) -> None:
        """Each difficulty comes once, in the order given; none given is none; what holds a letter is a name."""
        assert difficulties([]) == []
        assert difficulties(["3"]) == [3]
        assert difficulties(["1-3"]) == [1, 2, 3]
        assert difficulties(["4", "2-2", "1-4"]) == [4, 2, 1, 3]
        assert difficulties(["easy", "15 min - 1 hour", "1", "easy"]) == ["easy", "15 min - 1 hour", 1]

    @pytest.mark.parametrize("bad", ["", "3-1", "1-", "-1", "1-2-3", "1.5", "1,2", " 1", "1-99999", "٣"])
    def test_others_are_refused(self, bad: str) -> None:
        """The message shows every form, and what came."""
        with pytest.raises(ConfigError, match=r"a number such as 3, a range such as 1-3.*a name.*got '" + bad):
            difficulties([bad])


def test_the_task_set_left_out_is_micro_for_coding_alone() -> None:
    """Other environments choose for themselves; NAME=VALUE has the last word."""
    assert env_options("bai/Coding-v0", (), task_set=None, split="train") == {"task_set": "micro", "split": "train"}
    assert env_options("bai/Coding-v0", ["task_set=mbpp"], task_set=None) == {"task_set": "mbpp"}
    assert env_options("other/Env-v0", ["a=1"], task_set=None, split=None) == {"a": 1}


def test_progress_off_a_terminal_is_sparse(capfd: pytest.CaptureFixture[str]) -> None:
    """Where there is no terminal, fast work prints no progress."""
    with progress("working") as listen:
        for done in range(1000):
            listen(done, 1000)
    assert capfd.readouterr().err == ""


def test_bench_needs_a_checkout(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package has no benchmarks, and says so."""
    monkeypatch.setattr(bai, "__file__", str(tmp_path / "site" / "bai" / "__init__.py"))
    code, _, faults = run("bench")
    assert code == 2
    assert "checkout" in faults
