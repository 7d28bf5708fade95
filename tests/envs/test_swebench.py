"""bai/SWEBench-v0: a Gymnasium environment to the letter, which forks, keeps its budgets and never scores a fault."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from bai.envs.machines.base import Machine
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.sandbox.base import Limits, Sandbox
from bai.envs.swebench import SWEBenchEnv
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench import write_rows
from bai.errors import ConfigError, DataError, InfraError, SandboxDied

Make = Callable[..., RepairTask]
MakeEnv = Callable[..., SWEBenchEnv]

FIX = """```edit
shop/prices.py
<<<<<<< SEARCH
    return price + price * percent // 100
=======
    return price - price * percent // 100
>>>>>>> REPLACE
```"""
SUBMIT = "```submit\n```"


def bash(script: str) -> str:
    return f"```bash\n{script}\n```"


@pytest.fixture(scope="session")
def rows(make_repair: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of two tasks."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_rows(path, [make_repair(), make_repair(task_id="shop-2", pass_to_pass=())])
    return path


@pytest.fixture
def make_env(rows: Path, fast_backend: str, machines_cache: Path) -> Iterator[MakeEnv]:
    """Makes environments on that set, and closes them."""
    made: list[SWEBenchEnv] = []

    def make(**options: Any) -> SWEBenchEnv:
        common = {"task_set": str(rows), "sandbox": fast_backend, "cache_dir": str(machines_cache)}
        env = gym.make("bai/SWEBench-v0", disable_env_checker=True, **{**common, **options}).unwrapped
        assert isinstance(env, SWEBenchEnv)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


def play(env: SWEBenchEnv, *actions: str, task_id: str = "shop-1") -> tuple[str, float, bool, bool, dict[str, Any]]:
    """Plays an episode to its last action; gives what that came to."""
    env.reset(seed=0, options={"task_id": task_id})
    return [env.step(action) for action in actions][-1]


class TestGymnasium:
    """What any user of Gymnasium may rely on."""

    @pytest.mark.parametrize("mode", ["bash", "patch"])
    def test_check_env_has_nothing_to_say(self, make_env: MakeEnv, mode: str) -> None:
        """No error and no warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(make_env(mode=mode), skip_render_check=False)

    def test_the_spec_rebuilds_it(self, make_env: MakeEnv) -> None:
        """Through JSON, with the same first observation."""
        env = make_env(mode="patch", reward="fraction")
        assert env.spec is not None
        twin = gym.make(EnvSpec.from_json(env.spec.to_json()))
        assert twin.reset(seed=3) == env.reset(seed=3)
        twin.close()

    def test_the_spec_can_be_pickled(self, make_env: MakeEnv) -> None:
        """As workers need it; so can a snapshot, in the middle of an episode."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        env.step(bash("echo one > made"))
        moment = pickle.loads(pickle.dumps(env.snapshot()))
        again = gym.make(pickle.loads(pickle.dumps(env.spec))).unwrapped
        assert isinstance(again, SWEBenchEnv)
        again.restore(moment)
        assert "one" in again.step(bash("cat made"))[0]
        again.close()

    @pytest.mark.parametrize("library", [pickle, cloudpickle])
    @pytest.mark.parametrize("mode", ["bash", "patch"])
    def test_a_pickle_keeps_the_episode(self, make_env: MakeEnv, mode: str, library: Any) -> None:
        """Taken before it, in the middle and after its end; the two then share nothing."""
        env = make_env(mode=mode)
        made = library.loads(library.dumps(env))
        assert made.reset(seed=5) == env.reset(seed=5)
        if mode == "bash":
            env.step(FIX)
            env.step(bash("echo one > made"))
        twin = library.loads(library.dumps(env))
        if mode == "bash":
            told = env.step(bash("cat made; echo more >> made"))
            assert "one" in told[0] and twin.step(bash("cat made; echo more >> made")) == told
        (*_, last) = env.oracle()
        end = env.step(last)
        assert end[1] == 1.0 and twin.step(last) == end
        over = library.loads(library.dumps(twin))
        assert over.report == twin.report and over.render() == twin.render()
        with pytest.raises(ConfigError, match="over"):
            over.step(last)
        assert len(library.dumps(over)) < 200_000, "neither the task set nor the workshop is part of the pickle"
        for each in (made, twin, over):
            each.close()

    def test_equal_seeds_make_equal_episodes(self, make_env: MakeEnv) -> None:
        """The task, the observations, the reward and info."""

        def episode() -> list[Any]:
            env = make_env()
            told: list[Any] = [env.reset(seed=11)]
            told += [env.step(action) for action in (bash("ls; cat shop/prices.py"), FIX, SUBMIT)]
            return told

        assert episode() == episode()

    def test_info_has_the_same_keys_always(self, make_env: MakeEnv) -> None:
        """After reset, a step, and the end."""
        env = make_env()
        infos = [env.reset(seed=0)[1], env.step(bash("true"))[4], env.step(SUBMIT)[4]]
        assert [set(info) for info in infos] == [{"task_id", "verdict", "reward_terms", "error"}] * 3
        assert [info["verdict"] for info in infos[:2]] == [{}, {}]
        assert set(infos[2]["reward_terms"]) == {"resolved", "fail_to_pass", "tampered_files"}

    def test_closing_twice_and_early(self, make_env: MakeEnv) -> None:
        """Before a reset, and again."""
        env = make_env()
        env.close()
        env.reset(seed=0)
        env.close()
        env.close()

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"mode": "tools"}, "mode must be one of"),
            ({"reward": "style"}, "reward must be one of"),
            ({"context": "some"}, "context must be one of"),
            ({"max_turns": 0}, "max_turns must be a whole number"),
            ({"total_s": -1}, "total_s must be a number of seconds"),
            ({"mode": "patch", "max_turns": 2}, "one turn"),
            ({"reward": "similarity"}, "needs mode"),
            ({"split": "tset"}, "no task with"),
            ({"difficulty": 99}, "its tasks have no difficulty"),
            ({"python": "newest"}, "or a version such as"),
            ({"repos": "/no/such/mirrors"}, r"a directory of clones .*'/no/such/mirrors' does not exist"),
        ],
    )
    def test_bad_arguments_are_refused(self, make_env: MakeEnv, options: dict[str, Any], told: str) -> None:
        """With what was expected."""
        with pytest.raises(ConfigError, match=told):
            make_env(**options)


class TestEpisodes:
    """What becomes of answers."""

    def test_the_gold_answer_earns_all_and_none_earns_nothing(
        self, rows: Path, repair_backend: str, machines_cache: Path
    ) -> None:
        """On each backend, in both modes."""
        for mode in ("bash", "patch"):
            env = SWEBenchEnv(task_set=str(rows), mode=mode, sandbox=repair_backend, cache_dir=str(machines_cache))
            env.reset(seed=0, options={"task_id": "shop-1"})
            steps = [env.step(action) for action in env.oracle()]
            assert (steps[-1][1], steps[-1][4]["verdict"]["status"]) == (1.0, "passed"), (mode, steps[-1])
            _, reward, over, _, info = play(env, SUBMIT if mode == "bash" else "")
            assert (reward, over, info["verdict"]["status"]) == (0.0, True, "failed")
            env.close()

    def test_the_prompt_shows_no_hidden_test(self, make_env: MakeEnv) -> None:
        """Nor the gold patch; the file that it changes only where that is asked for."""
        shown, _ = make_env().reset(seed=0, options={"task_id": "shop-1"})
        assert "discount(200, 10) gives 220" in shown and "test_discount" not in shown and "price - price" not in shown
        given, _ = make_env(context="oracle").reset(seed=0, options={"task_id": "shop-1"})
        assert "price + price" in given and "shop/__init__.py" not in given
        everything, _ = make_env(context="all").reset(seed=0, options={"task_id": "shop-1"})
        assert "shop/__init__.py" in everything and "test_prices" not in everything

    def test_the_sandbox_hides_the_hidden_tests(self, make_env: MakeEnv) -> None:
        """The agent finds the visible ones, a history of one commit, and no more."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        told = env.step(bash("ls tests; git log --oneline | wc -l; git status --short; grep -r 180 . ; true"))[0]
        assert "test_prices.py" in told and "test_discount" not in told and "180" not in told
        assert told.split("\n")[1] == "1"

    def test_an_answer_in_several_steps(self, make_env: MakeEnv) -> None:
        """A script, an edit, a look at what it came to, and the end."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        assert "return price + price" in env.step(bash("grep -n return shop/prices.py"))[0]
        assert "Changed shop/prices.py." in env.step(FIX)[0]
        assert "180" in env.step(bash("python -c 'import shop; print(shop.discount(200, 10))'"))[0]
        said, reward, over, cut, info = env.step(SUBMIT)
        assert (said, reward, over, cut) == ("", 1.0, True, False)
        assert info["reward_terms"] == {"resolved": 1.0, "fail_to_pass": 1.0, "tampered_files": 0.0}
        assert "price - price" in env.report.patch  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("action", "told"),
        [
            ("I think the fault is in prices.py.", "No action was taken"),
            ("", "No action was taken"),
            (f"{bash('ls')}\n{bash('ls')}", "No action was taken"),
            ("```edit\nshop/prices.py\nno blocks\n```", "Nothing was changed"),
            (FIX.replace("price + price", "price * price"), "Nothing was changed"),
            (FIX.replace("shop/prices.py", "../escape.py"), "Nothing was changed"),
            (FIX.replace("shop/prices.py", "/etc/passwd"), "Nothing was changed"),
            (FIX.replace("shop/prices.py", "no/such.py"), "Nothing was changed"),
            ("\ud800\x00```bash\n\x00\n```", ""),
        ],
    )
    def test_what_is_no_action_costs_a_turn(self, make_env: MakeEnv, action: str, told: str) -> None:
        """It is answered with what was expected, and the episode goes on."""
        said, reward, over, cut, _ = play(make_env(), action)
        assert told in said and "[29 turns left]" in said
        assert (reward, over, cut) == (0.0, False, False)

    @pytest.mark.parametrize(
        "answer",
        [
            "no patch at all",
            "```diff\n--- a/no.py\n+++ b/no.py\n@@ -1 +1 @@\n-a\n+b\n```",
            "```diff\n--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+b\n```",
            "diff --git a/shop/prices.py b/x.py\nrename from shop/prices.py\nrename to x.py\n",
            "diff --git a/x.png b/x.png\nnew file mode 100644\nGIT binary patch\nliteral 1\nIc${NkU|;|M00aO5\n\n",
            "```diff\n" + "--- a/big.py\n+++ b/big.py\n@@ -0,0 +1,300000 @@\n" + "+x\n" * 300_000 + "```",
        ],
        ids=["prose", "absent", "escape", "rename", "binary", "big"],
    )
    def test_a_bad_patch_is_a_wrong_answer(self, make_env: MakeEnv, answer: str) -> None:
        """Each gets a verdict with a sentence; none raises."""
        _, reward, over, cut, info = play(make_env(mode="patch"), answer)
        assert (reward, over, cut) == (0.0, True, False)
        assert info["verdict"]["status"] == "failed" and info["verdict"]["detail"]


class TestBudgets:
    """Bounds on an episode."""

    def test_the_last_turn_hands_in(self, make_env: MakeEnv) -> None:
        """What is there then is judged."""
        _, reward, over, _, info = play(make_env(max_turns=2), bash("true"), FIX)
        assert (reward, over, info["verdict"]["status"]) == (1.0, True, "passed")

    def test_a_command_ends_at_its_time(self, make_env: MakeEnv) -> None:
        """The agent is told, and goes on."""
        said, _, over, _, _ = play(make_env(command_s=1.0), bash("echo begun; sleep 60"))
        assert "begun" in said and "ended after 1 seconds, its time limit" in said and not over

    def test_the_time_of_all_commands_ends_the_episode(self, make_env: MakeEnv) -> None:
        """What is there then is judged."""
        env = make_env(total_s=1.0)
        _, reward, over, _, info = play(env, FIX, bash("sleep 60"))
        assert (reward, over, info["verdict"]["status"]) == (1.0, True, "passed")
        assert env.stats["commands_s"] >= 1.0

    def test_long_output_is_cut_in_the_middle(self, make_env: MakeEnv) -> None:
        """The observation says how much is missing."""
        said = play(make_env(max_output=100), bash("python -c \"print('a' * 500 + 'z' * 500)\""))[0]
        assert "[901 characters left out here]" in said and said.count("a" * 50) == 1 and len(said) < 300

    def test_bombs_of_the_agent_hurt_nobody(self, make_env: MakeEnv) -> None:
        """Processes, memory and files without end: the episode goes on."""
        env = make_env(command_s=3.0, memory_mb=256)
        env.reset(seed=0, options={"task_id": "shop-1"})
        for script in (
            "python -c 'import os, time\nwhile True: os.fork() or time.sleep(60)'",
            "python -c 'x = bytearray(10**10)'",
            "head -c 2000000000 /dev/zero > big; rm -f big",
        ):
            assert not any(env.step(bash(script))[2:4])
        assert "Changed" in env.step(FIX)[0]
        assert env.step(SUBMIT)[1] == 1.0

    def test_tests_that_hang_are_a_timeout(self, make_env: MakeEnv) -> None:
        """The candidate's own loop is a verdict of its own, and earns nothing."""
        endless = FIX.replace("return price - price * percent // 100", "while True: pass")
        _, reward, over, _, info = play(make_env(test_s=3.0), endless, SUBMIT)
        assert (reward, over, info["verdict"]["status"]) == (0.0, True, "timeout")

    def test_tests_that_fork_without_end_end(self, make_env: MakeEnv) -> None:
        """A candidate that fills the sandbox with processes is judged, and earns nothing."""
        forks = FIX.replace(
            "    return price - price",
            "    import os, time\n    while True: os.fork() or time.sleep(60)\n    return price - price",
        )
        _, reward, over, cut, info = play(make_env(test_s=3.0), forks, SUBMIT)
        assert (reward, over, cut) == (0.0, True, False)
        assert info["verdict"]["status"] in ("timeout", "crashed", "failed", "memory")


