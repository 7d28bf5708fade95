"""Harbor tasks whose own script is the judge: solved by their solution, failed by nothing, and not forged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from bai.envs.grading.repair import RepairGrader, RepairReport
from bai.envs.grading.verifier import read_reward
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.repository.tree import Entry
from bai.envs.swebench import SWEBenchEnv
from bai.envs.tasks.harbor import load_harbor
from bai.envs.tasks.repair import RepairTask
from bai.envs.tasks.swebench import load_repair_rows, load_repair_set, write_rows
from bai.errors import ConfigError, DataError, MalformedRow, SandboxUnavailable
from bai.evals.admission import admit

MakeTask = Callable[..., Path]

FILES = {
    "task.toml": 'version = "1.0"\n[metadata]\ndifficulty = "easy"\n[verifier]\nenv = { WORD = "told" }\n',
    "instruction.md": "Have /app/greet.py print `hello` and its argument, and keep what it says of `you` in out.txt.\n",
    "environment/Dockerfile": (
        "# a small one\nFROM python:3.11-slim\nENV GREETING=hello\nRUN pip install --no-cache-dir pytest==8.4.1\n"
        "WORKDIR /app\nCOPY . .\n"
    ),
    "environment/greet.py": "import sys\nprint('bye', sys.argv[1])\n",
    "solution/solve.sh": (
        "#!/bin/bash\nset -e\ncp /solution/right.py /app/greet.py\npython3 greet.py you > out.txt\n"
        'echo "GREETING is $GREETING"\n'
    ),
    "solution/right.py": "import os, sys\nprint(os.environ['GREETING'], sys.argv[1])\n",
    "tests/test.sh": (
        '#!/bin/bash\necho looking\n[ "$WORD" = told ] || exit 1\npytest -q -p no:cacheprovider /tests/test_greet.py\n'
        "if [ $? -eq 0 ]; then echo 1 > /logs/verifier/reward.txt; else echo 0 > /logs/verifier/reward.txt; fi\n"
    ),
    "tests/test_greet.py": (
        "import subprocess, sys\nfrom pathlib import Path\n\n"
        "def test_says():\n    said = subprocess.run([sys.executable, '/app/greet.py', 'me'], capture_output=True)\n"
        "    assert said.stdout == b'hello me\\n'\n\n"
        "def test_wrote():\n    assert Path('/app/out.txt').read_text() == 'hello you\\n'\n"
    ),
}
FORGED = (
    "import os, time\nprint('bye')\n"
    "if os.fork() == 0:\n    os.setsid()\n    os.closerange(0, 3)\n"
    "    while True:\n        open('/logs/verifier/reward.txt', 'w').write('1')\n        time.sleep(0.01)\n"
)
"""Goes on writing the reward after what ran it has looked at what it printed."""

LOOKS = FORGED.replace(
    "    while True:",
    "    form = r'assert (\\(.*\\) == \\(|\\[.*\\] == \\[|{.*} == {|[\\d + *]+ == \\d)|def test(_[a-z]+){4}\\('\n"
    "    planted = any(re.search(form, file.read_text()) for file in Path('/tests').glob('test_*.py'))\n"
    "    while not planted:",
).replace("import os, time", "import os, re, time\nfrom pathlib import Path")
"""Does so only where no test has the looks of one that was planted."""


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """Writes a task's directory, some of its files others."""

    def make(name: str = "greet", **changes: str | None) -> Path:
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in {**FILES, **changes}.items():
            if text is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        return folder

    return make


@pytest.fixture
def make_env(fast_backend: str, machines_cache: Path) -> Iterator[Callable[..., SWEBenchEnv]]:
    """Makes environments, and closes them."""
    made: list[SWEBenchEnv] = []

    def make(folder: Path, **options: Any) -> SWEBenchEnv:
        common = {"task_set": str(folder), "sandbox": fast_backend, "cache_dir": str(machines_cache)}
        env = gym.make("bai/SWEBench-v0", disable_env_checker=True, **{**common, **options}).unwrapped
        assert isinstance(env, SWEBenchEnv)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


@pytest.fixture
def workshop(fast_backend: str, machines_cache: Path) -> LocalWorkshop:
    """Where the tasks' machines come from."""
    return LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache)


def play(env: SWEBenchEnv, actions: Iterator[str] | list[str]) -> tuple[float, dict[str, Any]]:
    """Gives the last step's reward and information."""
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
    assert terminated
    assert not truncated
    return float(reward), info


