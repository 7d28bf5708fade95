"""The documented row format, and what is said of rows that break it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tasks.coding import CaseTests, ReferenceTests, ScriptTests
from bai.envs.tasks.load import load_task_set
from bai.envs.tasks.rows import plain_value
from bai.errors import ConfigError, MalformedRow

Rows = Callable[..., dict[str, Any]]
Write = Callable[..., Path]
DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_each_kind_of_tests_is_read(row_of: Rows, write_rows: Write) -> None:
    """``cases``, ``inputs`` and ``script`` become the three nouns, with all their fields."""
    path = write_rows(
        row_of(task_id="a", atol=0.5, rule="elements", adapter="x = 1", call="g", metadata={"source": "mine"}),
        row_of(task_id="b", cases=None, inputs=[[1], [2]], rtol=0.25, prelude="import math"),
        row_of(task_id="c", cases=None, script="assert f(1)", proxies=["f", "g"], setup="y = 2", adapter="z = 3"),
    )
    a, b, c = load_task_set(str(path))
    assert isinstance(a.hidden, CaseTests)
    assert (len(a.hidden.cases), a.hidden.atol, a.hidden.rule, a.hidden.adapter, a.hidden.call) == (
        *(4, 0.5),
        *("elements", "x = 1", "g"),
    )
    assert a.metadata == {"source": "mine"}
    assert isinstance(b.hidden, ReferenceTests)
    assert (b.hidden.inputs, b.hidden.rtol, b.prelude) == (((1,), (2,)), 0.25, "import math")
    assert c.hidden == ScriptTests(script="assert f(1)", proxies=("f", "g"), setup="y = 2", adapter="z = 3")


@pytest.mark.parametrize(
    ("json_value", "value"),
    [
        ({"$tuple": [1, {"$tuple": []}]}, (1, ())),
        ({"$set": [1, 2]}, {1, 2}),
        ({"$frozenset": ["a"]}, frozenset("a")),
        ({"$dict": [[1, "a"], [{"$tuple": [1]}, "b"]]}, {1: "a", (1,): "b"}),
        ({"$bytes": "AP8="}, b"\x00\xff"),
        ({"$float": "inf"}, float("inf")),
        ({"$complex": [1, -2]}, 1 - 2j),
        ({"a": {"$set": []}, "b": [1.5, None, True]}, {"a": set(), "b": [1.5, None, True]}),
        ({"$tuple": [1], "x": 2}, {"$tuple": [1], "x": 2}),
    ],
)
def test_tags_stand_for_what_json_lacks(json_value: Any, value: Any) -> None:
    """An object with one key that starts with ``$`` is a tagged value."""
    assert plain_value(json_value) == value
    assert type(plain_value(json_value)) is type(value)


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"task_id": None}, "task_id", "is missing"),
        ({"task_id": 7}, "task_id", "expected a string; got a number"),
        ({"task_id": " "}, "task_id", "expected some text"),
        ({"prompt": None}, "prompt", "is missing"),
        ({"entry_point": "f(x)"}, "entry_point", "expected the name of a function; got 'f(x)'"),
        ({"reference": None}, "reference", "is missing"),
        ({"cases": None}, "cases", "expected exactly one of 'cases', 'inputs' and 'script'; got none"),
        ({"inputs": [[1]]}, "cases", "got ['cases', 'inputs']"),
        ({"cases": []}, "cases", "expected at least one; got an empty list"),
        ({"cases": 3}, "cases", "expected a list; got a number"),
        ({"cases": [3]}, "cases[0]", "expected an object; got a number"),
        ({"cases": [{"args": [1]}]}, "cases[0]", "expected {'args': [...], 'expected': ...}"),
        ({"cases": [{"args": 1, "expected": 1}]}, "cases[0]", "expected {'args': [...], 'expected': ...}"),
        ({"cases": [{"args": [{"$list": []}], "expected": 1}]}, "cases[0].args", "'$list' is none of $tuple"),
        ({"cases": [{"args": [], "expected": {"$set": [[1]]}}]}, "cases[0].expected", "unhashable"),
        ({"cases": None, "inputs": [1]}, "inputs[0]", "expected a list; got a number"),
        ({"cases": None, "script": ""}, "script", "expected some text"),
        ({"cases": None, "script": "assert f("}, "script", "expected Python source"),
        ({"cases": None, "script": "x", "setup": "def"}, "setup", "expected Python source"),
        ({"cases": None, "script": "x", "proxies": [1]}, "proxies[0]", "expected a string"),
        ({"public": [{}]}, "public[0]", "expected {'args': [...], 'expected': ...}"),
        ({"atol": -1}, "atol", "expected a number of at least 0; got -1"),
        ({"atol": True}, "atol", "expected a number"),
        ({"rule": "fuzzy"}, "rule", "expected one of value, elements, polynomial_root; got 'fuzzy'"),
        ({"answer_style": "poem"}, "answer_style", "expected one of function, completion"),
        ({"metadata": []}, "metadata", ""),
        ({"metadata": [1]}, "metadata", "expected an object; got a list"),
        ({"entry_point": "class"}, "entry_point", "expected the name of a function; got 'class'"),
        ({"call": "f(x)"}, "call", "expected the name of a function; got 'f(x)'"),
        ({"adapter": "def f("}, "adapter", "expected Python source"),
        ({"prelude": "import"}, "prelude", "expected Python source"),
        ({"proxies": ["double"]}, "proxies", "has no meaning beside 'cases'"),
        ({"cases": None, "inputs": [[1]], "setup": "x = 1"}, "setup", "has no meaning beside 'inputs'"),
        ({"cases": None, "script": "x", "rtol": 1e-3}, "rtol", "has no meaning beside 'script'"),
        ({"test": "x"}, "test", "is no field of the format"),
    ],
)
def test_a_malformed_row_names_file_line_and_field(
    row_of: Rows, write_rows: Write, changes: dict[str, Any], field: str, problem: str
) -> None:
    """The error says where to look and what was expected."""
    path = write_rows(row_of(task_id="fine"), {}, name="mine.jsonl")
    path.write_text(json.dumps(row_of(task_id="fine")) + "\n\n" + json.dumps(row_of(**changes)) + "\n")
    if not problem:
        assert load_task_set(str(path)).get("double").metadata == {}
        return
    with pytest.raises(MalformedRow) as caught:
        load_task_set(str(path))
    assert (caught.value.path, caught.value.line, caught.value.field) == (str(path.resolve()), 3, field)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "expected JSON"),
        (b"[1]", "expected an object; got a list"),
        (b"null", "expected an object; got null"),
        (b'{"task_id": "\xff"}', "expected UTF-8; got byte 0xff"),
        (b"[" * 100_000, "expected JSON"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, row_of: Rows, line: bytes, problem: str) -> None:
    """Lines that cannot be read at all name the file and the line."""
    path = tmp_path / "mine.jsonl"
    path.write_bytes(json.dumps(row_of()).encode() + b"\n" + line + b"\n")
    with pytest.raises(MalformedRow, match=problem) as caught:
        load_task_set(str(path))
    assert (caught.value.line, caught.value.field) == (2, "")


def test_lines_end_at_newlines_only(tmp_path: Path, row_of: Rows) -> None:
    """U+2028, U+0085 and form feeds may stand inside a string."""
    path = tmp_path / "mine.jsonl"
    prompt = "one\u2028two\x85three\x0cfour\rfive"
    path.write_text(json.dumps(row_of(prompt=prompt), ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    assert load_task_set(str(path)).get("double").prompt == prompt


def test_gzip_is_read_and_a_torn_file_is_named(tmp_path: Path, row_of: Rows) -> None:
    """A name that ends in .gz is unpacked; half of one is malformed."""
    data = gzip.compress((json.dumps(row_of()) + "\n").encode())
    whole, torn = tmp_path / "whole.jsonl.gz", tmp_path / "torn.jsonl.gz"
    whole.write_bytes(data)
    torn.write_bytes(data[:-12])
    assert len(load_task_set(str(whole))) == 1
    with pytest.raises(MalformedRow, match="expected a whole gzip file"):
        load_task_set(str(torn))


@pytest.mark.filterwarnings("ignore")
def test_a_local_data_set_is_read(tmp_path: Path, row_of: Rows) -> None:
    """Parquet files and saved directories go through ``datasets``; nested fields are strings of JSON there."""
    datasets = pytest.importorskip("datasets")
    row = row_of(metadata={"split": "train"})
    nested = {key: json.dumps(value) if isinstance(value, (list, dict)) else value for key, value in row.items()}
    table = datasets.Dataset.from_list([nested, {**nested, "task_id": "other", "cases": "[]"}])
    table.select([0]).to_parquet(str(tmp_path / "mine.parquet"))
    table.save_to_disk(str(tmp_path / "saved"))
    assert load_task_set(str(tmp_path / "mine.parquet"), split="train").get("double").public[0].args == (1,)
    with pytest.raises(MalformedRow) as caught:
        load_task_set(str(tmp_path / "saved"))
    assert (caught.value.line, caught.value.field) == (2, "cases")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(MalformedRow, match="expected a data set"):
        load_task_set(str(tmp_path / "broken.parquet"))


def test_a_changed_file_is_read_again(tmp_path: Path, row_of: Rows) -> None:
    """A set is kept while its file is the same, and not longer."""
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(row_of()) + "\n")
    first = load_task_set(str(path))
    assert load_task_set(str(path)) is first
    path.write_text(json.dumps(row_of(task_id="a longer name")) + "\n")
    assert [task.task_id for task in load_task_set(str(path))] == ["a longer name"]


def test_empty_files_and_repeated_ids_are_refused(tmp_path: Path, row_of: Rows, write_rows: Write) -> None:
    """A set has tasks, each with an id of its own."""
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(ConfigError, match="holds no task"):
        load_task_set(str(tmp_path / "empty.jsonl"))
    with pytest.raises(ConfigError, match="holds 'double' twice"):
        load_task_set(str(write_rows(row_of(), row_of())))


def test_the_documented_rows_are_rows(tmp_path: Path) -> None:
    """Every example of the format's page is read without complaint."""
    text = (DOCS / "task_format.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```json\n")[1:]]
    assert len(blocks) >= 3
    path = tmp_path / "documented.jsonl"
    path.write_text("".join(json.dumps(json.loads(block)) + "\n" for block in blocks), encoding="utf-8")
    assert len(load_task_set(str(path))) == len(blocks)