class TestRewards:
    """The three rewards."""

    def test_fraction(self, make_env: MakeEnv, make_repair: Make, tmp_path: Path) -> None:
        """The share of fail-to-pass tests that pass; nothing as soon as another breaks."""
        two = ("tests/test_discount.py::test_discount", "tests/test_prices.py::test_total")
        write_rows(tmp_path / "two.jsonl", [make_repair(fail_to_pass=two, pass_to_pass=())])
        env = make_env(task_set=str(tmp_path / "two.jsonl"), reward="fraction")
        _, reward, _, _, info = play(env, SUBMIT)
        assert (reward, info["verdict"]["status"]) == (0.5, "failed")
        assert info["reward_terms"]["fail_to_pass"] == 0.5
        broken = bash("sed -i 's/return min(prices) if prices else None/return max(prices)/' shop/prices.py")
        assert play(make_env(reward="fraction"), FIX, broken, SUBMIT)[1] == 0.0

    def test_similarity(self, make_env: MakeEnv) -> None:
        """1.0 for the gold change, less for another, -1 for a broken format; no test is run."""
        env = make_env(mode="patch", reward="similarity")
        body = FIX.replace("```edit", "```").split("\n", 1)[1].removesuffix("\n```")

        def answer(edits: str) -> float:
            return play(env, f"<think>I see</think>\n<solution>\n{edits}\n</solution>")[1]

        assert answer(body) == 1.0
        assert 0.0 < answer(body.replace("price - price", "price // price")) < 1.0
        assert play(env, "no tags")[1] == -1.0
        assert answer("nothing") == -1.0
        assert env.report is None

    def test_tampering_is_counted(self, make_env: MakeEnv) -> None:
        """What was taken out does not help; a task resolved without it is resolved."""
        cheat = bash("printf 'def test_total(): pass' > tests/test_prices.py; echo > conftest.py")
        _, reward, _, _, info = play(make_env(), cheat, SUBMIT)
        assert (reward, info["verdict"]["status"]) == (0.0, "tampered")
        assert info["reward_terms"]["tampered_files"] == 2.0
        _, reward, _, _, info = play(make_env(), cheat, FIX, SUBMIT)
        assert (reward, info["reward_terms"]["tampered_files"]) == (1.0, 2.0)