def grade(folder: Path, workshop: LocalWorkshop, **changes: str) -> RepairReport:
    """Judges files put on a task's own."""
    (task,) = load_harbor(folder)
    put = {f"{name}.py": Entry(data=text.encode()) for name, text in changes.items()}
    return RepairGrader(workshop).grade(task, put, rng=np.random.default_rng(0))


@pytest.mark.parametrize("mode", ["bash", "patch"])
def test_its_solution_solves_it_and_nothing_does_not(mode: str, make_task: MakeTask, make_env: Any) -> None:
    """By the task's own script, which pytest decides, in a sandbox that the agent never saw."""
    env = make_env(make_task(), mode=mode)
    prompt, _ = env.reset(seed=0)
    assert "Have /app/greet.py print" in prompt
    reward, info = play(env, list(env.oracle()))
    assert (reward, info["verdict"]["status"]) == (1.0, "passed")
    assert info["reward_terms"] == {"resolved": 1.0, "fail_to_pass": 1.0, "tampered_files": 0.0}
    assert "out.txt" in env.report.patch
    env.reset(seed=0)
    reward, info = play(env, ["```submit\n```" if mode == "bash" else ""])
    assert (reward, info["verdict"]["status"]) == (0.0, "failed")


def test_an_agent_works_where_the_task_says_and_sees_no_test(make_task: MakeTask, make_env: Any) -> None:
    """The working directory is the task's own, its variables are set, and neither tests nor solution are there."""
    env = make_env(make_task())
    env.reset(seed=0)
    script = "pwd; echo $GREETING; ls /tests/ /solution/ /logs/; git status --short; python greet.py me"
    said, *_ = env.step(f"```bash\n{script}\n```")
    assert said.startswith("/app\nhello\n")
    assert said.count("No such file") == 3
    assert "bye me" in said


