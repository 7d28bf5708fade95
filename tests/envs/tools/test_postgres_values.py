"""Values on a real PostgreSQL server, as the agent is told them and as a judge compares them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bai.envs.tools.postgres import PostgresSource
from bai.errors import ConfigError, ToolFault

Fault = Callable[..., tuple[str, str]]
Begun = Callable[..., PostgresSource]
Ask = Callable[[PostgresSource, str], str]
TIMES = {
    "'2020-01-31'::date": "2020-01-31",
    "'infinity'::date": "infinity",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'12345-01-01'::date": "12345-01-01",
    "'03:04:05.5'::time": "03:04:05.500000",
    "'24:00:00'::time": "24:00:00",
    "'24:00:00+02'::timetz": "24:00:00+02",
    "'2020-01-02 03:04:05'::timestamp": "2020-01-02T03:04:05",
    "'-infinity'::timestamp": "-infinity",
    "'2020-01-02 03:04:05+01'::timestamptz": "2020-01-02T02:04:05+00:00",
    "'infinity'::timestamptz": "infinity",
    "ARRAY['infinity', '2020-01-31']::date[]": ["infinity", "2020-01-31"],
    "'1 mon'::interval": "1 mon",
    "'30 days'::interval": "30 days",
    "'24 hours'::interval": "24:00:00",
    "'1 day'::interval": "1 day",
    "'100000 years'::interval": "100000 years",
}


def test_times_are_told_whatever_they_are(begun: Begun) -> None:
    """Those of the calendar in one form, the others and all intervals as the server writes them."""
    made = begun("CREATE TABLE t AS SELECT " + ", ".join(f"{value} AS c{at}" for at, value in enumerate(TIMES)))
    assert made.end_state()["tables"]["t"]["rows"] == [list(TIMES.values())]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE t AS SELECT '[[],[],[],{}]'::jsonb FROM generate_series(1, 60000)",
        "CREATE TABLE t AS SELECT (repeat('[', 200) || repeat(']', 200))::jsonb",
        "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY",
    ],
    ids=["too much", "too deep", "hidden"],
)
def test_a_setup_that_no_judge_could_read_is_a_mistake_of_whoever_wrote_it(begun: Begun, script: str) -> None:
    """It is told when the episode begins, unless the judge looks at results alone."""
    with pytest.raises(ConfigError, match="for a judge"):
        begun(script)
    begun(script, report="result")


def test_what_a_setup_takes_is_not_the_agents(begun: Begun, ask: Ask) -> None:
    """Its text counts beside what the agent may add, in a branch too; what the agent adds is bounded all the same."""
    made, branch = begun("CREATE TABLE t AS SELECT repeat('x', 8000000) AS x"), begun()
    branch.set_state(made.get_state())
    for one in (made, branch):
        ask(one, "INSERT INTO t SELECT repeat('y', 4000000)")
        assert len(one.end_state()["tables"]["t"]["rows"]) == 2
        ask(one, "INSERT INTO t SELECT repeat('y', 8000000)")
        with pytest.raises(ToolFault, match="bytes"):
            one.end_state()


@pytest.mark.parametrize("statement", ["SELECT 1\0 garbage", "\0", "SELECT '\ud800'", "INSERT INTO t VALUES (1)\0"])
def test_what_the_server_would_not_read_to_its_end_is_not_run(begun: Begun, fault_of: Fault, statement: str) -> None:
    """No statement is cut short, and none has a character that is none; a script likewise."""
    made = begun("CREATE TABLE t (a int)")
    kind, reason = fault_of(made, "sql", query=statement)
    assert (kind, "a statement holds no" in reason) == ("failed", True)
    with pytest.raises(ConfigError, match="a statement holds no"):
        begun(f"CREATE TABLE t (a int); {statement}")


def test_tables_of_other_schemas_are_told_apart(begun: Begun, ask: Ask) -> None:
    """A schema's tables bear its name, and no table of another can have that; a branch owns them all."""
    made, branch = begun("CREATE SCHEMA sales; CREATE TABLE sales.t AS SELECT 1 AS a"), begun()
    ask(made, 'CREATE TABLE "sales.t" AS SELECT 2 AS a')
    ask(made, 'CREATE SCHEMA "a.b" CREATE TABLE t (a int)')
    branch.set_state(made.get_state())
    ask(branch, "INSERT INTO sales.t VALUES (3)")
    tables = {name: table["rows"] for name, table in branch.end_state()["tables"].items()}
    assert tables == {"sales.t": [[1], [3]], '"sales.t"': [[2]], '"a.b".t': []}


def test_trusted_extensions_go_with_the_database(begun: Begun, ask: Ask, fault_of: Fault, maker_url: str) -> None:
    """A setup may have them, and the agent; a branch owns what it got. Others are refused."""
    if "no rows" in ask(begun(), "SELECT FROM pg_available_extensions WHERE name = 'hstore'"):
        pytest.skip("needs the extension hstore")
    made = begun("CREATE EXTENSION hstore; CREATE TABLE t AS SELECT 1 AS a", url=maker_url)
    branch = PostgresSource(url=maker_url)
    branch.set_state(made.get_state())
    ask(branch, "DROP EXTENSION hstore")
    ask(branch, "CREATE EXTENSION hstore")
    assert branch.end_state() == made.end_state() == {"tables": {"t": {"columns": ["a"], "rows": [[1]]}}}
    assert fault_of(branch, "sql", query="CREATE EXTENSION file_fdw")[0] == "refused"
