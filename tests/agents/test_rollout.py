"""Rollouts: groups, turns, faults, full windows, and the same trajectories every time."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import gymnasium as gym
import pytest
import torch

from bai.agents.policies.local import LocalPolicy
from bai.agents.policies.oracle import OraclePolicy
from bai.agents.policies.text import TextPolicy
from bai.agents.rollout import Request, RolloutEngine
from bai.envs.base import Outcome, TextEnv
from bai.envs.tasks.base import TaskSet
from bai.errors import ConfigError, ContextOverflow, EndpointError, SandboxDied, TaskNotFound
from bai.models import BaiMoeForCausalLM, preset, train_tokenizer
from bai.policy import Completion, Sampling
from bai.types import Task, Trajectory, Verdict

SAMPLING = Sampling(max_new_tokens=10)


class Numbers(TaskSet):
    name = "numbers"

    def get(self, task_id):
        if not task_id.isdigit():
            raise TaskNotFound(f"no task {task_id!r}")
        return Task(task_id=task_id, prompt=f"say {task_id}", metadata={"difficulty": len(task_id)})

    def sample(self, rng):
        return self.get(str(rng.integers(100)))

    def __iter__(self):
        return (self.get(str(number)) for number in range(100))


class SayIt(TextEnv):
    """Three tries to say the number; ``fault`` says where the machinery or the environment breaks."""

    open_envs = 0
    lock = threading.Lock()

    def __init__(self, fault=None, tries=3):
        super().__init__()
        self.fault, self.tries, self.used = fault, tries, 0
        with self.lock:
            SayIt.open_envs += 1

    def _task_set(self):
        return Numbers()

    def _begin(self, task):
        self.used = 0
        if self.fault == ("reset", task.task_id):
            raise SandboxDied("gone before it began")
        return task.prompt

    def _advance(self, action):
        self.used += 1
        if self.fault == ("step", self.task.task_id):
            raise SandboxDied("gone")
        if self.fault == ("bug", self.task.task_id):
            raise ZeroDivisionError("a bug in the environment")
        right = self.task.task_id in action
        done = right or self.used == self.tries
        verdict = Verdict(status="passed" if right else "failed", score=float(right)) if done else None
        return Outcome(
            observation="" if done else f"no, not {action[:3]!r}",
            reward=float(right) - 0.1,
            terminated=done,
            verdict=verdict,
            reward_terms={"right": float(right)},
        )

    def _get_state(self):
        return self.used

    def _set_state(self, state):
        self.used = state

    def _solve(self, task):
        yield "hm"
        yield f"it is {task.task_id}"

    def close(self):
        with self.lock:
            SayIt.open_envs -= 1


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["say 42 no not again"] * 20, 300)
    config = preset(
        "nano",
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        max_position_embeddings=128,
        initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LocalPolicy(BaiMoeForCausalLM(config).eval(), tokenizer)


@pytest.fixture
def engine_of():
    """Makes engines and closes them, and checks that no environment is left open."""
    engines = []

    def make(policy, make_env=SayIt, **options):
        engines.append(RolloutEngine(make_env, policy, env_id="test/SayIt-v0", **options))
        return engines[-1]

    SayIt.open_envs = 0
    yield make
    for engine in engines:
        engine.close()
        engine.close()
    assert SayIt.open_envs == 0


def timeless(trajectory):
    return replace(trajectory, spans=()).to_json()


def test_the_oracle_solves_every_task(engine_of):
    """Turns, rewards, terms and verdict are the environment's; text-only policies leave no tokens."""
    (trajectory,) = engine_of(OraclePolicy()).collect([Request(seed=0, task_id="42")], SAMPLING)
    assert [(turn.observation, turn.action) for turn in trajectory.turns] == [
        ("say 42", "hm"),
        ("no, not 'hm'", "it is 42"),
    ]
    assert trajectory.reward == pytest.approx(0.8)
    assert trajectory.reward_terms == {"right": 1.0}
    assert trajectory.verdict == Verdict(status="passed", score=1.0)
    assert trajectory.tokens is None and not trajectory.is_trainable
    assert trajectory.metadata == {"difficulty": 2, "sample": 0, "policy": "oracle"}
    assert [span.name for span in trajectory.spans] == ["reset", "generate", "step", "generate", "step"]
    assert Trajectory.from_json(trajectory.to_json()) == trajectory


def test_a_group_shares_its_task_and_prompt(engine_of, policy):
    """Members of a request see the same first observation and sample apart."""
    requests = [Request(seed=seed, n=6, group_id=f"g{seed}") for seed in (1, 2)]
    trajectories = engine_of(policy).collect(requests, SAMPLING, weights_version=7)
    assert [t.trajectory_id for t in trajectories] == [f"g{s}/{j}" for s in (1, 2) for j in range(6)]
    for group in (trajectories[:6], trajectories[6:]):
        assert len({t.task_id for t in group}) == len({t.turns[0].observation for t in group}) == 1
        assert len({t.turns[0].action for t in group}) > 1
        assert {t.weights_version for t in group} == {7}


