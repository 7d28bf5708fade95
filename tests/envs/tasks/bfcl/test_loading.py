"""BFCL's files as tasks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bai.envs.tasks.bfcl.expressions import read_call
from bai.envs.tasks.bfcl.files import find_bfcl, rows
from bai.envs.tasks.bfcl.multi_turn import APIS, LEFT_OUT, load_bfcl_multi_turn
from bai.envs.tasks.bfcl.schema import declaration
from bai.envs.tasks.bfcl.single import gold_call, load_bfcl_simple
from bai.envs.tasks.tool_sets import load_tool_set
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall
from bai.errors import ConfigError, MalformedRow, TaskSetNotFound

FUNCTION = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "dict", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}
ROW: dict[str, Any] = {
    "id": "simple_0",
    "question": [[{"role": "user", "content": "Add 1."}]],
    "function": [FUNCTION],
}
TURNS: dict[str, Any] = {
    "id": "multi_0",
    "question": [[{"role": "user", "content": text}] for text in ("Make a.", "Wait.")],
    "involved_classes": ["GorillaFileSystem"],
    "excluded_function": ["rm"],
    "initial_config": {},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """BFCL's folder, of this test's own."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = tmp_path / "data" / "tools" / "bfcl"
    (found / "multi_turn_func_doc").mkdir(parents=True)
    for _, file in APIS.values():
        docs = [{**FUNCTION, "name": name} for name in ("touch", "rm")]
        (found / "multi_turn_func_doc" / file).write_text("\n".join(map(json.dumps, docs)))
    return found


def write(folder: Path, name: str, *rows: Any) -> None:
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows))


@pytest.mark.parametrize("name", ["simple", "multiple", "parallel", "irrelevance", "multi_turn"])
def test_an_absent_set_says_where_to_put_its_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file and the folders that were looked in."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    where = r"put .*jsonl? into tools/bfcl of the folder that BAI_DATA_DIR names"
    with pytest.raises(TaskSetNotFound, match=where) as caught:
        load_tool_set(f"bfcl_{name}")
    assert str(tmp_path / "data" / "tools" / "bfcl") in str(caught.value)


def test_a_row_becomes_a_task_of_one_answer(folder: Path) -> None:
    """What is shown, what is wanted, and the shortest right call; its JSON form is exact."""
    write(folder, "simple_python.jsonl", ROW)
    write(
        folder, "simple_python_answers.jsonl", {"id": "simple_0", "ground_truth": [{"add": {"a": [1], "b": [2, ""]}}]}
    )
    (task,) = load_bfcl_simple()
    assert (task.task_id, task.prompt, task.ends_at_answer, task.judge) == ("simple_0", "Add 1.", True, "bfcl_calls")
    assert task.gold == ((ToolCall(name="add", arguments={"a": 1}),),)
    assert [tool.name for tool in task.tools] == ["add"]
    assert task.metadata == {"category": "simple", "functions": 1, "calls": 1}
    assert ToolTask.from_json(json.loads(json.dumps(task.to_json()))) == task


@pytest.mark.parametrize("name", ["simple", "irrelevance", "multi_turn"])
def test_files_are_read_again_only_when_they_changed(name: str, folder: Path) -> None:
    """Environments of one process share a set; a rewrite of equal size shows by its time."""
    file = {"simple": "simple_python", "multi_turn": "multi_turn_base"}.get(name, name)
    row, truth = (TURNS, [[], []]) if name == "multi_turn" else (ROW, [{"add": {"a": [1]}}])
    write(folder, f"{file}.jsonl", {**row, "id": "a"})
    write(folder, f"{file}_answers.jsonl", *({"id": key, "ground_truth": truth} for key in "ab"))
    first = load_tool_set(f"bfcl_{name}")
    assert load_tool_set(f"bfcl_{name}") is first
    write(folder, f"{file}.jsonl", {**row, "id": "b"})
    os.utime(folder / f"{file}.jsonl", (0, 0))
    assert [task.task_id for task in load_tool_set(f"bfcl_{name}")] == ["b"]  # type: ignore[attr-defined]


def test_several_turns_become_a_task_with_sources(folder: Path) -> None:
    """Later requests, the classes' sources with their setups, gold calls by turn, and no excluded function."""
    write(folder, "multi_turn_base.jsonl", TURNS)
    write(folder, "multi_turn_base_answers.jsonl", {"id": "multi_0", "ground_truth": [["touch(1)", "touch(a=2)"], []]})
    (task,) = load_bfcl_multi_turn()
    first, second = (ToolCall(name="touch", arguments={"a": number}) for number in (1, 2))
    assert (task.prompt, task.later) == ("Make a.", ("Wait.",))
    assert task.gold_turns() == ((first, second), ())
    assert [tool.name for tool in task.tools] == ["touch"]
    assert [(spec.source, spec.key, spec.setup) for spec in task.sources] == [
        ("bfcl_file_system", "GorillaFileSystem", None)
    ]