class TestForks:
    """Branching in the middle of an episode."""

    def test_siblings_share_the_past_and_nothing_else(self, make_env: MakeEnv) -> None:
        """Files made before are in both; what either makes after is its own; each is judged by its own."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        env.step(bash("echo before > note"))
        twin = env.fork()
        twin.step(FIX)
        assert "before" in twin.step(bash("cat note; echo twin > note"))[0]
        assert "before" in env.step(bash("cat note; ls -a"))[0]
        assert twin.step(SUBMIT)[1] == 1.0
        assert env.step(SUBMIT)[1] == 0.0
        twin.close()

    def test_going_back(self, make_env: MakeEnv) -> None:
        """To a moment, as often as wanted: files, turns, time, and the verdict that had not been given."""
        env = make_env(max_turns=5)
        env.reset(seed=0, options={"task_id": "shop-1"})
        first = env.step(bash("echo kept > note"))
        moment = env.snapshot()
        outcomes = []
        for _ in range(2):
            assert env.restore(moment) == first[0]
            assert "[3 turns left]" in env.step(bash("cat note; rm -rf shop"))[0]
            outcomes.append(env.step(SUBMIT))
        assert outcomes[0] == outcomes[1]
        env.restore(moment)
        env.step(FIX)
        assert env.step(SUBMIT)[1] == 1.0
        end = env.snapshot()
        env.restore(end)
        with pytest.raises(ConfigError, match="over"):
            env.step(SUBMIT)


class TestFaults:
    """A fault of the machinery is never a score."""

    def test_a_sandbox_lost_while_judging(self, make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
        """The episode is cut off and names it."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        env.step(FIX)

        def lose(self: Machine, limits: Limits) -> Sandbox:
            raise SandboxDied("the machine is gone")

        monkeypatch.setattr("bai.envs.machines.local.LocalMachine.make_sandbox", lose)
        _, reward, over, cut, info = env.step(SUBMIT)
        assert (reward, over, cut, info["error"]) == (0.0, False, True, "SandboxDied")
        assert info["verdict"]["status"] == "infra_error"

    @pytest.mark.parametrize("action", [bash("ls"), FIX, SUBMIT], ids=["bash", "edit", "submit"])
    def test_a_workplace_lost(self, make_env: MakeEnv, action: str) -> None:
        """An agent's sandbox that was ended from outside: cut off, not scored, and not begun anew without files."""
        env = make_env()
        env.reset(seed=0, options={"task_id": "shop-1"})
        sandbox = env._workplace._sandbox
        assert sandbox is not None
        sandbox.close()
        _, reward, over, cut, info = env.step(action)
        assert (reward, over, cut) == (0.0, False, True)
        assert info["verdict"]["status"] == "infra_error"

    def test_a_repository_that_cannot_be_had(self, make_env: MakeEnv, make_repair: Make, tmp_path: Path) -> None:
        """reset says where it was looked for, in one sentence."""
        gone = make_repair(repo="pallets/flask", version="2.3", origin={}, base_commit="0" * 40)
        write_rows(tmp_path / "gone.jsonl", [gone])
        for repos, told in ((None, "no source of pallets/flask"), (str(tmp_path), "there is no clone named")):
            with pytest.raises((DataError, InfraError), match=told):
                make_env(task_set=str(tmp_path / "gone.jsonl"), repos=repos).reset(seed=0)

    def test_a_tree_that_is_gone(self, make_env: MakeEnv, make_repair: Make, tmp_path: Path) -> None:
        """A made task whose archive was removed."""
        write_rows(tmp_path / "lost.jsonl", [make_repair(origin={"tree": str(tmp_path / "none.tar.gz")})])
        with pytest.raises(DataError, match="cannot be read"):
            make_env(task_set=str(tmp_path / "lost.jsonl")).reset(seed=0)


