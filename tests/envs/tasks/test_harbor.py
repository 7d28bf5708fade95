"""Harbor's task directories: read by their row or by their script, refused with a reason where neither does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tasks.harbor import is_harbor, load_harbor
from bai.envs.tasks.swebench import load_repair_set
from bai.errors import DataError, MalformedRow

DIFF = "diff --git a/flask.py b/flask.py\n--- a/flask.py\n+++ b/flask.py\n@@ -1 +1 @@\n-x\n+y\n"
ROW: dict[str, Any] = {
    "instance_id": "pallets__flask-1",
    "repo": "pallets/flask",
    "version": "2.3",
    "base_commit": "0123456789abcdef",
    "problem_statement": "Words of the row.",
    "patch": DIFF,
    "test_patch": "diff --git a/tests/test_basic.py b/tests/test_basic.py\n--- a/tests/test_basic.py\n",
    "FAIL_TO_PASS": '["tests/test_basic.py::test_x"]',
    "PASS_TO_PASS": "[]",
}
TOML = """\
version = "1.0"
[metadata]
difficulty = "easy"
category = "debugging"
tags = ["a"]
[verifier]
timeout_sec = 3000.0
[environment]
build_timeout_sec = 1800.0
cpus = 1
"""
DOCKERFILE = "FROM swebench/sweb.eval.x86_64.pallets_1776_flask-1:latest\nRUN install-a-verifier \\\n  --quietly\n"


def make(
    folder: Path,
    row: Any = ROW,
    toml: str = TOML,
    dockerfile: str = DOCKERFILE,
    script: str = "#!/bin/bash\npytest /tests; echo 1 > /logs/verifier/reward.txt\n",
    solve: str = "#!/bin/bash\n",
) -> Path:
    """A task directory."""
    files = {
        "task.toml": toml,
        "instruction.md": "Words of the instruction.\n",
        "environment/Dockerfile": dockerfile,
        "tests/test.sh": script,
        "tests/config.json": json.dumps(row),
        "solution/solve.sh": solve,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_task_of_a_swebench_adapter_is_read(tmp_path: Path) -> None:
    """The instruction is shown, the row says which tests decide, the image is what the Dockerfile starts from."""
    (task,) = load_harbor(make(tmp_path / "one"))
    assert task.task_id == "pallets__flask-1"
    assert "Words of the instruction." in task.prompt
    assert "Words of the row." not in task.prompt
    assert task.problem_statement == "Words of the row."
    assert task.fail_to_pass == ("tests/test_basic.py::test_x",)
    assert task.image == "swebench/sweb.eval.x86_64.pallets_1776_flask-1:latest"
    assert (task.run.command, task.run.targets) == ("pytest -rA", ("tests/test_basic.py",))
    assert task.metadata["difficulty"] == "easy"
    assert task.metadata["category"] == "debugging"


def test_what_the_row_leaves_out_is_taken_from_the_other_files(tmp_path: Path) -> None:
    """Name, problem, gold diff, test command and image may stand where Harbor has them."""
    row = {name: ROW[name] for name in ("repo", "version", "base_commit", "FAIL_TO_PASS", "PASS_TO_PASS")}
    script = ": '>>>>> Start Test Output'\npytest -q -rA tests/test_basic.py\n: '>>>>> End Test Output'\n"
    folder = make(
        tmp_path / "named-so",
        row={**row, "log_parser": "parse_log_pytest", "patch": None},
        toml=f'{TOML}docker_image = "own/image:1"\n',
        dockerfile="FROM scratch\nRUN make everything\n",
        script=script,
        solve=f"#!/bin/bash\ncd /app\ncat > /tmp/note <<EOF\nno diff\nEOF\ngit apply <<'PATCH'\n{DIFF}PATCH\n",
    )
    (task,) = load_harbor(folder)
    assert (task.task_id, task.image, task.patch) == ("named-so", "own/image:1", DIFF)
    assert task.problem_statement == "Words of the instruction.\n"
    assert (task.run.command, task.run.targets) == ("pytest -q -rA", ("tests/test_basic.py",))
    (folder / "solution" / "gold.patch").write_text("--- a\n+++ b\n")
    assert next(iter(load_harbor(folder))).patch == "--- a\n+++ b\n"


def test_a_directory_of_tasks_is_a_set(tmp_path: Path) -> None:
    """In the order of their names, and by the same call as rows."""
    for name in ("b", "a"):
        make(tmp_path / name, row={**ROW, "instance_id": name})
    (tmp_path / "README.md").write_text("Not a task.")
    assert is_harbor(tmp_path)
    assert is_harbor(tmp_path / "a")
    assert not is_harbor(tmp_path / "a" / "tests")
    assert [task.task_id for task in load_repair_set(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("dockerfile", "image"),
    [
        ("FROM own/image:2\nLABEL a=b\nWORKDIR /testbed\n", "own/image:2"),
        ("# comment\nfrom own/image:2 AS it\n", "own/image:2"),
        ("FROM own/image:2\nRUN make\n", None),
        ("FROM a AS b\nFROM c\n", None),
        ("ARG BASE=x\nFROM $BASE\n", None),
    ],
)
def test_a_dockerfile_that_builds_nothing_names_an_image(dockerfile: str, image: str | None, tmp_path: Path) -> None:
    """Where it builds something, a repository that is described does without an image."""
    (task,) = load_harbor(make(tmp_path / "one", dockerfile=dockerfile))
    assert task.image == image


def test_a_build_that_nothing_stands_in_for_is_refused(tmp_path: Path) -> None:
    """The sentence says what to do."""
    script = ": '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n"
    row = {**ROW, "repo": "own/thing", "log_parser": "parse_log_pytest"}
    folder = make(tmp_path / "one", row=row, dockerfile="FROM python:3.11\nRUN make\n", script=script)
    with pytest.raises(DataError, match=r"has to be built, which bai does not do: build it and name the image"):
        load_harbor(folder)
    (folder / "environment" / "docker-compose.yaml").write_text("")
    with pytest.raises(DataError, match="wants several containers"):
        load_harbor(folder)


@pytest.mark.parametrize("name", ["instruction.md", "environment/Dockerfile"])
def test_an_absent_file_is_named(name: str, tmp_path: Path) -> None:
    """And why it is needed."""
    folder = make(tmp_path / "one")
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"needs .*{name}"):
        load_harbor(folder)


def test_a_task_without_a_row_is_judged_by_its_script(tmp_path: Path) -> None:
    """Which has to be there."""
    folder = make(tmp_path / "one", dockerfile="FROM python:3.11\nWORKDIR /app\n")
    (folder / "tests" / "config.json").unlink()
    (task,) = load_harbor(folder)
    assert (task.task_id, task.run.command, task.image) == ("one", "/tests/test.sh", None)
    assert task.origin == {"harbor": str(folder)}
    (folder / "tests" / "test.sh").unlink()
    with pytest.raises(DataError, match=r"needs .*tests/test\.sh, which judges it: not there"):
        load_harbor(folder)


@pytest.mark.parametrize(
    ("dockerfile", "wants"),
    [
        (DOCKERFILE, r"\(RUN install-a-verifier --quietly\)"),
        ("FROM python:3.11\nWORKDIR /app\nRUN apt-get update && apt-get install -y gcc\n", "apt-get install -y gcc"),
        ("FROM python:3.11\n", "it names no WORKDIR"),
        ("FROM python:3.11 AS a\nFROM debian\nWORKDIR /app\n", "FROM debian"),
        ("FROM python:3.11\nWORKDIR /app\nCOPY absent.py .\n", "COPY absent.py"),
    ],
)
def test_a_container_that_has_to_be_built_is_refused_in_a_sentence(dockerfile: str, wants: str, tmp_path: Path) -> None:
    """It says what wants building, and what to do instead."""
    folder = make(tmp_path / "one", dockerfile=dockerfile)
    (folder / "tests" / "config.json").unlink()
    with pytest.raises(DataError, match=f"{wants}.*name the image as docker_image"):
        load_harbor(folder)


def test_broken_files_are_named(tmp_path: Path) -> None:
    """TOML, JSON, the row in it, bytes that are no text, and a solution that is no diff."""
    for change, kind, problem in [
        ({"toml": "version = "}, DataError, r"expected TOML in .*task\.toml"),
        ({"toml": "metadata = 3\n"}, DataError, r"expected \[metadata\] of .* to be a table"),
        ({"row": [1]}, MalformedRow, r"config\.json:1: expected an object"),
        ({"row": {**ROW, "FAIL_TO_PASS": 3}}, MalformedRow, r"config\.json:1: field 'FAIL_TO_PASS'"),
        ({"row": {**ROW, "patch": None}}, DataError, "as one unified diff"),
    ]:
        with pytest.raises(kind, match=problem):
            load_harbor(make(tmp_path / "one", **change))  # type: ignore[arg-type]
    folder = make(tmp_path / "one")
    (folder / "tests" / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"expected JSON in .*config\.json"):
        load_harbor(folder)
    (folder / "instruction.md").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"cannot read .*instruction\.md"):
        load_harbor(folder)
