"""Evaluations: every sample drawn once, the same samples whatever interrupts or spreads them."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.agents.rollout import Request
from bai.errors import CheckpointError, ConfigError
from bai.evals.run import EvalConfig, _batches, _plan, choose_tasks, evaluate, publish
from bai.policy import Policy
from bai.types import Trajectory, read_trajectories

CONFIG = EvalConfig(policy="dice", env="tests/Echo-v0", samples=4)


def content(trajectories: tuple[Trajectory, ...]) -> list[Trajectory]:
    """Trajectories without their times."""
    return [replace(trajectory, spans=()) for trajectory in trajectories]


class TestEvaluate:
    """On a small environment, with a policy that passes by chance."""

    def test_every_sample_of_every_task(self, dice: Policy) -> None:
        """Six tasks with four samples each give 24 trajectories in order, and figures of them."""
        result = evaluate(CONFIG, policy=dice)
        assert [(t.task_id, t.metadata["sample"]) for t in result.trajectories] == [
            (f"echo/{i}", j) for i in range(6) for j in range(4)
        ]
        passed = sum(t.reward for t in result.trajectories)
        assert 0 < passed < 24
        assert result.summary.pass_at[1].value == pytest.approx(passed / 24)
        assert list(result.summary.pass_at) == [1, 2, 4]
        assert list(result.summary.groups["difficulty"]) == ["1", "2", "3"]

    def test_the_oracle_passes(self) -> None:
        """The gold answers earn everything."""
        result = evaluate(replace(CONFIG, policy="oracle", samples=1))
        assert result.summary.pass_at[1].value == 1.0
        assert result.summary.is_trustworthy

    @pytest.mark.slow
    def test_a_worker_without_a_policy_says_why(self) -> None:
        """The fault of the argument is told as it is in one process, not as a broken pool."""
        with pytest.raises(CheckpointError, match="nowhere"):
            evaluate(replace(CONFIG, policy="checkpoint:nowhere", workers=1))

    def test_other_weights_are_another_evaluation(self, dice: Policy, tmp_path: Path) -> None:
        """A path that holds other weights than before does not lend them its samples."""
        model = tmp_path / "model"
        model.mkdir()
        (model / "config.json").write_text("{}")
        (model / "model.safetensors").write_bytes(b"old")
        config = replace(CONFIG, policy=f"checkpoint:{model}")
        evaluate(config, out=tmp_path / "out", policy=dice)
        asked = len(dice.asked)
        evaluate(config, out=tmp_path / "out", policy=dice)
        assert len(dice.asked) == asked
        (model / "model.safetensors").write_bytes(b"newer")
        with pytest.raises(ConfigError, match="holds another evaluation: its weights is"):
            evaluate(config, out=tmp_path / "out", policy=dice)

    def test_same_seed_same_samples(self, dice: Policy) -> None:
        """Two runs agree in all but their times; another seed gives other samples."""
        first, second = (evaluate(CONFIG, policy=dice) for _ in range(2))
        assert content(first.trajectories) == content(second.trajectories)
        other = evaluate(replace(CONFIG, seed=1), policy=dice)
        assert [t.reward for t in other.trajectories] != [t.reward for t in first.trajectories]

    @pytest.mark.parametrize("narrow", [{"samples": 2}, {"limit": 3}, {"samples": 1, "limit": 2}])
    @pytest.mark.parametrize("batch", [1, 5, 100])
    def test_widening_keeps_what_is_there(
        self, dice: Policy, tmp_path: Path, narrow: dict[str, int], batch: int
    ) -> None:
        """Going on with more samples or tasks draws only those, and ends where a wide run ends."""
        evaluate(replace(CONFIG, **narrow), policy=dice, out=tmp_path)
        drawn = len(dice.asked)  # type: ignore[attr-defined]
        wide = evaluate(replace(CONFIG, batch=batch), policy=dice, out=tmp_path)
        assert len(dice.asked) == 24  # type: ignore[attr-defined]
        assert drawn < 24
        assert content(wide.trajectories) == content(evaluate(CONFIG, policy=dice).trajectories)

    def test_a_run_cut_off_goes_on(self, dice: Policy, tmp_path: Path) -> None:
        """Whatever was stored before an interruption is kept, and the end is as if nothing had happened."""

        def interrupt(done: int, total: int) -> None:
            if done >= 8:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            evaluate(replace(CONFIG, batch=4), policy=dice, out=tmp_path, on_progress=interrupt)
        path = tmp_path / "trajectories.jsonl"
        kept = len(list(read_trajectories(path)))
        assert 4 <= kept < 24
        path.write_bytes(path.read_bytes()[:-20])
        result = evaluate(CONFIG, policy=dice, out=tmp_path)
        assert content(result.trajectories) == content(evaluate(CONFIG, policy=dice).trajectories)

    def test_a_finished_run_draws_nothing(self, dice: Policy, tmp_path: Path) -> None:
        """The second time, not even the policy is loaded."""
        evaluate(CONFIG, policy=dice, out=tmp_path)
        again = evaluate(replace(CONFIG, samples=2), out=tmp_path)  # no policy is called dice: loading it would raise
        assert len(again.trajectories) == 12

    def test_a_task_nobody_asked_for_is_refused(self, dice: Policy) -> None:
        """An environment that serves another task would leave holes that no figure shows."""
        with pytest.raises(ConfigError, match="nobody asked for"):
            evaluate(replace(CONFIG, env_options={"renamed": True}), policy=dice)

    def test_faults_are_no_scores(self, dice: Policy, tmp_path: Path) -> None:
        """Samples whose sandbox died are counted apart, stored, and tried again by the next run."""
        broken = replace(CONFIG, env_options={"broken": ["echo/1"]})
        result = evaluate(broken, policy=dice, out=tmp_path)
        assert (result.summary.samples, result.summary.lost) == (20, 4)
        assert not result.summary.is_trustworthy
        assert {t.error for t in result.trajectories if t.task_id == "echo/1"} == {"SandboxDied"}
        before = len(dice.asked)  # type: ignore[attr-defined]
        evaluate(broken, policy=dice, out=tmp_path)
        assert len(dice.asked) == before + 4  # type: ignore[attr-defined]

    def test_progress_counts_samples(self, dice: Policy) -> None:
        """The listener hears rising numbers from none to all."""
        heard: list[tuple[int, int]] = []
        evaluate(replace(CONFIG, batch=8), policy=dice, on_progress=lambda *both: heard.append(both))
        assert heard == sorted(heard)
        assert (heard[0], heard[-1]) == ((0, 24), (24, 24))

    def test_other_samples_are_refused(self, dice: Policy, tmp_path: Path) -> None:
        """A folder of another seed's samples is not mixed with."""
        evaluate(CONFIG, policy=dice, out=tmp_path)
        with pytest.raises(ConfigError, match="its seed is 0, not 1"):
            evaluate(replace(CONFIG, seed=1), policy=dice, out=tmp_path)

    def test_publishes_a_report(self, dice: Policy, tmp_path: Path) -> None:
        """Figures for machines and a page for people lie beside the trajectories."""
        result = evaluate(CONFIG, policy=dice, out=tmp_path)
        report = publish(result, tmp_path)
        assert "pass@4" in report.read_text(encoding="utf-8")
        figures = json.loads((tmp_path / "summary.json").read_text())
        assert figures["pass_at"]["1"]["value"] == result.summary.pass_at[1].value
        assert figures["policy"] == "dice"


