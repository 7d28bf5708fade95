"""Spider's development questions (Yu et al. 2018, arXiv:1809.08887) as tasks of one tool, ``sql``.

The rows and the dump are InterCode's (Yang et al. 2023, arXiv:2306.14898): the question, its database, a gold query in
MySQL's dialect and its hardness. What the query gives on the database is what is expected of the agent; the text of its
SQL is not looked at.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bai.envs.stamps import Stamp, stamp
from bai.envs.tasks.files import Row, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.folders import find_files
from bai.envs.tasks.spider.databases import open_read_only, schema, sqlite_files
from bai.envs.tasks.spider.dialect import to_sqlite
from bai.envs.tasks.spider.gold import expected_result
from bai.envs.tasks.tools import ToolTask
from bai.envs.tools.base import SourceSpec, ToolCall
from bai.errors import DataError

__all__ = ["load_spider"]

_PROMPT = """A SQLite database has these tables; text is compared without regard to case.

{schema}

Question: {question}

Find out with the tool sql. The result of the last query that succeeds is your answer: it should hold what the \
question asks for and no more, in the order that the question asks for, if it does. Then say that you are done."""


def load_spider() -> FiniteTaskSet[ToolTask]:
    """Gives the 1,034 questions, in the order of their file.

    Metadata: ``split`` (``dev``), ``difficulty`` (``easy``, ``medium``, ``hard``, ``extra``), ``database``, and
    ``category``, whether the gold result tells a right query from a careless one: ``telling``, 902 questions;
    ``zeros``, 44 with one row of zeros and NULLs; ``empty``, 88 without a row, which any query without a result
    matches. :func:`~bai.envs.tasks.tool_sets.load_tool_set` leaves out the last two unless they are asked for.

    Raises:
        TaskSetNotFound: The files are not on this machine.
        MalformedRow: A row names no database, or its query does not run.
    """
    questions, dump = find_files("spider", "sql/spider", "ic_spider_dev.json", "ic_spider_dbs.sql*")
    return _load(questions, dump, stamp([questions, dump]))


@functools.lru_cache(maxsize=2)
def _load(questions: Path, dump: Path, stamp: Stamp) -> FiniteTaskSet[ToolTask]:
    return FiniteTaskSet("spider", _tasks(questions, sqlite_files(dump)))


def _tasks(questions: Path, files: dict[str, Path]) -> Iterator[ToolTask]:
    with ExitStack() as stack:
        databases = {name: stack.enter_context(closing(open_read_only(path))) for name, path in files.items()}
        for number, row in enumerate(read_rows(questions)):
            name = row.text("db")
            if name not in databases:
                raise row.malformed(
                    "db", f"expected a database of the dump, one of {', '.join(databases)}; got {name!r}"
                )
            yield _task(number, row, databases[name], files[name])


def _task(number: int, row: Row, database: sqlite3.Connection, path: Path) -> ToolTask:
    gold = row.text("gold")
    try:
        expected = expected_result(database, gold)
    except (DataError, sqlite3.Error) as error:
        raise row.malformed("gold", f"expected a query that runs on the database; {error}") from error
    return ToolTask(
        task_id=f"spider/{number}",
        prompt=_PROMPT.format(schema=schema(database), question=row.text("query")),
        metadata={
            "category": _category(expected["rows"]),
            "split": "dev",
            "difficulty": row.text("hardness"),
            "database": row.text("db"),
        },
        sources=(
            SourceSpec(source="sqlite", settings={"writable": False, "report": "result"}, setup={"file": str(path)}),
        ),
        judge="result_set",
        expected=expected,
        gold=((ToolCall(name="sql", arguments={"query": to_sqlite(gold)}),), "Done."),
    )


def _category(rows: list[list[Any]]) -> str:
    if not rows:
        return "empty"
    return "telling" if len(rows) > 1 or any(value not in (None, 0) for value in rows[0]) else "zeros"