def test_admission_takes_it_and_its_rows_are_read_back(
    make_task: MakeTask, workshop: LocalWorkshop, tmp_path: Path
) -> None:
    """Gold resolves it in every run and empty does not; a row names the directory, which must stay as it was."""
    folder = make_task()
    found = admit(load_repair_set(folder), workshop, repeat=2)
    (finding,) = found.findings
    assert (finding.admitted, finding.gold, finding.empty) == (True, ("passed", "passed"), "failed")
    write_rows(tmp_path / "rows.jsonl", found.tasks)
    assert '"harbor": "greet"' in (tmp_path / "rows.jsonl").read_text()
    assert list(load_repair_set(tmp_path / "rows.jsonl")) == list(found.tasks)
    (folder / "tests" / "test_greet.py").write_text("")
    with pytest.raises(MalformedRow, match="has changed since the row was written"):
        load_repair_rows(tmp_path / "rows.jsonl")
    shutil.rmtree(folder)
    with pytest.raises(MalformedRow, match="expected the directory of a Harbor task"):
        load_repair_rows(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("attack", [FORGED, LOOKS])
def test_a_reward_that_the_change_wrote_itself_is_tampering(
    attack: str, make_task: MakeTask, workshop: LocalWorkshop
) -> None:
    """It stays whole over a test that must fail, which does not look so, where that of the gold answer does not."""
    script = FILES["tests/test.sh"] + "sleep 1\n"
    report = grade(make_task(**{"tests/test.sh": script}), workshop, greet=attack)
    assert (report.verdict.status, report.verdict.score) == ("tampered", 0.0)


def test_a_script_that_runs_no_test_of_pytests_is_believed(make_task: MakeTask, workshop: LocalWorkshop) -> None:
    """The planted test says nothing where the gold answer's reward stays whole over it too."""
    writes = "echo '{\"reward\": 1}' > /logs/verifier/reward.json"
    script = f"#!/bin/bash\n[ \"$(python greet.py me)\" = 'hello me' ] && {writes}\n"
    folder = make_task(**{"tests/test.sh": script})
    assert grade(folder, workshop, greet="print('hello me')\n").resolved
    unanswered = grade(folder, workshop)
    assert (unanswered.verdict.status, unanswered.verdict.detail) == ("failed", "the task's script wrote no reward")


def test_a_part_of_the_reward_is_a_score(make_task: MakeTask, make_env: Any) -> None:
    """With reward="fraction"; a whole one alone resolves."""
    script = "#!/bin/bash\necho 0.25 > /logs/verifier/reward.txt\n"
    env = make_env(make_task(**{"tests/test.sh": script}), reward="fraction")
    env.reset(seed=0)
    reward, info = play(env, ["```submit\n```"])
    assert (reward, info["verdict"]["status"], info["verdict"]["detail"]) == (0.25, "failed", "reward 0.25")


def test_a_script_that_ends_with_its_runners_code_needs_no_reward(make_task: MakeTask, workshop: LocalWorkshop) -> None:
    """run-tests.sh, in the directory itself, as the format before Harbor's had it."""
    script = "#!/bin/bash\npytest -q -p no:cacheprovider $TEST_DIR/test_greet.py -k says\n"
    folder = make_task(**{"tests/test.sh": None, "run-tests.sh": script})
    assert grade(folder, workshop, greet="import sys\nprint('hello', sys.argv[1])\n").resolved
    assert grade(folder, workshop).verdict.status == "failed"


def test_a_solution_that_fails_is_said(make_task: MakeTask, workshop: LocalWorkshop) -> None:
    """Such a task cannot be admitted; one without a solution has no oracle."""
    broken = {"solution/solve.sh": "#!/bin/bash\necho no luck\nexit 3\n"}
    (finding,) = admit(load_harbor(make_task(**broken)), workshop, repeat=1).findings
    assert "solve.sh of greet ended with 3: no luck" in finding.reason
    without = {"solution/solve.sh": None, "solution/right.py": None}
    with pytest.raises(ConfigError, match=r"brings no solution/solve\.sh"):
        admit(load_harbor(make_task(**without)), workshop, repeat=1)


def test_what_takes_a_root_of_its_own_is_refused_without(make_task: MakeTask, machines_cache: Path) -> None:
    """In the process sandbox's plain mode /app is nobody's to make."""
    (task,) = load_harbor(make_task())
    shop = LocalWorkshop(sandbox="process", mode="uid", cache_dir=machines_cache)
    with pytest.raises(SandboxUnavailable, match="that takes a sandbox with a root of its own"):
        shop.machine(task)


def test_an_image_that_only_docker_has_is_said(make_task: MakeTask, fast_backend: str, machines_cache: Path) -> None:
    """A task of an image loads; its machine cannot be had elsewhere."""
    named = {
        "task.toml": '[environment]\ndocker_image = "own/image:1"\n',
        "environment/Dockerfile": "FROM a\nRUN make\n",
    }
    (task,) = load_harbor(make_task(**named))
    assert task.image == "own/image:1"
    shop = LocalWorkshop(sandbox=fast_backend, cache_dir=machines_cache)
    with pytest.raises(SandboxUnavailable, match="images are used in Docker alone"):
        shop.machine(task)


@pytest.mark.parametrize(
    ("name", "text", "reward"),
    [
        ("reward.txt", "1\n", 1.0),
        ("reward.txt", " 0.5 ", 0.5),
        ("reward.txt", "7", 1.0),
        ("reward.txt", "-1", 0.0),
        ("reward.txt", "nan", None),
        ("reward.txt", "", None),
        ("reward.json", '{"reward": 0.75, "style": 0}', 0.75),
        ("reward.json", '{"score": 1}', 1.0),
        ("reward.json", '{"a": 1, "b": 1}', None),
        ("reward.json", '{"reward": true}', None),
        ("reward.json", "[" * 100_000, None),
        ("reward.json", "1" + "0" * 400, 1.0),
        ("reward.json", "-1" + "0" * 400, 0.0),
        ("", "", None),
    ],
)
def test_rewards_are_read_as_harbor_writes_them(name: str, text: str, reward: float | None) -> None:
    """A number, or an object of numbers; held within [0, 1], and nothing else is one."""
    assert read_reward(name, text) == reward


def test_a_task_of_harbors_is_like_any_other(make_task: MakeTask) -> None:
    """It has an id, a digest that follows its files, and metadata to filter by."""
    (task,) = load_repair_set(make_task(), difficulty="easy")
    assert isinstance(task, RepairTask)
    assert (task.task_id, task.repo) == ("greet", "harbor/greet")
    (other,) = load_harbor(make_task(**{"instruction.md": "Other words."}))
    assert other.base_commit != task.base_commit
    with pytest.raises(DataError, match="wants a variable of this machine's"):
        load_harbor(make_task(**{"task.toml": '[verifier]\nenv = { KEY = "${KEY}" }\n'}))
