"""The pipeline acts in bai/SWEBench-v0, and sees what an agent may see."""

from __future__ import annotations

import gzip
import json

import gymnasium as gym
import pytest
from bai_money import ISSUE, MODULE

import bai  # noqa: F401 - registers the environments
from bai.agents.policies import make_policy
from bai.agents.repair.agent import RepairAgent, answers
from bai.agents.repair.environment import Surroundings, surroundings_of
from bai.agents.repair.pipeline import RepairConfig
from bai.agents.rollout import Request, RolloutEngine
from bai.envs.repository.actions import read_patch
from bai.envs.repository.patch import apply_patch, make_patch, parse_patch
from bai.envs.repository.tree import Entry, Tree
from bai.envs.tasks.mutation.runner import PYTEST
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench_rows import row_of
from bai.errors import ConfigError
from bai.policy import Sampling
from bai.types import Message

CONFIG = RepairConfig(mutants=64, enough=1, test_s=2.0)
HIDDEN = "from money import Purse\n\n\ndef test_total():\n    assert Purse([1, 4]).total() == 5\n"


@pytest.fixture
def rows(tree, tmp_path):
    """A file with one task: the project, and a test of its fault that stays hidden."""
    archive = tmp_path / "tree.tar.gz"
    archive.write_bytes(gzip.compress(tree.archive()))
    tests = ("test_largest", "test_nothing", "test_join")
    task = RepairTask(
        task_id="money__1",
        prompt=ISSUE,
        metadata={},
        repo="package/money",
        base_commit=tree.digest,
        version="1.0",
        problem_statement=ISSUE,
        patch=make_patch(tree, tree.changed({"money.py": Entry(data=MODULE.replace("-=", "+=").encode())})).text,
        test_patch=make_patch(tree, tree.changed({"tests/test_total.py": Entry(data=HIDDEN.encode())})).text,
        fail_to_pass=("tests/test_total.py::test_total",),
        pass_to_pass=tuple(f"tests/test_money.py::{name}" for name in tests),
        log_parser="parse_log_pytest",
        run=TestRun(command=PYTEST, targets=("tests",)),
        origin={"tree": archive.name},
    )
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row_of(task)))
    return path


@pytest.fixture
def make(rows, tmp_path_factory):
    pytest.importorskip("swebench")
    made = []

    def make(mode):
        cache = str(tmp_path_factory.getbasetemp() / "machines")
        env = gym.make(
            "bai/SWEBench-v0",
            disable_env_checker=True,
            task_set=str(rows),
            mode=mode,
            sandbox="process",
            cache_dir=cache,
            history=False,
            context="none",
        )
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


@pytest.mark.parametrize("mode", ["patch", "bash"])
def test_it_resolves_a_task(make, mode):
    """In both modes what it hands in passes the hidden test."""
    engine = RolloutEngine(lambda: make(mode), RepairAgent(CONFIG), env_id="bai/SWEBench-v0", concurrency=1)
    try:
        (trajectory,) = engine.collect([Request(seed=0)], Sampling())
    finally:
        engine.close()
    assert trajectory.error is None and trajectory.reward == 1.0
    assert trajectory.verdict.status == "passed"
    assert len(trajectory.turns) == (1 if mode == "patch" else 2)


def test_it_sees_no_more_than_an_agent(make, tree):
    """What it takes from the environment are the files the agent gets and the prompt: no hidden test, no gold patch."""
    env = make("patch")
    env.reset(seed=0)
    seen = surroundings_of(env)
    assert seen.tree == tree and "tests/test_total.py" not in seen.tree
    assert "test_total" not in seen.statement and "amount += coin" not in seen.statement
    assert {"statement", "tree", "machine", "mode"} == set(vars(seen))


@pytest.mark.parametrize("end", ["\n\n\n", "", "\n    ````\n"])
def test_diffs_arrive_whole(machine, end):
    """A diff that ends in blank lines, in no newline or in what looks like a fence is read back as it was meant."""
    tree = Tree({"a.py": Entry(data=f"x = 1\n{end}".encode())})
    seen = Surroundings(statement="", tree=tree, machine=machine, mode="patch")
    (answer,) = answers(seen, {"a.py": f"x = 2\n{end}"})
    assert apply_patch(tree, parse_patch(read_patch(answer))).text("a.py") == f"x = 2\n{end}"


def test_it_answers_bound_contexts_only():
    """Without an environment, or in another one, it says what it needs."""
    agent = make_policy("repair")
    context = agent.begin([Message(role="user", content="go")])
    with pytest.raises(ConfigError, match="bind"):
        agent.generate([context], 1, Sampling(), [0])
    with pytest.raises(ConfigError, match="SWEBench"):
        agent.bind(context, gym.Env())


def test_options_say_how_much_is_tried():
    """Fields of RepairConfig are the pipeline's, the others the inner policy's; one that nobody takes is refused."""
    assert make_policy("repair", seconds=3.0, mutants=7)._pipeline.config == RepairConfig(seconds=3.0, mutants=7)
    agent = make_policy("repair:openai:http://localhost:1/v1", samples=2, max_context=512)
    assert agent._pipeline.config == RepairConfig(samples=2) and agent._pipeline.policy.max_context == 512
    agent.close()
    for name in ("repair", "repair:oracle"):
        with pytest.raises(TypeError):
            make_policy(name, colour="red")
    with pytest.raises(ConfigError, match="enough"):
        make_policy("repair", enough=0)


def test_names():
    """`repair` is made by name; an unknown policy inside it is refused as anywhere."""
    assert make_policy("repair").name == "repair"
    with pytest.raises(ConfigError, match="a policy is named"):
        make_policy("repair:nobody")
    with pytest.raises(ConfigError, match="a policy is named"):
        make_policy("repair:")
