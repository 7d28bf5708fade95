"""Spider itself: every gold query runs and matches itself, and wrong ones do not."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bai.envs.grading.tools.result_sets import same_result_set
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.spider import load_spider
from bai.envs.tasks.spider.databases import open_read_only
from bai.envs.tasks.tools import ToolTask
from bai.errors import MalformedRow, TaskSetNotFound


@pytest.fixture(scope="module")
def spider(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FiniteTaskSet[ToolTask]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield load_spider()


class Databases:
    """Runs queries on the databases of tasks."""

    def __init__(self) -> None:
        self.open: dict[str, sqlite3.Connection] = {}

    def run(self, task: ToolTask, query: str) -> dict[str, Any]:
        path = task.sources[0].setup["file"]
        if path not in self.open:
            self.open[path] = open_read_only(Path(path))
        with closing(self.open[path].execute(query)) as cursor:
            rows = [list(row) for row in cursor.fetchmany(20_000)]
            return {"columns": [name for name, *_ in cursor.description], "rows": rows}


@pytest.fixture
def databases() -> Iterator[Databases]:
    databases = Databases()
    yield databases
    for connection in databases.open.values():
        connection.close()


def gold_query(task: ToolTask) -> str:
    calls = task.gold[0]
    assert not isinstance(calls, str)
    return str(calls[0].arguments["query"])


@pytest.mark.data
def test_all_gold_queries_run_and_match_themselves(spider: FiniteTaskSet[ToolTask], databases: Databases) -> None:
    """All 1,034 do, none is left out; and 132 of their results tell little, which their category says."""
    assert len(spider) == 1034
    wrong = [
        task.task_id for task in spider if not same_result_set(databases.run(task, gold_query(task)), task.expected)
    ]
    assert wrong == []
    assert Counter(task.metadata["difficulty"] for task in spider) == {
        "easy": 248,
        "medium": 446,
        "hard": 174,
        "extra": 166,
    }
    assert Counter(task.metadata["category"] for task in spider) == {"telling": 902, "zeros": 44, "empty": 88}


def differs(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """A comparison of its own that forgives nothing but the order of rows where none is asked for."""
    if len(found["columns"]) != len(expected["columns"]):
        return True
    if expected["ordered"]:
        return bool(found["rows"] != expected["rows"])
    return sorted(map(repr, found["rows"])) != sorted(map(repr, expected["rows"]))


@pytest.mark.data
def test_wrong_queries_are_rejected(
    spider: FiniteTaskSet[ToolTask], databases: Databases, mutants: Callable[[str, int, int], list[str]]
) -> None:
    """Of wrong versions whose results differ, at least 95 in 100; of those whose results do not, none."""
    counts: Counter[str] = Counter()
    for seed, task in enumerate(spider):
        for query in mutants(gold_query(task), seed, 3):
            try:
                found = databases.run(task, query)
            except sqlite3.Error:
                continue
            kind = "differs" if differs(found, task.expected) else "same"
            counts[kind, same_result_set(found, task.expected)] += 1  # type: ignore[index]
    assert counts["same", False] == 0  # type: ignore[index]
    rejected, accepted = counts["differs", False], counts["differs", True]  # type: ignore[index]
    assert rejected + accepted > 1500
    assert rejected >= 0.99 * (rejected + accepted)


def test_a_set_that_is_absent_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the files, the folders that were searched, and the variable."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(TaskSetNotFound, match=r"ic_spider_dev\.json.*sql/spider.*BAI_DATA_DIR"):
        load_spider()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"db": "nowhere", "gold": "SELECT 1", "query": "?", "hardness": "easy"}', "one of other, shop"),
        ('{"db": "shop", "gold": "SELECT x FROM y", "query": "?", "hardness": "easy"}', "no such table: y"),
        ('{"db": "shop", "gold": "SELECT \'x", "query": "?", "hardness": "easy"}', "closed quotes"),
        ('{"db": "shop", "gold": "SELECT 1", "hardness": "easy"}', "query"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, dump: str, row: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its file, its number and what was expected."""
    monkeypatch.setenv("BAI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ic_spider_dbs.sql").write_text(dump)
    (tmp_path / "ic_spider_dev.json").write_text(f"[{row}]")
    with pytest.raises(MalformedRow, match=says):
        load_spider()
