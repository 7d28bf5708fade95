"""The ``bai`` command: one sentence for every mistake, JSON for machines, honest exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bai
from bai.cli import main
from bai.types import Trajectory, Turn, Verdict, write_trajectories

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process; gives exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bai", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        text, faults = capfd.readouterr()
        return code, text, faults

    return command


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
    for command in ("train", "eval", "tasks", "view", "bench", "doctor", "demo"):
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
            ("eval", "--policy", "oracle", "--option", "sandbox"),
            ("eval", "--policy", "oracle", "--option", "colour=red"),
            ("eval", "--policy", "oracle", "--env", "bai/Nothing-v0"),
            ("eval", "--policy", "oracle", "--temperature", "-1"),
            ("tasks", "show", "nothing-here"),
            ("tasks", "show", "micro", "micro/0"),
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
        assert "Training" in page.read_text(encoding="utf-8")
        assert page.read_text(encoding="utf-8").count('<details class="trajectory"') == 8

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
        assert str(tmp_path / "data") in text
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