class TestConfig:
    """Bad input is refused before anything is drawn."""

    @pytest.mark.parametrize("field", ["samples", "batch", "threads", "limit", "workers", "seed"])
    def test_out_of_range(self, field: str) -> None:
        """A number out of range raises and is named."""
        with pytest.raises(ConfigError, match=field):
            EvalConfig(policy="oracle", **{field: -1})  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=f"{field} must be a whole number"):
            EvalConfig(policy="oracle", **{field: 1.5})  # type: ignore[arg-type]

    def test_live_policies_stay_in_one_process(self, dice: Policy) -> None:
        """A live policy cannot be sent to workers."""
        with pytest.raises(ConfigError, match="live policy"):
            evaluate(replace(CONFIG, workers=2), policy=dice)

    def test_unlimited_sets_need_a_limit(self) -> None:
        """Of a generator, the first so many different held-out tasks are taken."""
        config = EvalConfig(policy="oracle", env_options={"task_set": "micro", "split": "heldout"})
        with pytest.raises(ConfigError, match="unlimited"):
            choose_tasks(config)
        tasks = choose_tasks(replace(config, limit=12))
        assert len({task.task_id for task in tasks}) == 12
        assert {task.metadata["split"] for task in tasks} == {"heldout"}

    def test_foreign_environments_are_refused(self) -> None:
        """An environment that names no tasks cannot be evaluated."""
        with pytest.raises(ConfigError, match="CartPole-v1 is none"):
            choose_tasks(EvalConfig(policy="oracle", env="CartPole-v1"))

    @pytest.mark.parametrize("wrong", [{"env": "bai/Nothing-v0"}, {"env_options": {"colour": "red"}}])
    def test_environments_that_cannot_be_made(self, wrong: dict[str, object]) -> None:
        """An unknown id or argument is the caller's fault, in one sentence."""
        with pytest.raises(ConfigError, match=r"cannot make|there is no environment"):
            choose_tasks(replace(CONFIG, **wrong))


class TestPlan:
    """Requests cover exactly what is missing."""

    @given(
        st.integers(1, 5).flatmap(
            lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, 3), st.integers(0, n))))
        )
    )
    def test_covers_what_is_missing(self, drawn: tuple[int, set[tuple[int, int]]]) -> None:
        """Every missing sample is asked for once, no finished one, and neighbours share a request."""
        samples, numbers = drawn
        finished = {(str(task), sample) for task, sample in numbers}
        wanted = [(str(task), sample) for task in range(4) for sample in range(samples)]
        requests = _plan(wanted, finished, seed=0)
        asked = [(r.task_id, s) for r in requests for s in range(r.first, r.first + r.n)]
        assert asked == [key for key in wanted if key not in finished]
        assert all(a.task_id != b.task_id or a.first + a.n < b.first for a, b in itertools.pairwise(requests))

    @given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 12))
    def test_batches_keep_order_and_size(self, sizes: list[int], limit: int) -> None:
        """Batches hold all requests in order; only a single large request exceeds the size."""
        requests = [Request(seed=i, n=n) for i, n in enumerate(sizes)]
        batches = list(_batches(requests, limit))
        assert [r for batch in batches for r in batch] == requests
        assert all(len(batch) == 1 or sum(r.n for r in batch) <= limit for batch in batches)

    def test_seeds_depend_on_the_task_alone(self) -> None:
        """The seed of a task is the same whatever else is evaluated."""
        alone = _plan([("a", 0)], set(), seed=3)[0].seed
        among = [r.seed for r in _plan([("b", 0), ("a", 0)], set(), seed=3)]
        assert among[1] == alone
        assert among[0] != alone
