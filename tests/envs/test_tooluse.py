"""bai/ToolUse-v0 as a Gymnasium environment."""

from __future__ import annotations

import json
import pickle
import runpy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import bai
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.tools import GoldAction, ToolTask
from bai.envs.tools.base import SourceSpec, Tool, ToolCall
from bai.envs.tooluse import ToolUseEnv
from bai.errors import ConfigError, InfraError, TaskNotFound, TaskSetNotFound

pytest.importorskip("jsonschema", reason="needs jsonschema")
Make = Callable[..., ToolUseEnv]

STOCK = "CREATE TABLE stock (item TEXT PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO stock VALUES ('pen', 3);"


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes unwrapped environments, with tasks of one's own where some are given, and closes them."""
    made: list[ToolUseEnv] = []

    def make_one(*tasks: ToolTask, **kwargs: Any) -> ToolUseEnv:
        env = gym.make("bai/ToolUse-v0", **{"sandbox": "process", **kwargs}).unwrapped
        assert isinstance(env, ToolUseEnv)
        if tasks:
            env._tasks = FiniteTaskSet("own", tasks)
        made.append(env)
        return env

    yield make_one
    for env in made:
        env.close()


def call(name: str, **arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def sql(query: str) -> str:
    return call("sql", query=query)


def stock_task(**fields: Any) -> ToolTask:
    tables = {"stock": {"columns": ["item", "n"], "rows": [["pen", 5]]}}
    given: dict[str, Any] = {
        "task_id": "pens",
        "prompt": "Set pen to 5.",
        "sources": (SourceSpec(source="sqlite", setup={"script": STOCK}),),
        "judge": "end_state",
        "expected": {"states": {"sqlite": {"tables": tables}}},
        "gold": ((ToolCall(name="sql", arguments={"query": "UPDATE stock SET n = 5"}),), "done"),
    }
    return ToolTask(**{**given, **fields})


def play(env: ToolUseEnv, *actions: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
    for action in actions:
        found = env.step(action)
    return found


def test_it_is_a_real_gymnasium_environment() -> None:
    """``check_env`` passes without a warning, the spec survives JSON, pickles work, a seed fixes the episode."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("bai/ToolUse-v0", sandbox="process", difficulty=[1, 2], max_turns=4)
        check_env(env.unwrapped)
    assert env.spec is not None
    rebuilt = gym.make(EnvSpec.from_json(env.spec.to_json()))
    pickled = pickle.loads(pickle.dumps(env))
    assert env.reset(seed=11) == rebuilt.reset(seed=11) == pickled.reset(seed=11)
    for action in ('{"name": "sql", "arguments": {', "done"):
        step = env.step(action)
        assert step == rebuilt.step(action) == pickled.step(action)
    assert len(pickle.dumps(env)) < 200_000, "neither the set nor what a source holds is part of the pickle"
    for one in (env, rebuilt, pickled):
        one.close()


def test_the_oracle_earns_all_and_silence_nothing(make: Make) -> None:
    """Over both splits, all difficulties and both styles; every measure that there is is at its most."""
    for style in ("json", "tags"):
        for split in ("train", "heldout"):
            env = make(
                split=split, difficulty=[1, 2, 3, 4, 5], uses=["sqlite", "files", "calculator"], call_format=style
            )
            for seed in range(12):
                _, info = env.reset(seed=seed)
                _, reward, terminated, truncated, info = play(env, *env.oracle())
                assert (reward, terminated, truncated) == (1.0, True, False), info
                assert info["verdict"]["status"] == "passed" and set(info["reward_terms"].values()) == {1.0}
                env.reset(options={"task_id": info["task_id"]})
                rewards = []
                while env._done is False:
                    rewards.append(env.step("")[1])
                assert not any(rewards), info["task_id"]


def test_the_prompt_tells_of_the_tools(make: Make) -> None:
    """Names, schemas, how to call them and how to end; or, where it is to be short, the user's words alone."""
    task = stock_task(system="You sell pens.")
    full, short = (make(task, prompt=prompt).reset(seed=0)[0] for prompt in ("full", "short"))
    assert short == "You sell pens.\nSet pen to 5."
    assert full.startswith("You sell pens.") and full.endswith("\n\nSet pen to 5.")
    assert '"name": "sql"' in full and '{"name": "TOOL", "arguments": {...}}' in full and "ends your turn" in full
    assert "<tool_call>" in make(task, call_format="tags").reset(seed=0)[0]


def test_a_dialogue(make: Make) -> None:
    """Calls are answered in order, faults are named, and text ends the turn."""
    env = make(stock_task())
    env.reset(seed=0)
    both = f"[{sql('SELECT n FROM stock')}, {sql('SELEC')}]"
    assert env.step(both)[0] == '[1] ["n"]\n[3]\n[2] error (failed): near "SELEC": syntax error'
    assert env.step(call("sq", query=""))[:3] == (
        "error (unknown_tool): there is no tool 'sq' (did you mean 'sql'?); there are: sql",
        0.0,
        False,
    )
    assert env.step(call("sql", statement="x"))[0].startswith("error (bad_arguments): sql: missing argument query")
    assert env.step('{"name": "sql", "arguments": {"query": "SELECT "a""}}')[0].startswith("error (unreadable)")
    assert env.step(sql("UPDATE stock SET n = 5"))[:3] == ("ok, 1 row changed", 0.0, False)
    observation, reward, terminated, _, info = env.step("All set.")
    assert (observation, reward, terminated) == ("", 1.0, True)
    assert info["reward_terms"] == {"exact_calls": 0.0, "arguments": 1.0, "end_state": 1.0}
    calls = env.record()["calls"]
    assert [one["fault"] for one in calls[0]] == [None, "failed", "unknown_tool", "bad_arguments", "unreadable", None]


def test_a_user_who_adds_requirements(make: Make) -> None:
    """Each message comes when the turn before has ended, and all of them count."""
    task = stock_task(later=("Also, add cup with 1.", "Thanks."))
    tables = {"stock": {"columns": ["item", "n"], "rows": [["cup", 1], ["pen", 5]]}}
    task = stock_task(later=task.later, expected={"states": {"sqlite": {"tables": tables}}})
    env = make(task)
    env.reset(seed=0)
    assert play(env, sql("UPDATE stock SET n = 5"), "done")[0] == "Also, add cup with 1."
    assert play(env, sql("INSERT INTO stock VALUES ('cup', 1)"), "done")[0] == "Thanks."
    assert play(env, "bye")[1:3] == (1.0, True)
    env.reset(seed=0)
    assert play(env, sql("UPDATE stock SET n = 5"), "done", "done", "done")[1:3] == (0.0, True)


def test_the_first_answer_can_be_the_last(make: Make) -> None:
    """Tools that nobody answers are declared and judged; nothing is run."""
    gold: tuple[GoldAction, ...] = ((ToolCall(name="f", arguments={"x": 1}), ToolCall(name="f", arguments={"x": 2})),)
    tool = Tool(name="f", parameters={"type": "object", "properties": {"x": {"type": "integer"}}})
    task = ToolTask(task_id="two", prompt="Twice.", judge="calls", tools=(tool,), ends_at_answer=True, gold=gold)
    env = make(task)
    env.reset(seed=0)
    assert play(env, *env.oracle())[1:3] == (1.0, True)
    for answer in ("", call("f", x=1), f"[{call('f', x=1)}, {call('f', x='2')}]", call("g")):
        env.reset(seed=0)
        assert env.step(answer)[1:3] == (0.0, True)


def test_limits_end_the_episode(make: Make) -> None:
    """On answers and on calls; what was left behind is judged as unfinished."""
    env = make(stock_task(), max_turns=3)
    env.reset(seed=0)
    *_, info = play(env, *[sql("UPDATE stock SET n = 5")] * 3)
    assert info["verdict"]["status"] == "failed" and "before the last turn did" in info["verdict"]["detail"]
    assert info["reward_terms"]["end_state"] == 1.0
    env = make(stock_task(), max_calls=2)
    env.reset(seed=0)
    assert env.step(f"[{', '.join([sql('UPDATE stock SET n = n + 1')] * 5)}]")[2] is True
    assert env.record()["calls"][0][2]["fault"] == "too_large"


def test_bad_input_is_typed_and_bounded_and_the_next_episode_is_clean(make: Make) -> None:
    """Dropped tables, endless queries, a million rows, a megabyte of arguments, calls without end."""
    env = make(stock_task(), max_turns=20, max_output=500)
    env.reset(seed=0)
    endless = "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT {} FROM r"
    for action, kind in [
        (sql(endless.format("COUNT(*)")), "timeout"),
        (sql(endless.format("a")), "too_large"),
        (sql("SELECT '" + "x" * 1_000_000 + "'"), "too_large"),
        (f"<tool_call>{sql('x' * 1_000_000)}</tool_call>", "too_large"),
        (f"[{', '.join([sql('SELECT 1')] * 1_000)}]", "too_large"),
        ('{"name": "sql", "arguments": ' + "[" * 100_000, "unreadable"),
        ('{"name": "sql", "arguments": {"query": "a", "query": "b"}}', "unreadable"),
    ]:
        observation, reward, terminated, truncated, _ = env.step(action)
        assert observation.startswith(f"error ({kind})") and (reward, terminated, truncated) == (0.0, False, False)
        assert len(observation) < 1_000
    assert len(env.step(sql("SELECT replace(hex(zeroblob(20000)), '0', 'x')"))[0]) < 700
    assert env.step(sql("DROP TABLE stock"))[0] == "ok, 0 rows changed"
    assert env.step("done")[1] == 0.0
    env.reset(seed=0)
    assert play(env, *env.oracle())[1] == 1.0


def test_forks_are_independent(make: Make) -> None:
    """Databases and files branch with the dialogue; siblings don't see each other, and a snapshot is gone back to."""
    env = make(uses=["sqlite", "files"], difficulty=2)
    _, info = env.reset(options={"task_id": "work/sf/train/2/000000003"})
    first, *rest = env.oracle()
    moment = env.snapshot()
    env.step(first)
    twin = env.fork()
    try:
        for one in (env, twin):
            assert play(one, *rest)[1] == 1.0
        assert twin.render is not None and env.restore(moment) == twin.restore(moment)
        assert play(env, "nothing")[1] == 0.0
        assert play(twin, first, *rest)[1] == 1.0
        assert info["task_id"] == "work/sf/train/2/000000003"
        assert env.fork()._done is True, "an episode that is over can be copied too"
    finally:
        twin.close()


def test_many_at_once() -> None:
    """The vector entry point steps members that have databases of their own."""
    envs = gym.make_vec("bai/ToolUse-v0", num_envs=3, sandbox="process", difficulty=1)
    assert isinstance(envs, bai.envs.vector.SandboxVectorEnv)
    envs.reset(seed=0)
    _, rewards, terminated, _, _ = envs.step(("", "", ""))
    assert list(rewards) == [0.0] * 3 and all(terminated)
    envs.close()


def test_real_servers_in_an_episode(make: Make) -> None:
    """Oracles on PostgreSQL, Redis and files together; forks branch both servers' databases."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    pytest.importorskip("redis", reason="needs redis")
    from bai.envs.tools.servers import PostgresServer, RedisServer

    for server in (PostgresServer, RedisServer):
        if (reason := server.unavailable_reason()) is not None:
            pytest.skip(f"needs {server.__name__}: {reason}")
    with PostgresServer() as postgres, RedisServer() as redis:
        env = make(
            difficulty=[4, 5],
            uses=["postgres", "redis", "files"],
            postgres_url=postgres.url,
            redis_url=redis.url,
        )
        for seed in range(3):
            env.reset(seed=seed)
            first, *rest = env.oracle()
            env.step(first)
            if not env._done:
                twin = env.fork()
                for one in (twin, env):
                    assert play(one, *rest)[1] == 1.0
                twin.close()
        env.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_turns": 0}, ConfigError),
        ({"max_calls": True}, ConfigError),
        ({"prompt": "long"}, ConfigError),
        ({"call_format": "xml"}, ConfigError),
        ({"difficulty": 7}, ConfigError),
        ({"uses": ["mysql"]}, ConfigError),
        ({"mcp": ["x"]}, ConfigError),
        ({"task_set": "play"}, TaskSetNotFound),
    ],
)
def test_arguments_that_are_none(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Are told when the environment is made."""
    with pytest.raises(error):
        gym.make("bai/ToolUse-v0", **arguments)


def test_faults_of_tasks_and_machines(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that nobody answers, sources of one key, and servers that are not there are told at the reset."""
    source = SourceSpec(source="sqlite")
    for broken in (
        stock_task(tools=(Tool(name="g"),)),
        stock_task(sources=(source, source)),
        stock_task(sources=(source, SourceSpec(source="sqlite", key="other"))),
        stock_task(sources=(SourceSpec(source="oracle"),)),
    ):
        with pytest.raises(ConfigError):
            make(broken).reset(seed=0)
    with pytest.raises(TaskNotFound):
        make().reset(options={"task_id": "nothing"})
    env = make(uses=["redis"], redis_url="unix:///nowhere/redis.sock")
    with pytest.raises(InfraError):
        env.reset(seed=0)


def test_a_server_that_dies_is_no_score(make: Make) -> None:
    """The episode is truncated and names the fault."""
    pytest.importorskip("redis", reason="needs redis")
    from bai.envs.tools.servers import RedisServer

    if (reason := RedisServer.unavailable_reason()) is not None:
        pytest.skip(f"needs Redis: {reason}")
    with RedisServer() as server:
        env = make(uses=["redis"], redis_url=server.url)
        env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(call("redis", command="GET a"))
    assert (reward, terminated, truncated, info["error"]) == (0.0, False, True, "InfraError")
    assert info["verdict"]["status"] == "infra_error"


def test_the_example_solves_its_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """``examples/tool_use.py`` runs, and gold answers are right."""
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "tool_use.py"), run_name="__main__")
    ends = [line for line in capsys.readouterr().out.splitlines() if line.startswith("reward")]
    assert len(ends) == 3 and all(line.startswith("reward 1.0") for line in ends)


def test_a_pickle_amid_an_episode_goes_on(make: Make) -> None:
    """What the sources hold goes with it: the copy ends as the original does, and neither hears of the other."""
    env = make(difficulty=[3, 4])
    for seed in range(6):
        env.reset(seed=seed)
        first, *rest = list(env.oracle())
        env.step(first)
        twin = pickle.loads(pickle.dumps(env))
        assert [env.step(action) for action in rest] == [twin.step(action) for action in rest]
        twin.close()