def test_tokens_are_the_turns(engine_of, policy):
    """The trace decodes to the conversation; its loss mask covers what the policy said, each turn."""
    for trajectory in engine_of(policy).collect([Request(seed=1, n=4)], SAMPLING):
        ids, mask = trajectory.tokens.token_ids, trajectory.tokens.loss_mask
        text = policy.tokenizer.decode(ids, skip_special_tokens=False)
        for turn in trajectory.turns:
            assert turn.observation in text and turn.action in text
        runs = sum(1 for i in range(1, len(mask)) if mask[i] and not mask[i - 1])
        assert runs == len(trajectory.turns)
        assert mask[-1]
        assert trajectory.tokens.routes is not None


@pytest.mark.slow
def test_equal_seeds_give_equal_trajectories(engine_of, policy):
    """Twice the same; and the same turns whatever the concurrency, the batches and the part of a group asked for."""
    requests = [Request(seed=1, n=4), Request(seed=2, n=3)]
    usual = [timeless(t) for t in engine_of(policy).collect(requests, SAMPLING)]
    assert [timeless(t) for t in engine_of(policy).collect(requests, SAMPLING)] == usual
    narrow = engine_of(policy, concurrency=1, max_live=2)
    turns = [t["turns"] for t in usual]
    assert [timeless(t)["turns"] for t in narrow.collect(requests, SAMPLING)] == turns
    late = narrow.collect([Request(seed=1, n=2, first=2)], SAMPLING)
    assert [timeless(t)["turns"] for t in late] == turns[2:4]
    assert [t.trajectory_id for t in late] == [t["trajectory_id"] for t in usual[2:4]]
    other = engine_of(policy).collect([Request(seed=3, n=4)], SAMPLING)
    assert [timeless(t)["turns"] for t in other] != turns[:4]


@pytest.mark.parametrize(
    ("place", "name"), [("reset", "SandboxDied"), ("step", "SandboxDied"), ("bug", "ZeroDivisionError")]
)
def test_a_fault_is_recorded_and_never_scored(engine_of, place, name):
    """The others finish; the faulty trajectory carries the error, no reward, and is not trainable."""
    engine = engine_of(OraclePolicy(), lambda: SayIt(fault=(place, "13")))
    requests = [Request(seed=0, task_id=task) for task in ("11", "12", "13", "14")]
    trajectories = engine.collect(requests, SAMPLING)
    assert [t.error for t in trajectories] == [None, None, name, None]
    assert [t.verdict.status for t in trajectories] == ["passed", "passed", "infra_error", "passed"]
    assert trajectories[2].reward == 0.0
    again = engine.collect(requests[:2], SAMPLING)
    assert [t.error for t in again] == [None, None]


def test_a_broken_environment_is_replaced(engine_of):
    """Environments are kept from one collection to the next, except one that broke."""
    made = []

    def make_env():
        made.append(SayIt(fault=("bug", "13")))
        return made[-1]

    engine = engine_of(OraclePolicy(), make_env)
    engine.collect([Request(seed=0, task_id="12"), Request(seed=0, task_id="13")], SAMPLING)
    assert len(made) == 2
    engine.collect([Request(seed=0, task_id="12"), Request(seed=0, task_id="12")], SAMPLING)
    assert len(made) == 3


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), None])
def test_a_reward_that_is_no_number_is_a_fault(engine_of, reward):
    """It is recorded on its trajectory and spoils no statistic."""

    def make_env():
        return gym.wrappers.TransformReward(SayIt(), lambda _: reward)

    (trajectory,) = engine_of(OraclePolicy(), make_env).collect([Request(seed=0, task_id="42")], SAMPLING)
    assert not trajectory.is_sound
    assert trajectory.reward == 0.0
    assert trajectory.verdict.is_infra


def test_the_callers_mistakes_are_raised(engine_of):
    """An unknown task is no infrastructure fault, nor is a request for nothing."""
    engine = engine_of(OraclePolicy())
    with pytest.raises(TaskNotFound):
        engine.collect([Request(seed=0, task_id="13"), Request(seed=0, task_id="nope")], SAMPLING)
    with pytest.raises(ConfigError, match="n >= 1"):
        engine.collect([Request(seed=0, n=0)], SAMPLING)
    with pytest.raises(ConfigError, match="concurrency"):
        RolloutEngine(SayIt, OraclePolicy(), env_id="x", concurrency=0)
    assert engine.collect([], SAMPLING) == []


