"""Rows of ToolAlpaca as tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.toolalpaca import load_toolalpaca
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import ToolCall
from bai.errors import MalformedRow

DOCUMENT = {
    "paths": {
        "/find": {"get": {"description": "Find.", "parameters": [{"name": "q", "schema": {"type": "string"}}]}},
        "/drop": {"delete": {"parameters": [{"name": "itemId", "required": True, "schema": {"type": "integer"}}]}},
    }
}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "Name": "Store",
        "Introduction": "Things.",
        "Category": "Shops",
        "Documentation": json.dumps(DOCUMENT),
        "Function_Projection": {"find": ["/find", "get"], "drop": ["/drop", "delete"]},
        "Instructions": ["Drop the red lamp.", "Drop my lamp."],
        "Golden_Answers": [
            [
                {"Action": "find", "Action_Input": '{"q": "red lamp"}'},
                {"Action": "drop", "Action_Input": '{"itemId": ${itemId from find}}'},
            ],
            [
                {"Action": "getDetails", "Action_Input": '{"Question": "Which lamp?"}'},
                {"Action": "drop", "Action_Input": '{"itemId": ${itemId from getDetails}}'},
            ],
        ],
        **changes,
    }


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FiniteTaskSet[ToolTask]]:
    def load(**changes: Any) -> FiniteTaskSet[ToolTask]:
        monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
        (tmp_path / "eval_simulated.json").write_text(json.dumps([row(**changes)]))
        return load_toolalpaca()

    return load


def test_each_request_is_a_task(load: Callable[..., FiniteTaskSet[ToolTask]]) -> None:
    """With the API's functions, what the API tells, and the calls that are wanted."""
    first, second = load()
    assert (first.task_id, first.prompt, first.later) == ("toolalpaca/Store/0", "Drop the red lamp.", ())
    assert first.metadata == {"split": "eval_simulated", "category": "several", "api": "Store", "topic": "Shops"}
    number = first.sources[0].setup["answers"]["find"]["itemId"]
    assert [call["arguments"] for call in first.expected["calls"]] == [{"q": "red lamp"}, {"itemId": number}]
    assert first.expected["reading"] == ["find"]
    assert first.gold[-2:] == ((ToolCall(name="drop", arguments={"itemId": number}),), "Done.")
    assert second.metadata["category"] == "ask"
    assert second.gold[0] == "Which lamp?"
    assert str(second.expected["calls"][0]["arguments"]["itemId"]) in second.later[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Documentation": "{"}, "Documentation"),
        ({"Documentation": '{"paths": {}}'}, "projected functions"),
        ({"Documentation": "[]"}, "Documentation"),
        ({"Golden_Answers": [[]]}, "expected 2 answers; got 1"),
        ({"Golden_Answers": [[], [{"Action": "sell", "Action_Input": "{}"}]]}, "sell"),
        ({"Golden_Answers": [[], [{"Action": "find", "Action_Input": "{"}]]}, "Golden_Answers"),
        ({"Golden_Answers": [[], ["find"]]}, "Golden_Answers"),
        ({"Instructions": [1]}, "Instructions"),
        ({"Name": None}, "Name"),
    ],
)
def test_a_bad_row_is_named(load: Callable[..., FiniteTaskSet[ToolTask]], changes: dict[str, Any], says: str) -> None:
    """With the field at fault."""
    with pytest.raises(MalformedRow, match=says):
        load(**changes)


def test_a_document_that_refers_to_itself_is_named(load: Callable[..., FiniteTaskSet[ToolTask]]) -> None:
    """It is never followed for ever."""
    around = {"paths": {"/find": {"get": {"$ref": "#/a"}}}, "a": {"$ref": "#/a"}}
    with pytest.raises(MalformedRow, match="Documentation"):
        load(Documentation=json.dumps(around), Function_Projection={"find": ["/find", "get"]})
