"""bai/Notebook-v0: a Gymnasium environment to the letter, which branches live state and never scores a fault."""

from __future__ import annotations

import itertools
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from bai.envs.notebook import NotebookEnv
from bai.envs.tasks.notebook import NotebookTask
from bai.envs.tasks.tables import FAMILIES, TablesTaskSet
from bai.errors import CannotFork, ConfigError, InfraError, MissingDependency, SandboxDied, TaskNotFound

MakeEnv = Callable[..., NotebookEnv]
CellOf = Callable[[str], str]
Step = tuple[str, float, bool, bool, dict[str, Any]]

EMPTY = "<stop_analysis><answer></answer></stop_analysis>"


def first(**options: Any) -> NotebookTask:
    return next(iter(TablesTaskSet(**options)))


def gold(task: NotebookTask) -> str:
    answers = " ".join(f"@{item.name}[{item.value}]" for item in task.expected)
    return f"<stop_analysis><thought>It is known.</thought><answer>{answers}</answer></stop_analysis>"


def play(env: NotebookEnv, *actions: str, **options: Any) -> Step:
    """Plays an episode to its last action; gives what that came to."""
    env.reset(seed=0, options=options or None)
    return [env.step(action) for action in actions][-1]


class TestGymnasium:
    """What any user of Gymnasium may rely on."""

    def test_check_env_has_nothing_to_say(self, make_env: MakeEnv) -> None:
        """No error and no warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(make_env(), skip_render_check=False)

    def test_the_spec_rebuilds_it(self, make_env: MakeEnv) -> None:
        """Through JSON and pickle, with the same first observation."""
        env = make_env(family=["group"], max_steps=3, packages=[])
        assert env.spec is not None
        for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
            twin = gym.make(spec)
            assert twin.reset(seed=3) == env.reset(seed=3)
            twin.close()

    def test_it_can_be_pickled(self, env: NotebookEnv) -> None:
        """As workers need it; shells stay behind."""
        env.reset(seed=0)
        twin = pickle.loads(pickle.dumps(env))
        assert twin.reset(seed=5) == env.reset(seed=5)
        twin.close()

    def test_equal_seeds_make_equal_episodes(self, env: NotebookEnv, cell: CellOf) -> None:
        """The task, the observations, the reward and info."""

        def episode() -> list[Any]:
            told: list[Any] = [env.reset(seed=11)]
            codes = (
                "import os; sorted(os.listdir())",
                "print({'b', 'a', 'c'})\n1 / 0",
                "import random; random.seed(1)",
            )
            return told + [env.step(cell(code)) for code in codes] + [env.step(EMPTY)]

        assert episode() == episode()

    def test_info_has_the_same_keys_always(self, env: NotebookEnv, cell: CellOf) -> None:
        """After reset, a step, and the end."""
        infos = [env.reset(seed=0)[1], env.step(cell("1"))[4], env.step(EMPTY)[4]]
        assert [set(info) for info in infos] == [{"task_id", "verdict", "reward_terms", "error"}] * 3
        assert [info["verdict"] for info in infos[:2]] == [{}, {}]
        assert set(infos[2]["reward_terms"]) == {"answers"}

    def test_it_vectorises(self, env_options: dict[str, Any], cell: CellOf) -> None:
        """The members step at once, each in its own shell."""
        envs = gym.make_vec("bai/Notebook-v0", num_envs=2, **env_options)
        envs.reset(seed=[1, 2])
        envs.step(tuple(cell(f"x = {n}") for n in range(2)))
        observations, *_ = envs.step(tuple(cell("x") for _ in range(2)))
        assert [f"\n{n}\n" in text for n, text in enumerate(observations)] == [True, True]
        envs.close()

    @pytest.mark.parametrize(
        "options",
        [
            {"max_steps": 0},
            {"max_errors": True},
            {"max_output": 1.5},
            {"cell_s": 0},
            {"memory_mb": -1},
            {"reward": "all"},
            {"prompt": "none"},
            {"difficulty": 9},
            {"family": "sums"},
            {"split": "test"},
            {"render_mode": "rgb_array"},
        ],
    )
    def test_wrong_arguments_are_refused(self, options: dict[str, Any]) -> None:
        """With what was expected."""
        with pytest.raises(ConfigError, match=r"must be|must have"):
            NotebookEnv(**options)

    def test_too_little_memory_is_named(self, make_env: MakeEnv) -> None:
        """Where not even the libraries fit, it is said which argument gives how much."""
        with pytest.raises(SandboxDied, match=r"with 20 MiB of memory \(memory_mb\)"):
            make_env(memory_mb=20).reset(seed=0)

    def test_what_is_not_installed_is_named(self, make_env: MakeEnv) -> None:
        """At the first reset, with the command that installs it."""
        with pytest.raises(MissingDependency, match="pip install no-such-package"):
            make_env(packages=["no-such-package"]).reset(seed=0)
        with pytest.raises(TaskNotFound):
            make_env().reset(options={"task_id": "dabench/0"})


class TestEpisode:
    """What comes of answers."""

    def test_the_oracle_computes_the_answer(self, env: NotebookEnv) -> None:
        """In the notebook, for every family and difficulty; the empty answer earns the floor, at once or after it."""
        for task in itertools.islice(TablesTaskSet(split="heldout"), 3 * len(FAMILIES)):
            env.reset(options={"task_id": task.task_id})
            *_, last = [env.step(action) for action in env.oracle()]
            assert last[1:3] == (1.0, True), (task.task_id, env.notebook())
            assert last[4]["verdict"]["status"] == "passed" and len(env.record()["cells"]) == 1
            assert play(env, EMPTY, task_id=task.task_id)[1:3] == (0.0, True)

    def test_a_listed_oracle_is_right_too(self, env: NotebookEnv) -> None:
        """Whoever lists the actions first gets the gold answer."""
        env.reset(options={"task_id": first(family="group").task_id})
        actions = list(env.oracle())
        assert [env.step(action) for action in actions][-1][1] == 1.0

    def test_a_picture_is_wanted_where_one_is_asked_for(self, env: NotebookEnv, cell: CellOf) -> None:
        """The answer alone is not all."""
        task = first(family="plot")
        assert play(env, gold(task), task_id=task.task_id)[1] == 0.0
        draw = cell("import matplotlib.pyplot as plt\nplt.plot([1]);")
        assert play(env, draw, gold(task), task_id=task.task_id)[1] == 1.0

    def test_a_share_may_be_the_reward(self, make_env: MakeEnv, env: NotebookEnv) -> None:
        """One of three values is a third; as binary it is nothing, and the term tells the share."""
        task = first(family="clean")
        part = f"<answer>@{task.expected[0].name}[{task.expected[0].value}]</answer>"
        options = {"task_id": task.task_id}
        _, reward, _, _, info = play(make_env(reward="fraction"), part, **options)
        assert reward == info["reward_terms"]["answers"] == pytest.approx(1 / 3)
        _, reward, _, _, info = play(env, part, **options)
        assert (reward, info["reward_terms"]["answers"]) == (0.0, pytest.approx(1 / 3))
        assert info["verdict"] == {"status": "failed", "score": 0.0, "detail": "1 of 3 right, 2 not given"}

    def test_what_fails_is_said_and_counted(self, make_env: MakeEnv, cell: CellOf) -> None:
        """A traceback and what to do; so many in a row end the episode, and a good one starts the count anew."""
        env = make_env(max_errors=2)
        text, *_ = play(env, cell("1 / 0"))
        assert "ZeroDivisionError" in text and "[29 steps left]" in text and text.endswith("anew.")
        assert "expected <action_input>" in env.step("no tags")[0] or env._done
        assert env._done and env.notebook()["metadata"]["bai"]["verdict"]["detail"] == "2 steps in a row failed"
        steps = [env.reset(seed=0), *(env.step(cell(code)) for code in ("1 / 0", "1", "1 / 0", "1"))]
        assert not any(step[2] for step in steps[1:])

    def test_steps_run_out(self, make_env: MakeEnv, cell: CellOf) -> None:
        """Without an answer the floor is earned."""
        env = make_env(max_steps=2)
        text, reward, terminated, _, info = play(env, cell("1"), cell("2"))
        assert (text, reward, terminated) == ("", 0.0, True)
        assert info["verdict"]["detail"] == "no answer within 2 steps"

    def test_long_output_is_cut(self, make_env: MakeEnv, cell: CellOf) -> None:
        """The middle is left out, and how much; the document keeps it."""
        env = make_env(max_output=100)
        text, *_ = play(env, cell("print('a' * 500 + 'z')"))
        assert "401 characters left out here" in text and "z\n</observation>" in text and len(text) < 250
        assert len(env.notebook()["cells"][2]["outputs"][0]["text"]) == 502

    @pytest.mark.parametrize(
        ("code", "status"),
        [("exit", "crashed"), ("import os; os.abort()", "crashed"), ("bytearray(1 << 36)", "memory")],
    )
    def test_a_dead_shell_is_a_verdict_at_once(self, env: NotebookEnv, cell: CellOf, code: str, status: str) -> None:
        """Not a fault of the machinery; the next episode is clean, and what came before can be saved."""
        _, reward, terminated, truncated, info = play(env, cell("x = 1"), cell(code))
        assert (reward, terminated, truncated, info["error"]) == (0.0, True, False, None)
        assert info["verdict"]["status"] == status
        assert len(env.notebook()["cells"]) == 5
        assert "NameError" in play(env, cell("x"))[0]

    def test_a_hung_cell_is_a_timeout(self, make_env: MakeEnv, cell: CellOf) -> None:
        """After its seconds."""
        info = play(make_env(cell_s=1.0), cell("while True: pass"))[4]
        assert info["verdict"] == {"status": "timeout", "score": 0.0, "detail": "a cell broke the time limit"}

    def test_episodes_are_clean(self, env: NotebookEnv, cell: CellOf) -> None:
        """Files, processes, threads and changes to libraries stay with the episode that made them."""
        spoil = "\n".join(
            [
                "import os, subprocess, threading, time, pandas",
                "open('left', 'w').write('x'); open('/tmp/left', 'w').write('x')",
                "pandas.read_csv = print",
                "child = subprocess.Popen(['sleep', '600'])",
                "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
                "print = get_ipython = None",
            ]
        )
        task = first(family="group")
        play(env, cell(spoil), task_id=task.task_id)
        look = "import os, pandas\nprint(os.listdir(), pandas.read_csv is print, os.path.exists('/tmp/left'))"
        assert f"{list(task.files)} False False" in play(env, cell(look), task_id=task.task_id)[0]
        assert len(env.fork().task.files) == 1  # type: ignore[union-attr]

    def test_bai_is_not_in_the_sandbox(self, env: NotebookEnv, cell: CellOf) -> None:
        """Nobody can make a task's labels from its id there."""
        told = play(env, cell("import importlib.util as u\nprint(u.find_spec('bai'), u.find_spec('pytest'))"))
        assert "None None" in told[0]

    def test_a_fault_of_the_machinery_is_never_a_reward(
        self, make_env: MakeEnv, cell: CellOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In reset it is raised; in a step the episode is truncated and names it."""
        env = make_env()
        env.reset(seed=0)

        def fail(*_: Any, **__: Any) -> Any:
            raise InfraError("the disk is full")

        monkeypatch.setattr(type(env._shell), "run", fail)
        _, reward, terminated, truncated, info = env.step(cell("1"))
        assert (reward, terminated, truncated, info["error"]) == (0.0, False, True, "InfraError")
        assert env._nursery is not None
        monkeypatch.setattr(type(env._nursery), "open", fail)
        with pytest.raises(InfraError):
            env.reset(seed=0)
        with pytest.raises(ConfigError, match="reset"):
            env.step(cell("1"))


class TestBranches:
    """Snapshots and forks hold the live state."""

    def test_a_fork_goes_its_own_way(self, env: NotebookEnv, cell: CellOf) -> None:
        """From the same variables, figures and random state; the original is undisturbed."""
        play(env, cell("import random; x = [0]; file = open('made', 'w'); file.write('abc');"))
        twin = env.fork()
        draws = [one.step(cell(f"x.append({n}); print(x, random.random())"))[0] for n, one in ((1, env), (2, twin))]
        assert "[0, 1]" in draws[0] and "[0, 2]" in draws[1]
        assert draws[0].replace("[0, 1]", "") == draws[1].replace("[0, 2]", "")
        assert twin.stats["revived"] == "live"
        assert len(twin.notebook()["cells"]) == len(env.notebook()["cells"]) == 5
        twin.close()
        assert "[0, 1]" in env.step(cell("x"))[0]

    def test_a_snapshot_is_restored_as_often_as_wanted(self, env: NotebookEnv, cell: CellOf) -> None:
        """In this environment and in others, with the steps and failures that were counted."""
        play(env, cell("x = 1"), cell("1 / 0"))
        moment = env.snapshot()
        for _ in range(3):
            told = env.restore(moment)
            assert told.endswith("anew.") and env.stats["revived"] == "live"
            assert "\n1\n" in env.step(cell("x"))[0]
            env.step(cell("x = 5"))
        assert [c["execution_count"] for c in env.notebook()["cells"] if "execution_count" in c] == [1, 2, 3]

    def test_a_pickled_snapshot_is_replayed(self, env: NotebookEnv, make_env: MakeEnv, cell: CellOf) -> None:
        """In another process its cells run again, failures included."""
        play(env, cell("x = [1]"), cell("x.append(2); 1 / 0"))
        moment = pickle.loads(pickle.dumps(env.snapshot()))
        other = make_env()
        other.restore(moment)
        assert other.stats["revived"] == "replayed" and "[1, 2]" in other.step(cell("x"))[0]

    def test_what_cannot_be_replayed_says_so(self, env: NotebookEnv, cell: CellOf) -> None:
        """Where a cell does not come to what it came to."""
        play(env, cell("import os\nassert not os.path.exists('/dev/shm/seen') and not os.environ.get('seen')"))
        moment = pickle.loads(pickle.dumps(env.snapshot()))
        moment.state["moment"]._steps = (("1 / 0", 1, False),)
        with pytest.raises(CannotFork, match="cell 1 came to error"):
            env.restore(moment)

    def test_a_thread_is_in_the_way(self, env: NotebookEnv, cell: CellOf) -> None:
        """And the message says so; the episode goes on."""
        play(env, cell("import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()"))
        for branch in (env.snapshot, env.fork):
            with pytest.raises(CannotFork, match="threads"):
                branch()
        assert "\n2\n" in env.step(cell("1 + 1"))[0]

    def test_a_finished_episode_is_copied_without_a_shell(self, env: NotebookEnv) -> None:
        """And can be saved in the copy."""
        play(env, EMPTY)
        twin = env.fork()
        assert twin.notebook() == env.notebook()
        with pytest.raises(ConfigError, match="over"):
            twin.step(EMPTY)
        twin.close()

    def test_an_episode_in_a_branch_starts_afresh(self, env: NotebookEnv, cell: CellOf) -> None:
        """A fork that is reset has a sandbox of its own."""
        play(env, cell("x = 1"))
        twin = env.fork()
        assert "NameError" in play(twin, cell("x"))[0]
        twin.close()
        assert "\n1\n" in env.step(cell("x"))[0]


@pytest.mark.data
def test_dabench_from_end_to_end(data_dir: Path, make_env: MakeEnv, cell: CellOf) -> None:
    """Every task begins with its table in the workspace; the oracle earns the maximum, the empty answer the floor."""
    env = make_env(task_set="dabench")
    assert len(env.tasks) == 114
    for task in env.tasks:
        env.reset(options={"task_id": task.task_id})
        *_, last = [env.step(action) for action in env.oracle()]
        assert last[1] == 1.0 and last[4]["verdict"]["status"] == "passed", task.task_id
        env.reset(options={"task_id": task.task_id})
        assert env.step(EMPTY)[1] == 0.0
    sizes = {name: len(data) for task in env.tasks for name, data in task.files.items()}
    for name, size in itertools.islice(sorted(sizes.items()), 0, None, 8):
        task = next(task for task in env.tasks if name in task.files)
        assert f"\n{size}\n" in play(env, cell(f"import os; os.path.getsize({name!r})"), task_id=task.task_id)[0]


def test_draws_follow_the_generator(env: NotebookEnv) -> None:
    """Tasks come from the environment's own seed."""
    drawn = [env.reset(seed=4)[1]["task_id"], env.reset()[1]["task_id"]]
    assert drawn[0] != drawn[1]
    assert drawn == [env.reset(seed=4)[1]["task_id"], env.reset()[1]["task_id"]]
