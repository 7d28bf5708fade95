"""Repair tasks in SWE-bench's row format: read in both generations, written, found, and refused with a reason."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.machines.specs import known_specs
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench import load_repair_rows, load_repair_set, write_rows
from bai.envs.tasks.swebench_parsers import PARSERS
from bai.envs.tasks.swebench_rows import repair_prompt, run_of
from bai.errors import ConfigError, MalformedRow, TaskSetNotFound

TEST_PATCH = """\
diff --git a/tests/test_half.py b/tests/test_half.py
--- a/tests/test_half.py
+++ b/tests/test_half.py
@@ -1 +1,2 @@
 from half import half
+assert half(4) == 2
diff --git a/tests/data/new.json b/tests/data/new.json
new file mode 100644
--- /dev/null
+++ b/tests/data/new.json
@@ -0,0 +1 @@
+{}
"""
SCRIPT = f"""\
#!/bin/bash
set -uxo pipefail
source /opt/miniconda3/bin/activate
conda activate testbed
cd /testbed
export LANG=en_US.UTF-8
git status
python -m pip install -e .[test] --verbose
make \\
  -C ext
git checkout 0123456789abcdef tests/test_half.py
git apply -v - <<'EOF_114329324912'
{TEST_PATCH}
: '>>>>> Start Test Output'
EOF_114329324912
: '>>>>> Start Test Output'
pytest -rA tests/test_half.py
: '>>>>> End Test Output'
git checkout 0123456789abcdef tests/test_half.py
"""


@pytest.fixture
def row() -> dict[str, Any]:
    """A 5.x row."""
    return {
        "instance_id": "own__half-1",
        "repo": "own/half",
        "base_commit": "0123456789abcdef",
        "version": "1.0",
        "problem_statement": "half(4) gives 3.",
        "hints_text": "Look at half.py.",
        "created_at": "2024-01-01",
        "patch": "diff --git a/half.py b/half.py\nSECRET OF THE PATCH\n",
        "test_patch": TEST_PATCH,
        "FAIL_TO_PASS": '["tests/test_half.py::test_four"]',
        "PASS_TO_PASS": ["tests/test_half.py::test_zero"],
        "image": "own/half:latest",
        "eval_script": SCRIPT,
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
    }


@pytest.fixture
def task(row: dict[str, Any], tmp_path: Path) -> RepairTask:
    """The task of that row."""
    return next(iter(load_repair_rows(written(tmp_path, row))))


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    """A file of rows."""
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_of_the_fifth_generation_is_read_with_its_test_command(task: RepairTask) -> None:
    """The command, its targets and what else runs before come out of the script; the rest of it is dropped."""
    assert task.run == TestRun(
        command="pytest -rA",
        targets=("tests/test_half.py",),
        before=("export LANG=en_US.UTF-8", "make -C ext"),
    )
    assert (task.task_id, task.image, task.log_parser) == ("own__half-1", "own/half:latest", "parse_log_pytest")
    assert task.fail_to_pass == ("tests/test_half.py::test_four",)
    assert task.pass_to_pass == ("tests/test_half.py::test_zero",)
    assert task.metadata == {"repo": "own/half", "version": "1.0", "created_at": "2024-01-01"}


def test_the_prompt_tells_the_issue_and_nothing_of_the_answer(row: dict[str, Any], tmp_path: Path) -> None:
    """Neither patches, nor tests, nor hints are shown; hints only where they are asked for."""
    path = written(tmp_path, row)
    (task,), (hinted,) = load_repair_rows(path), load_repair_rows(path, hints=True)
    assert "half(4) gives 3." in task.prompt
    for secret in ("SECRET", "test_half", "test_four", "half.py"):
        assert secret not in task.prompt + str(task.metadata)
        assert secret == "half.py" or secret not in hinted.prompt
    assert "Look at half.py." in hinted.prompt


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.jsonl.gz"])
def test_what_is_written_is_read_back_the_same(name: str, task: RepairTask, tmp_path: Path) -> None:
    """Every field survives in each dress, and equal tasks give equal bytes."""
    write_rows(tmp_path / name, [task])
    assert list(load_repair_rows(tmp_path / name)) == [task]
    first = (tmp_path / name).read_bytes()
    write_rows(tmp_path / name, load_repair_rows(tmp_path / name))
    assert (tmp_path / name).read_bytes() == first


WORD = st.text(alphabet="abcXYZ0._/-[] '\"$é", min_size=1, max_size=12).filter(str.strip)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(
    problem=TEXT,
    ids=st.lists(WORD, min_size=1),
    targets=st.lists(WORD, max_size=3),
    parser=st.sampled_from(sorted(PARSERS)),
    kind=st.sampled_from(["pass_and_fail", "fail_only"]),
    image=st.sampled_from([None, "a/b:latest", "swebench/sweb.eval.x86_64.a:latest"]),
    origin=st.sampled_from([{}, {"library": "gridcalc"}, {"library": "gridcalc", "bug": "diff"}]),
    test_patch=st.sampled_from(["", TEST_PATCH, f"{TEST_PATCH}\n: '>>>>> Start Test Output'\n"]),
    before=st.lists(st.sampled_from(["export A=1", "make -C ext", "cat <<E\nset -x\nE"]), max_size=2),
)
def test_any_task_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    problem: str,
    ids: list[str],
    targets: list[str],
    parser: str,
    kind: Any,
    image: str | None,
    origin: dict[str, str],
    test_patch: str,
    before: list[str],
) -> None:
    """Whatever its texts hold, a task is the same after a file."""
    task = RepairTask(
        task_id="made-1",
        prompt=repair_prompt("library/gridcalc", problem),
        metadata={"repo": "library/gridcalc", "version": "1", "split": "train", "difficulty": "2"},
        repo="library/gridcalc",
        base_commit="0" * 64,
        version="1",
        problem_statement=problem,
        patch=problem,
        test_patch=test_patch,
        fail_to_pass=tuple(ids),
        pass_to_pass=(),
        log_parser=parser,
        eval_type=kind,
        run=TestRun(command="pytest -rA", targets=tuple(targets), before=tuple(before)),
        image=image,
        origin=origin,
    )
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_rows(path, [task])
    assert list(load_repair_rows(path)) == [task]


def test_a_run_that_would_not_be_read_back_is_not_written(task: RepairTask, tmp_path: Path) -> None:
    """Commands of a kind that is dropped on reading are refused on writing."""
    for before in ("git status", "pip install x", "conda activate y"):
        with pytest.raises(ConfigError, match="its run is not read back"):
            write_rows(tmp_path / "r.jsonl", [replace(task, run=replace(task.run, before=(before,)))])
    with pytest.raises(ConfigError, match=r"written to \.jsonl, \.jsonl\.gz or \.json"):
        write_rows(tmp_path / "rows.csv", [task])


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"repo": None}, "repo", "expected a string; got null"),
        ({"instance_id": " "}, "instance_id", "expected some text"),
        ({"base_commit": "main; rm -rf /"}, "base_commit", "expected 7 to 64 hexadecimal digits"),
        ({"version": 2.3}, "version", "expected a string; got a number"),
        ({"FAIL_TO_PASS": "tests::x"}, "FAIL_TO_PASS", "expected a list of strings, or one written as JSON"),
        ({"FAIL_TO_PASS": "[1]"}, "FAIL_TO_PASS", "expected a list of strings"),
        ({"FAIL_TO_PASS": [], "PASS_TO_PASS": "[]"}, "FAIL_TO_PASS", "expected at least one test, here or in"),
        ({"PASS_TO_PASS": {"a": 1}}, "PASS_TO_PASS", "expected a list of strings"),
        ({"log_parser": "parse_log_cobol"}, "log_parser", "expected one of parse_log_ant.*; got 'parse_log_cobol'"),
        ({"log_parser": None}, "log_parser", "expected a string; got null"),
        ({"eval_type": "maybe"}, "eval_type", "expected one of fail_only, pass_and_fail; got 'maybe'"),
        ({"eval_script": 3}, "eval_script", "expected a string"),
        ({"eval_script": "pytest"}, "eval_script", r"expected the marker '>>>>> Start Test Output' once; got it 0"),
        ({"eval_script": SCRIPT.replace("pytest -rA tests/test_half.py\n", "")}, "eval_script", "got none"),
        ({"targets": ["tests/other.py"]}, "eval_script", "expected a test command that ends with tests/other.py"),
        ({"image": 3}, "image", "expected a string"),
        ({"origin": "gridcalc"}, "origin", "expected an object of strings"),
        ({"origin": {"bug": "x"}}, "origin", "expected either 'library' or 'tree'; got bug"),
        ({"origin": {"library": "x", "colour": "red"}}, "origin.colour", "is no field of the format"),
    ],
)
def test_a_row_that_breaks_the_format_says_where_and_how(
    change: dict[str, Any], field: str, problem: str, row: dict[str, Any], tmp_path: Path
) -> None:
    """File, line and field, what was expected and what came."""
    path = written(tmp_path, row, {**row, **change})
    with pytest.raises(MalformedRow, match=problem) as caught:
        load_repair_rows(path)
    assert (caught.value.path, caught.value.line, caught.value.field) == (str(path), 2, field)


@pytest.mark.parametrize(
    "field",
    ["instance_id", "repo", "base_commit", "version", "problem_statement", "patch", "test_patch", "FAIL_TO_PASS",
     "PASS_TO_PASS", "log_parser"],
)  # fmt: skip
def test_an_absent_field_is_named(field: str, row: dict[str, Any], tmp_path: Path) -> None:
    """A row lacks nothing that a task needs."""
    del row[field]
    with pytest.raises(MalformedRow, match=f"field '{field}': is missing"):
        load_repair_rows(written(tmp_path, row))


def test_whole_json_files_are_read_and_lines_of_them_too(row: dict[str, Any], tmp_path: Path) -> None:
    """A list, an object of rows by id, and lines; a malformed one counts rows."""
    second = {**row, "instance_id": "own__half-2"}
    for name, value in (("list", [row, second]), ("object", {"a": row, "b": second})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(value, indent=2))
        assert [task.task_id for task in load_repair_rows(path)] == ["own__half-1", "own__half-2"]
    assert len(load_repair_rows(written(tmp_path, row, second, name="lines.json"))) == 2
    path.write_text(json.dumps([row, 7]))
    with pytest.raises(MalformedRow, match=r"object\.json:2: expected an object; got a number"):
        load_repair_rows(path)


def test_an_unpacked_and_a_gzipped_file_hold_the_same(row: dict[str, Any], tmp_path: Path) -> None:
    """``.gz`` is read in place; one that is torn says so."""
    path = written(tmp_path, row)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(load_repair_rows(packed)) == list(load_repair_rows(path))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(MalformedRow, match="expected a whole gzip file"):
        load_repair_rows(packed)


def test_a_table_and_a_saved_data_set_are_read_with_their_splits(row: dict[str, Any], tmp_path: Path) -> None:
    """``SPLIT.parquet`` in a directory, and what ``datasets`` saved, name the split; null and JSON text are good."""
    datasets = pytest.importorskip("datasets")
    row = {**row, "image": None, "PASS_TO_PASS": json.dumps(row["PASS_TO_PASS"])}
    table = datasets.Dataset.from_list([row, {**row, "instance_id": "own__half-2"}])
    parts = datasets.DatasetDict({"dev": table.select([0]), "test": table.select([1])})
    (tmp_path / "tables").mkdir()
    for split, part in parts.items():
        part.to_parquet(tmp_path / "tables" / f"{split}.parquet")
    parts.save_to_disk(tmp_path / "saved")
    for folder in ("tables", "saved"):
        tasks = load_repair_set(tmp_path / folder)
        assert {task.task_id: task.metadata["split"] for task in tasks} == {"own__half-1": "dev", "own__half-2": "test"}
        assert all(task.image is None for task in tasks)
        assert [task.task_id for task in load_repair_set(tmp_path / folder, split="test")] == ["own__half-2"]
    assert len(load_repair_rows(tmp_path / "tables" / "dev.parquet")) == 1


def test_a_tree_beside_the_rows_is_found_wherever_they_lie(task: RepairTask, tmp_path: Path) -> None:
    """``origin.tree`` is relative to the file of rows, and absolute in a task."""
    tree = tmp_path / "a" / "trees" / "half.tar"
    tree.parent.mkdir(parents=True)
    made = replace(task, origin={"tree": str(tree), "bug": "diff"})
    write_rows(tmp_path / "a" / "rows.jsonl", [made])
    assert json.loads((tmp_path / "a" / "rows.jsonl").read_text())["origin"]["tree"] == "trees/half.tar"
    (tmp_path / "a").rename(tmp_path / "b")
    (moved,) = load_repair_rows(tmp_path / "b" / "rows.jsonl")
    assert moved.origin == {"tree": str(tmp_path / "b" / "trees" / "half.tar"), "bug": "diff"}


def test_sets_are_found_by_name_and_filtered(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data folder comes before the cache; filters pick by metadata, and say what there is."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(TaskSetNotFound, match="swebench_lite' is not on this machine: put its rows at"):
        load_repair_set("swebench_lite")
    for place, name in (("cache/bai", "cached"), ("data", "own")):
        folder = tmp_path / place / "swebench"
        folder.mkdir(parents=True)
        written(folder, {**row, "instance_id": name}, name="swebench_lite.jsonl")
        assert [task.task_id for task in load_repair_set("swebench_lite")] == [name]
    assert len(load_repair_set("swebench_lite", repo=["own/half", "x/y"], version="1.0", split=None)) == 1
    with pytest.raises(ConfigError, match=r"no task with \{'version': '9'\}; it has version: '1.0'"):
        load_repair_set("swebench_lite", version="9")
    with pytest.raises(ConfigError, match=r"no task with \{'split': 'tset'\}; its tasks have no split"):
        load_repair_set("swebench_lite", split="tset")
    with pytest.raises(ConfigError, match="takes split, difficulty, repo, version; got colour"):
        load_repair_set("swebench_lite", colour="red")
    with pytest.raises(ConfigError, match="a name or a path; got 3"):
        load_repair_set(3)  # type: ignore[arg-type]
    with pytest.raises(TaskSetNotFound, match="expected one of default, swebench_lite, swebench_verified, swebench"):
        load_repair_set("swebench_huge")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskSetNotFound, match=r"SPLIT\.parquet"):
        load_repair_set(tmp_path / "empty")


def test_a_set_is_read_again_when_its_file_changed(row: dict[str, Any], tmp_path: Path) -> None:
    """The same object until then."""
    path = written(tmp_path, row)
    first = load_repair_set(path)
    assert load_repair_set(path) is first
    written(tmp_path, row, {**row, "instance_id": "another"})
    assert len(load_repair_set(path)) == 2


@pytest.mark.skipif(find_spec("swebench") is None, reason="needs swebench")
def test_a_written_row_is_one_that_swebench_takes(task: RepairTask, tmp_path: Path) -> None:
    """Its own loader and its own specification of tests accept the row, exit code and all."""
    write_rows(tmp_path / "rows.jsonl", [task])
    code = (
        "import json, sys\n"
        "from swebench.harness.utils import load_swebench_dataset, make_test_spec\n"
        "spec = make_test_spec(load_swebench_dataset(sys.argv[1])[0])\n"
        "print(json.dumps([spec.instance_id, spec.FAIL_TO_PASS, spec.log_parser, spec.eval_script]))\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "rows.jsonl")]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    name, fail_to_pass, parser, script = json.loads(said)
    assert (name, fail_to_pass, parser) == (task.task_id, list(task.fail_to_pass), task.log_parser)
    lines = script.split("\n")
    at = lines.index("pytest -rA tests/test_half.py")
    assert lines[at + 1] == "SWEBENCH_TEST_EXIT_CODE=$?"
    assert lines[at - 1] == ": '>>>>> Start Test Output'"


@pytest.mark.data
def test_every_row_of_lite_says_how_its_tests_are_run(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known runner, targets that the test patch names, nothing before but Django's locale; and back again."""
    if not (data_dir / "swebench" / "lite_v5.parquet").exists():
        pytest.skip("needs swebench/lite_v5.parquet in BAI_DATA_DIR")
    monkeypatch.setenv("BAI_DATA_DIR", str(data_dir))
    tasks = load_repair_set("swebench_lite")
    assert len(tasks) == 300
    runners = {
        "django/django": "./tests/runtests.py --verbosity 2 --settings=test_sqlite --parallel 1",
        "sympy/sympy": "PYTHONWARNINGS='ignore::UserWarning,ignore::SyntaxWarning' bin/test -C --verbose",
        "sphinx-doc/sphinx": "tox --current-env -epy39 -v --",
    }
    for task in tasks:
        assert task.run.command == runners.get(task.repo) or task.run.command.startswith("pytest ")
        assert task.run.targets
        for target in task.run.targets:
            path = f"tests/{target.replace('.', '/')}.py" if task.repo == "django/django" else target
            assert f" b/{path}\n" in task.test_patch
        assert not task.run.before or (
            task.repo == "django/django" and task.run.before[-1] == "export LC_ALL=en_US.UTF-8"
        )
        assert task.image
        assert task.image.startswith("swebench/sweb.eval.")
        assert task.patch not in task.prompt


