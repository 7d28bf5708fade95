"""Harbor tasks in Docker, in an image of their own or on the project's; and git there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest

from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox.containers import blank
from bai.envs.sandbox.docker_engine import connect
from bai.envs.sandbox.image import default_image
from bai.envs.swebench import SWEBenchEnv

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker")]
IMAGE = "bai-test-harbor:1"
FILES = {
    "task.toml": 'version = "1.0"\n',
    "instruction.md": "Have say.py print one.\n",
    "environment/Dockerfile": "FROM python:3.11-slim\nWORKDIR /srv/app\nCOPY say.py .\n",
    "environment/say.py": "print(2)\n",
    "solution/solve.sh": "#!/bin/bash\necho 'print(1)' > /srv/app/say.py\n",
    "tests/test.sh": (
        '#!/bin/bash\ncd /srv/app\n[ "$(python3 say.py)" = 1 ]\necho $((1 - $?)) > /logs/verifier/reward.txt\n'
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task's directory."""
    for name, text in FILES.items():
        (tmp_path / "say" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "say" / name).write_text(text)
    return tmp_path / "say"


@pytest.fixture
def task_image() -> Iterator[str]:
    """An image with the task's files in its working directory."""
    tree = Tree({"app/say.py": Entry(data=b"print(3)\n"), "app/other.txt": Entry(data=b"of the image")})
    with connect(None) as client:
        with blank(client, default_image()) as container:
            client.put_archive(container, "/", tree.archive(below="srv"))
            conf = {"WorkingDir": "/srv/app", "Env": ["PATH=/usr/bin:/bin", "OF_IMAGE=yes"], "Entrypoint": None}
            client.commit(container, *IMAGE.split(":"), conf=conf)
        yield IMAGE
        client.remove_image(IMAGE, force=True)


def make(folder: Path, cache: Path) -> SWEBenchEnv:
    env = gym.make(
        "bai/SWEBench-v0", disable_env_checker=True, task_set=str(folder), sandbox="docker", cache_dir=str(cache)
    ).unwrapped
    assert isinstance(env, SWEBenchEnv)
    env.reset(seed=0)
    return env


def solve(env: SWEBenchEnv) -> None:
    """Holds that the solution solves it, and the empty answer does not."""
    for action in env.oracle():
        _, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["verdict"]["status"]) == (1.0, True, "passed")
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("```submit\n```")
    assert (reward, terminated, info["verdict"]["status"]) == (0.0, True, "failed")


def test_a_task_without_an_image_runs_on_the_projects(folder: Path, cache: Path) -> None:
    """Its working directory is a link into the workspace, and its agent has git."""
    env = make(folder, cache)
    script = "pwd; echo 'print(5)' > say.py; git status --short; git diff | grep '^[+-]p'; git log --oneline | wc -l"
    said, *_ = env.step(f"```bash\n{script}\n```")
    assert said.splitlines()[:5] == ["/srv/app", " M say.py", "-print(2)", "+print(5)", "1"]
    solve(env)
    env.close()


def test_a_tasks_image_is_used(folder: Path, cache: Path, task_image: str) -> None:
    """With the files of its working directory, and its variables."""
    (folder / "task.toml").write_text(f'[environment]\ndocker_image = "{task_image}"\n')
    (folder / "environment" / "Dockerfile").write_text("FROM own\nRUN make\n")
    env = make(folder, cache)
    said, *_ = env.step("```bash\npwd; cat say.py other.txt; echo; echo $OF_IMAGE\n```")
    assert said.startswith("/srv/app\nprint(3)\nof the image\nyes\n")
    solve(env)
    env.close()