def test_a_full_window_is_graded_as_it_stands(engine_of, policy):
    """The agent answers nothing more, the environment ends the episode, the trace stays inside the window."""
    small = copy.copy(policy)
    small.max_context = policy._decoder.max_context = 24
    try:
        trajectories = engine_of(small, lambda: SayIt(tries=6)).collect([Request(seed=1, n=4)], SAMPLING)
    finally:
        policy._decoder.max_context = policy.max_context
    assert all(t.metadata.get("cut") for t in trajectories)
    for trajectory in trajectories:
        assert trajectory.verdict.status == "failed" and trajectory.error is None
        assert len(trajectory.turns) == 6 and trajectory.turns[-1].action == ""
        assert len(trajectory.tokens) <= 24 and trajectory.tokens.loss_mask[-1]


def test_a_prompt_beyond_the_window_is_graded_too(engine_of, policy):
    """Nothing was sampled, so nothing can be trained on, and the empty answer fails."""
    small = copy.copy(policy)
    small.max_context = 4
    (trajectory,) = engine_of(small).collect([Request(seed=1)], SAMPLING)
    assert trajectory.tokens is None and trajectory.verdict.status == "failed"
    assert {turn.action for turn in trajectory.turns} == {""}


class Flaky(TextPolicy):
    """A text-only policy whose server fails on one prompt."""

    name = "flaky"

    def generate(self, contexts, n, sampling, seeds):
        if any("13" in context.messages[-1].content for context in contexts):
            raise EndpointError("no answer")
        if any("14" in context.messages[-1].content for context in contexts):
            raise ContextOverflow("too long")
        return [[Completion(text=context.messages[0].content, stop_reason="eos")] * n for context in contexts]


def test_a_fault_of_a_remote_policy_loses_its_episode_alone(engine_of):
    """The endpoint's failure is recorded like the machinery's."""
    trajectories = engine_of(Flaky()).collect([Request(seed=0, task_id=t) for t in ("12", "13")], SAMPLING)
    assert [t.error for t in trajectories] == [None, "EndpointError"]
    assert trajectories[1].verdict.is_infra and not trajectories[1].is_trainable


class Failing(TextPolicy):
    """A trainable policy that cannot answer."""

    name, is_trainable = "failing", True

    def generate(self, contexts, n, sampling, seeds):
        raise MemoryError("no room")


def test_a_policy_that_fails_leaves_no_environment_open(engine_of):
    """The error is raised, and what was made is closed (see ``engine_of``)."""
    with pytest.raises(MemoryError):
        engine_of(Failing()).collect([Request(seed=0, n=3)], SAMPLING)


def test_a_window_only_the_endpoint_knows(engine_of):
    """Its refusal is no fault: the empty answer is graded."""
    (trajectory,) = engine_of(Flaky()).collect([Request(seed=0, task_id="14")], SAMPLING)
    assert trajectory.error is None and trajectory.metadata["cut"]
    assert trajectory.verdict.status == "failed" and {turn.action for turn in trajectory.turns} == {""}


def test_each_turn_draws_with_a_seed_of_its_own(engine_of):
    """No two answers are drawn with one seed: not of two turns, two attempts, nor two requests."""
    asked = []

    class Listening(Flaky):
        def generate(self, contexts, n, sampling, seeds):
            asked.extend(seeds)
            return [[Completion(text="hm", stop_reason="eos")] * n for _ in contexts]

    requests = [Request(seed=seed, n=2, task_id="42") for seed in (0, 1)]
    engine_of(Listening()).collect(requests, SAMPLING)
    assert len(asked) == len(set(asked)) == 2 * 2 * 3  # requests, attempts, turns


def test_progress_is_told(engine_of):
    """Done never falls, and reaches what was wanted."""
    told = []
    engine = engine_of(OraclePolicy(), max_live=2)
    engine.collect([Request(seed=0, n=5)], SAMPLING, on_progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told) and told[-1] == (5, 5)


def test_wrapped_environments_and_a_system_message(engine_of, policy):
    """Gymnasium wrappers may sit between; the system message opens every conversation."""
    engine = engine_of(policy, lambda: gym.wrappers.TransformReward(SayIt(), lambda r: 2 * r), system="be brief")
    (trajectory,) = engine.collect([Request(seed=0, task_id="42")], SAMPLING)
    assert trajectory.reward == pytest.approx(2 * sum(-0.1 for _ in trajectory.turns), abs=2.01)
    assert "be brief" in policy.tokenizer.decode(trajectory.tokens.token_ids)


class Recorded(SayIt):
    """Keeps what it was asked."""

    def record(self):
        return {"asked": self.task.task_id}


def test_what_an_environment_records_is_kept_beside_the_verdict(engine_of):
    """A record is part of the trajectory's metadata; an episode that was lost has none."""
    engine = engine_of(OraclePolicy(), Recorded)
    (kept,) = engine.collect([Request(seed=0, task_id="42")], SAMPLING)
    assert kept.metadata["record"] == {"asked": "42"}
    engine = engine_of(OraclePolicy(), lambda: Recorded(fault=("step", "42")))
    (lost,) = engine.collect([Request(seed=0, task_id="42")], SAMPLING)
    assert lost.error == "SandboxDied" and "record" not in lost.metadata