def test_a_row_of_the_fourth_generation_is_run_as_its_version_is_described(row: dict[str, Any], tmp_path: Path) -> None:
    """Without a script, command and parser come from the description, and targets from the test patch."""
    for field in ("eval_script", "eval_type", "log_parser", "image"):
        del row[field]
    (flask,) = load_repair_rows(written(tmp_path, {**row, "repo": "pallets/flask", "version": "2.3"}))
    assert (flask.run.command, flask.run.targets) == ("pytest -rA", ("tests/test_half.py",))
    assert (flask.log_parser, flask.eval_type, flask.image) == ("parse_log_flask", "pass_and_fail", None)
    (django,) = load_repair_rows(written(tmp_path, {**row, "repo": "django/django", "version": "5.0"}))
    assert (django.run.targets, django.log_parser) == (("test_half",), "parse_log_django")
    with pytest.raises(MalformedRow, match=r"field 'eval_script': is missing, and .*own/half 1\.0.* is not described"):
        load_repair_rows(written(tmp_path, row))


@pytest.mark.data
def test_the_generations_agree_on_how_tests_are_run(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each version that is described, what a 4.x row gets is what the 5.x row's script says."""
    if not (data_dir / "swebench" / "lite_v5.parquet").exists():
        pytest.skip("needs swebench/lite_v5.parquet in BAI_DATA_DIR")
    monkeypatch.setenv("BAI_DATA_DIR", str(data_dir))
    compared = 0
    for task in load_repair_set("swebench_lite"):
        if (task.repo, task.version) in known_specs():
            described = run_of(task.repo, task.version, task.test_patch)
            assert (described.command, described.targets) == (task.run.command, task.run.targets), task.task_id
            compared += 1
    assert compared == 88