@pytest.mark.parametrize(
    ("row", "truth", "field"),
    [
        ({"involved_classes": ["Toaster"]}, [[], []], "involved_classes"),
        ({}, [[]], "ground_truth"),
        ({}, [["rm(1)"], []], "ground_truth"),
        ({}, [["touch(open('x'))"], []], "ground_truth"),
        ({}, "touch", "ground_truth"),
    ],
)
def test_a_malformed_row_of_turns_is_named(row: dict[str, Any], truth: Any, field: str, folder: Path) -> None:
    """File, line and field."""
    write(folder, "multi_turn_base.jsonl", {**TURNS, **row})
    write(folder, "multi_turn_base_answers.jsonl", {"id": "multi_0", "ground_truth": truth})
    with pytest.raises(MalformedRow, match=rf"multi_turn_base.*\.jsonl:1: field '{field}"):
        load_bfcl_multi_turn()


def test_malformed_rows_of_single_turns_are_named(folder: Path) -> None:
    """No answer, an answer that calls what is not declared, an id that comes twice."""
    write(folder, "simple_python_answers.jsonl", {"id": "simple_1", "ground_truth": []})
    write(folder, "simple_python.jsonl", ROW)
    with pytest.raises(MalformedRow, match="has no row in simple_python_answers"):
        load_bfcl_simple()
    write(folder, "simple_python_answers.jsonl", {"id": "simple_0", "ground_truth": [{"sub": {}}]})
    with pytest.raises(MalformedRow, match="'sub', which is not declared"):
        load_bfcl_simple()
    write(folder, "simple_python.jsonl", ROW, ROW)
    with pytest.raises(MalformedRow, match=r"simple_python\.jsonl:2: field 'id': 'simple_0' comes twice"):
        load_bfcl_simple()


@pytest.mark.parametrize(
    "changed",
    [
        {"function": [{"name": "add"}]},
        {"function": [{**FUNCTION, "parameters": {"type": "HashMap", "properties": {}}}]},
        {"question": [["Add 1."]]},
        {"question": [[{"role": "user"}]]},
    ],
)
def test_a_row_of_another_form_is_named(changed: dict[str, Any], folder: Path) -> None:
    """Whatever is missing or of another kind, the error says which file and line."""
    write(folder, "simple_python.jsonl", {**ROW, **changed})
    write(folder, "simple_python_answers.jsonl", {"id": "simple_0", "ground_truth": [{"add": {"a": [1]}}]})
    with pytest.raises(MalformedRow, match=r"simple_python\.jsonl:1: has not the form"):
        load_bfcl_simple()


def test_the_gold_call_is_the_shortest_right_one() -> None:
    """First right values; what may be left out is left out, in objects and in lists of them too."""
    allowed: dict[str, list[Any]] = {
        "a": ["", 5, 6],
        "b": ["", 7],
        "c": [{"k": [1, 2], "l": [3, ""], "m": [[{"n": [4]}]]}],
        "d": [[{"n": [4]}, {"n": [5]}]],
    }
    assert gold_call("f", allowed, ["a"]).arguments == {
        "a": 5,
        "c": {"k": 1, "m": [{"n": 4}]},
        "d": [{"n": 4}, {"n": 5}],
    }


@pytest.mark.data
def test_sets_can_be_filtered_by_their_category(data_dir: Path) -> None:
    """A category that the set lacks leaves nothing."""
    assert len(list(load_tool_set("bfcl_parallel", category="parallel"))) == 200
    with pytest.raises(ConfigError, match="no task"):
        load_tool_set("bfcl_parallel", category="simple")


@pytest.mark.data
def test_rows_are_left_out_with_a_reason_and_few_of_them(data_dir: Path) -> None:
    """At most 2 % of the 200 rows of several turns."""
    tasks = list(load_bfcl_multi_turn())
    assert len(tasks) + len(LEFT_OUT) == 200
    assert len(LEFT_OUT) <= 4
    assert all(LEFT_OUT.values())
    assert not LEFT_OUT.keys() & {task.task_id for task in tasks}


@pytest.mark.data
def test_what_is_left_out_breaks_its_own_declaration(data_dir: Path) -> None:
    """The schema of the function doc refuses a gold call of each row that is left out, and so would the environment."""
    files = find_bfcl(*(f"multi_turn_func_doc/{file}" for _, file in APIS.values()))
    docs = {name: row for file in files for name, row in rows(file).items()}
    tools = {name: declaration(row) for name, row in docs.items()}
    parameters = {name: tuple(tool.parameters["properties"]) for name, tool in tools.items()}
    answers = rows(*find_bfcl("multi_turn_base_answers.jsonl"))
    for task_id in LEFT_OUT:
        calls = [read_call(text, parameters) for turn in answers[task_id]["ground_truth"] for text in turn]
        schemas = [jsonschema.Draft202012Validator(tools[call.name].parameters) for call in calls]
        assert not all(schema.is_valid(call.arguments) for schema, call in zip(schemas, calls, strict=True))
