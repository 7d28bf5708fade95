"""Machines in Docker: a task's own image, and an environment as a layer."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bai.envs.machines import image as images
from bai.envs.machines.build import build_environment
from bai.envs.machines.environment import Environment
from bai.envs.machines.image import REPOSITORY, LayerMachine
from bai.envs.machines.interpreters import find_interpreter
from bai.envs.machines.light import light_environment
from bai.envs.machines.workshop import LocalWorkshop
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox import Limits
from bai.envs.sandbox.containers import blank
from bai.envs.sandbox.docker_engine import connect
from bai.envs.sandbox.image import default_image, has_image
from bai.errors import DataError, SandboxUnavailable

if TYPE_CHECKING:
    from conftest import Small

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker")]
LIMITS = Limits(wall_s=120.0)
IMAGE = "bai-test-task:1"


@pytest.fixture
def task_image(small: Small) -> Iterator[str]:
    """An image as SWE-bench's are: the project with its history at ``/testbed``, and an interpreter of its own."""
    tree = small.tree(**{".git/HEAD": "ref: refs/heads/main\n", ".git/secret": "the answer"})
    conda = Tree({"opt/miniconda3/envs/testbed/bin/python": Entry(data=b"/usr/bin/python3", link=True)})
    with connect(None) as client, blank(client, default_image()) as container:
        client.put_archive(container, "/", tree.archive(below="testbed"))
        client.put_archive(container, "/", conda.archive())
        client.commit(container, *IMAGE.split(":"))
    yield IMAGE
    with connect(None) as client:
        client.remove_image(IMAGE, force=True)


def _forget(machine: LayerMachine) -> None:
    with connect(None) as client:
        client.remove_image(machine.image, force=True)


def _say(machine: Any, tree: Tree, command: str) -> tuple[int | None, str]:
    with machine.make_sandbox(LIMITS) as sandbox:
        machine.fill(sandbox, tree)
        done = sandbox.exec(["sh", "-c", f"cd {machine.root} && {command}"], env=machine.variables)
        return done.exit_code, (done.stdout + done.stderr).decode()


def test_a_tasks_image_is_used(task_image: str, small: Small, tmp_path: Path) -> None:
    """Where the engine has a task's image, its files are the tree, its history is not, and commands run in it."""
    workshop = LocalWorkshop(sandbox="docker", cache_dir=tmp_path)
    task = small.task(repo="owner/unknown", image=task_image)
    tree, machine = workshop.tree(task), workshop.machine(task)
    assert tree == small.tree()
    code, said = _say(machine, tree, "pwd; which python; ls -A; echo new > more.txt; touch /opt/x; cd; pwd")
    assert said.splitlines()[:2] == ["/testbed", "/opt/miniconda3/envs/testbed/bin/python"]
    assert ".git" not in said.split() and "backend.py" in said.split() and "\n/tmp\n" in said
    assert "Read-only file system" in said and code == 0
    assert machine.below == "" and workshop.machine(task) is machine


def test_an_image_without_a_repository_is_said(small: Small, tmp_path: Path) -> None:
    """An image that has nothing where the repository should be is told by its name."""
    workshop = LocalWorkshop(sandbox="docker", cache_dir=tmp_path)
    with pytest.raises(DataError, match=rf"{default_image()} has no repository at /testbed"):
        workshop.tree(small.task(repo="owner/unknown", image=default_image()))


def test_an_image_that_is_not_there_is_said(small: Small, tmp_path: Path) -> None:
    """Without leave to pull, an image that the engine lacks is named; with it, the registry's silence is too."""
    task = small.task(repo="owner/unknown", image="bai-test-absent:1")
    for pull in (False, True):
        workshop = LocalWorkshop(sandbox="docker", cache_dir=tmp_path, pull=pull)
        with pytest.raises(SandboxUnavailable, match="bai-test-absent:1 cannot be used"):
            workshop.machine(task)


def test_a_light_machine_is_a_layer(cache: Path, small: Small) -> None:
    """A library's tests run in the project's image with pytest added, read-only, and the image is made once."""
    workshop = LocalWorkshop(sandbox="docker", cache_dir=cache)
    task = small.task(repo="library/gridcalc", origin={"library": "gridcalc"})
    machine = workshop.machine(task)
    assert isinstance(machine, LayerMachine) and machine.image.startswith(f"{REPOSITORY}:light-")
    code, said = _say(machine, workshop.tree(task), "pytest -q -p no:cacheprovider; touch $VIRTUAL_ENV/new")
    assert " passed" in said and "Read-only file system" in said and code == 1
    again = LocalWorkshop(sandbox="docker", cache_dir=cache).machine(task)
    assert again.key == machine.key
    _forget(machine)


def test_a_built_environment_is_a_layer(cache: Path, small: Small) -> None:
    """A public repository's environment works there: its package is the tree's, and its programs run."""
    interpreter = find_interpreter(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert interpreter is not None
    environment = build_environment(small.spec(), interpreter, small.tree(), cache)
    machine = LayerMachine(environment, options={})
    code, said = _say(
        machine, small.tree(), "small-says; python -c 'import small; print(small.__file__)'; which python"
    )
    assert said.splitlines() == [
        "small says one",
        "/workspace/testbed/src/small/__init__.py",
        "/opt/bai/environment/bin/python",
    ]
    assert code == 0
    _forget(machine)


def test_an_interpreter_comes_along(cache: Path, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the image has no interpreter of the version, the environment's own goes into the layer without packages."""
    environment = light_environment(cache)
    if environment.prefix == "/usr":
        pytest.skip("needs an interpreter of its own, not the system's")
    monkeypatch.setattr(images, "_program", lambda *_: None)
    machine = LayerMachine(dataclasses.replace(environment, key="light-comes-along"), options={})
    code, said = _say(
        machine, small.tree(), "readlink -f $(which python); python -m pytest --version; ls /opt/bai/python/lib/*/"
    )
    assert said.startswith("/opt/bai/python/bin/python3") and "pytest" in said and code == 0
    assert "site-packages" not in said
    _forget(machine)


def test_an_interpreter_that_does_not_run_leaves_no_image(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer in which the interpreter does not run is removed, and the reason is told."""
    environment: Environment = dataclasses.replace(light_environment(cache), key="light-broken")
    monkeypatch.setattr(images, "_program", lambda *_: "/bin/false")
    with pytest.raises(SandboxUnavailable, match="does not run on the project's image"):
        LayerMachine(environment, options={})
    with connect(None) as client:
        assert not [image for image in client.images(REPOSITORY) if "light-broken" in str(image["RepoTags"])]
        assert has_image(client, default_image())
