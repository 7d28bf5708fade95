"""``bai tasks``: sets of repair tasks are listed, shown, checked, made and admitted from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bai.envs.tasks.family import CODING, REPAIR, family_of
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench import load_repair_rows, write_rows
from bai.errors import TaskSetNotFound

Make = Callable[..., RepairTask]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, machines_cache: Path) -> Run:
    """Runs ``bai tasks``, with a cache of the tests' own and no public data."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(machines_cache))
    monkeypatch.delenv("BAI_DATA_DIR", raising=False)
    return partial(run, "tasks")


@pytest.fixture
def rows(make_repair: Make, tmp_path: Path) -> Path:
    """A sound row and one whose gold patch does nothing."""
    write_rows(tmp_path / "rows.jsonl", [make_repair(), make_repair(task_id="shop-2", patch="")])
    return tmp_path / "rows.jsonl"


def test_a_set_is_told_by_its_name_or_its_rows(rows: Path, tmp_path: Path) -> None:
    """Names and rows of either kind; what is not there is refused."""
    (tmp_path / "coding.jsonl").write_text('{"task_id": "a"}\n')
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "task.toml").write_text("")
    assert [family_of(name) for name in ("default", "swebench_lite", rows, tmp_path / "task")] == [REPAIR] * 4
    assert [family_of(name) for name in ("micro", "humaneval", tmp_path / "coding.jsonl")] == [CODING] * 3
    with pytest.raises(TaskSetNotFound, match=r"no file 'none\.jsonl'"):
        family_of("none.jsonl")


def test_list_knows_repair_sets(run: Run) -> None:
    """Each set stands with its environment."""
    code, text, _ = run("list", "--json")
    found = {row["name"]: row["env"] for row in json.loads(text)["sets"]}
    assert code == 0
    assert found["micro"] == CODING.env and found["default"] == found["swebench_verified"] == REPAIR.env
    assert "bai/SWEBench-v0" in run("list")[1]


def test_show_tells_nothing_that_is_hidden(run: Run, rows: Path) -> None:
    """The issue, and neither the gold patch nor the tests."""
    code, text, _ = run("show", rows, "shop-1")
    assert code == 0
    assert "discount(200, 10) gives 220" in text and "price - price" not in text
    shown = json.loads(run("show", rows, "--json")[1])
    assert set(shown) == {"task_id", "repo", "version", "base_commit", "prompt", "metadata"}
    assert "test_discount" not in str(shown)


def test_check_runs_both_answers(run: Run, rows: Path, fast_backend: str) -> None:
    """Exit code 1, and the row is named."""
    code, text, _ = run("check", rows, "--limit", "1", "--sandbox", fast_backend)
    assert code == 0, text
    assert "1 tasks: 1 gold answers pass, 0 empty answers earn, 0 attempts lost" in text


class TestAdmit:
    """``bai tasks admit``."""

    def test_writes_what_is_sound_and_says_why_the_rest_is_not(
        self, run: Run, rows: Path, tmp_path: Path, fast_backend: str
    ) -> None:
        """A table, JSON lines, exit code 0; a second time nothing runs."""
        command = ("admit", rows, "-o", tmp_path / "out" / "good.jsonl", "--sandbox", fast_backend, "--repeat", "1")
        code, text, _ = run(*command)
        assert code == 0
        assert "2 rows: 1 admitted" in text and "1 quarantined" in text
        assert "the gold patch resolves it never" in text
        assert [task.task_id for task in load_repair_rows(tmp_path / "out" / "good.jsonl")] == ["shop-1"]
        (bad,) = (tmp_path / "out" / "good.jsonl.admission" / "quarantined.jsonl").read_text().splitlines()
        assert json.loads(bad)["task_id"] == "shop-2"
        code, text, _ = run(*command, "--json")
        told = json.loads(text)
        assert (code, told["admitted"], told["quarantined"], told["reused_runs"]) == (0, 1, 1, 4)

    def test_nothing_admitted_is_exit_code_1(
        self, run: Run, make_repair: Make, tmp_path: Path, fast_backend: str
    ) -> None:
        """So that what would go on with an empty set stops."""
        write_rows(tmp_path / "bad.jsonl", [make_repair(origin={"tree": str(tmp_path / "none.tar.gz")})])
        code, text, _ = run("admit", tmp_path / "bad.jsonl", "-o", tmp_path / "o.jsonl", "--sandbox", fast_backend)
        assert code == 1
        assert "cannot be set up" in text

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("none.jsonl", "-o", "x.jsonl"), "there is no set"),
            (("default", "-o", "x.csv"), "rows are written to"),
            (("default", "-o", "x.jsonl", "--python", "four"), "python is"),
            (("default", "-o", "x.jsonl", "--sandbox", "jail"), "jail"),
        ],
    )
    def test_mistakes_are_one_sentence(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
    ) -> None:
        """On standard error, with exit code 2."""
        monkeypatch.chdir(tmp_path)
        code, _, faults = run("admit", *arguments)
        assert (code, len(faults.strip().splitlines())) == (2, 1)
        assert told in faults


class TestMake:
    """``bai tasks make``."""

    def test_makes_rows_of_a_directory(self, run: Run, make_repair: Make, tmp_path: Path, fast_backend: str) -> None:
        """They are written, counted by operator, and can be loaded."""
        folder = tmp_path / "steps"
        (folder / "tests").mkdir(parents=True)
        (folder / "steps.py").write_text(
            "def clamp(value, low=0, high=10):\n    if value < low:\n        return low\n"
            "    return min(value, high)\n\n\ndef half(value):\n    return value // 2\n"
        )
        (folder / "tests" / "test_steps.py").write_text(
            "from steps import clamp, half\n\n\ndef test_low():\n    assert clamp(-3) == 0\n\n\n"
            "def test_high():\n    assert clamp(30) == 10\n\n\ndef test_between():\n    assert clamp(4) == 4\n\n\n"
            "def test_half():\n    assert half(9) == 4\n"
        )
        command = ("make", "--path", folder, "-o", tmp_path / "made.jsonl", "--count", "2", "--sandbox", fast_backend)
        code, text, _ = run(*command)
        assert code == 0
        assert "operator" in text and f"2 tasks in {tmp_path / 'made.jsonl'}" in text
        assert len(load_repair_rows(tmp_path / "made.jsonl")) == 2
        told = json.loads(run(*command, "--json")[1])
        assert told["tasks"] == 2 and sum(told["operators"].values()) >= 2

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ((), "name either --package"),
            (("--package", "a==1", "--path", "."), "name either --package"),
            (("--package", "inflection"), "NAME==VERSION"),
            (("--path", "no-such-folder"), "no-such-folder"),
            (("--path", ".", "--tests-require", "x"), "goes with --package"),
        ],
    )
    def test_mistakes_are_one_sentence(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
    ) -> None:
        """On standard error, with exit code 2."""
        monkeypatch.chdir(tmp_path)
        code, _, faults = run("make", *arguments)
        assert (code, len(faults.strip().splitlines())) == (2, 1)
        assert told in faults