class TestDefaultSet:
    """The tasks that come with bai."""

    def check(self, task_ids: list[str], backend: str, cache: Path) -> None:
        env = SWEBenchEnv(mode="patch", context="none", sandbox=backend, cache_dir=str(cache))
        for task_id in task_ids:
            env.reset(seed=0, options={"task_id": task_id})
            (answer,) = env.oracle()
            assert env.step(answer)[1] == 1.0, (task_id, env.report)
            _, reward, _, _, info = play(env, "", task_id=task_id)
            assert (reward, info["verdict"]["status"]) == (0.0, "failed"), task_id
        env.close()

    @pytest.mark.slow
    def test_tasks_of_every_library(self, fast_backend: str, machines_cache: Path) -> None:
        """The gold answer earns all, the empty one nothing; ``bai tasks check default`` goes through every task."""
        tasks = list(SWEBenchEnv().tasks)
        libraries = sorted({task.origin["library"] for task in tasks})
        assert len(tasks) >= 30 and len(libraries) >= 5
        of_each = ([task.task_id for task in tasks if task.origin["library"] == name] for name in libraries)
        self.check([task_id for ids in of_each for task_id in ids[1::4]], fast_backend, machines_cache)


def test_a_workshop_serves_threads(make_repair: Make, fast_backend: str, machines_cache: Path) -> None:
    """A tree is found once and is the same thing to all who ask."""
    shop, task = LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache), make_repair()
    assert shop.tree(task) is shop.tree(task)
