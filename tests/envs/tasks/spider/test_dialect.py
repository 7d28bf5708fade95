"""MySQL's quoting, read and written in SQLite's."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.tasks.spider.dialect import statements, to_sqlite, tokens
from bai.errors import DataError


@pytest.mark.parametrize(
    ("mysql", "sqlite"),
    [
        ('SELECT "it\'s"', "SELECT 'it''s'"),
        ("SELECT 'a''b', \"a\"\"b\"", "SELECT 'a''b', 'a\"b'"),
        (r"SELECT 'a\'b\n'", "SELECT 'a''b\n'"),
        ("SELECT `a b` FROM `t`;", 'SELECT "a b" FROM "t"'),
        ("SELECT T1.a FROM t AS T1 WHERE x >= 1.5e3 ; ", "SELECT T1.a FROM t AS T1 WHERE x >= 1.5e3"),
        ("SELECT 1 -- one\n+ 1", "SELECT 1   + 1"),
        ('SELECT "SELECT" /* "x" */', "SELECT 'SELECT'"),
    ],
)
def test_only_quotes_change(mysql: str, sqlite: str) -> None:
    """Texts get single quotes, names double ones, comments go, and the rest stays as it is."""
    assert to_sqlite(mysql) == sqlite


@given(st.text(alphabet="ab'\"`\\;-\n%é漢"), st.sampled_from("'\""))
def test_a_text_means_the_same(text: str, quote: str) -> None:
    """Whatever a MySQL literal spells, SQLite reads."""
    literal = quote + text.replace("\\", "\\\\").replace(quote, quote * 2) + quote
    connection = sqlite3.connect(":memory:")
    assert connection.execute(to_sqlite(f"SELECT {literal}")).fetchone() == (text,)
    connection.close()


def test_a_quote_that_is_not_closed_is_an_error() -> None:
    """It is named, not guessed at."""
    with pytest.raises(DataError, match="closed quotes"):
        list(tokens("SELECT 'a"))


def test_semicolons_in_texts_do_not_end_statements() -> None:
    """Only those between statements do; empty statements are passed over."""
    assert [len(statement) for statement in statements("a;;'x;y' b; /* ; */ ;")] == [1, 3]
