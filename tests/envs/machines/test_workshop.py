"""The workshop: trees and machines of tasks, and commands in them."""

from __future__ import annotations

import gzip
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bai.envs.machines import specs
from bai.envs.machines.light import DISTRIBUTIONS, light_environment
from bai.envs.machines.workshop import LIBRARIES, LocalWorkshop
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox import Limits, Sandbox, Snapshot
from bai.envs.tasks.repair import RepairTask
from bai.errors import ConfigError, DataError, MissingDependency, PatchError, SandboxUnavailable

if TYPE_CHECKING:
    from conftest import Repository, Small

LIMITS = Limits(wall_s=120.0, memory_bytes=512 << 20)
LIBRARY = "gridcalc"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def _workshop(cache: Path, **options: Any) -> LocalWorkshop:
    return LocalWorkshop(**{"sandbox": "process", "cache_dir": cache, **options})


def _of_library(small: Small, **origin: str) -> RepairTask:
    return small.task(repo=f"library/{LIBRARY}", origin={"library": LIBRARY, **origin})


def _run(sandbox: Sandbox, machine: Any, tree: Tree, command: str) -> tuple[int | None, str]:
    """Runs a command in a tree; gives its exit code and what it said."""
    sandbox.restore(Snapshot(archive=tree.archive(below=machine.below)))
    done = sandbox.exec(["sh", "-c", f"cd {machine.root} && {command}"], env=machine.variables)
    return done.exit_code, (done.stdout + done.stderr).decode()


def test_a_library_is_tested_in_a_light_machine(small: Small, cache: Path, backend: str) -> None:
    """The tests of a shipped library pass there, with pytest and without a network or an installation."""
    workshop = _workshop(cache, sandbox=backend)
    task = _of_library(small)
    tree, machine = workshop.tree(task), workshop.machine(task)
    with machine.make_sandbox(LIMITS) as sandbox:
        code, said = _run(sandbox, machine, tree, "pytest -q -p no:cacheprovider -x")
    assert code == 0 and "passed" in said, said[-2000:]


def test_a_light_machine_has_pytest_and_nothing_else(cache: Path, small: Small, backend: str) -> None:
    """The interpreter is the sandbox's own; of bai's environment pytest and what it needs can be imported."""
    machine = _workshop(cache, sandbox=backend).machine(_of_library(small))
    ask = f"import pytest, sys; print(sys.version_info[:2] == {sys.version_info[:2]}, pytest.__version__ != '')"
    with machine.make_sandbox(LIMITS) as sandbox:
        code, said = _run(sandbox, machine, Tree({"x": Entry(data=b"")}), f'python -c "{ask}"; python3 -c "import bai"')
        others = sandbox.exec(["python", "-c", "import gymnasium"], env=machine.variables)
    assert said.startswith("True True") and "No module named 'bai'" in said and code == 1
    assert not others.ok


def test_an_environment_without_pytest_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bai is installed without pytest, how to get it is told."""
    monkeypatch.setattr("bai.envs.machines.light.DISTRIBUTIONS", ("no-such-distribution",))
    with pytest.raises(MissingDependency, match="pip install pytest"):
        light_environment(tmp_path)
    assert "pytest" in DISTRIBUTIONS


def test_a_bug_is_put_in(small: Small, cache: Path) -> None:
    """The tree of a made task is the library's with its fault, and what tools left in its folder is not there."""
    bug = "--- a/pyproject.toml\n+++ b/pyproject.toml\n@@ -1 +1 @@\n-{}\n+[wrong]\n"
    first = (LIBRARIES / LIBRARY / "pyproject.toml").read_text().splitlines()[0]
    workshop = _workshop(cache)
    whole = workshop.tree(_of_library(small))
    faulty = workshop.tree(_of_library(small, bug=bug.format(first)))
    assert set(whole.changes_to(faulty)) == {"pyproject.toml"}
    assert not [path for path in whole if "__pycache__" in path or path.startswith(".git/")]
    with pytest.raises(PatchError):
        workshop.tree(_of_library(small, bug=bug.format("not there")))


def test_a_tree_comes_from_an_archive(small: Small, cache: Path, tmp_path: Path) -> None:
    """The tree of a task made of a distribution lies beside its row."""
    archive = tmp_path / "tree.tar.gz"
    archive.write_bytes(gzip.compress(small.tree().archive()))
    task = small.task(repo="package/small", origin={"tree": str(archive)})
    assert _workshop(cache).tree(task) == small.tree()


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"library": "no-such"}, "there is no library 'no-such'; expected one of .*gridcalc"),
        ({"library": "../docker"}, "there is no library"),
        ({"tree": "/no/such.tar.gz"}, "cannot be read"),
        ({"tree": __file__}, "cannot be read"),
        ({"other": "x"}, "names neither a library nor a tree"),
    ],
)
def test_a_tree_that_is_not_there_is_said(small: Small, cache: Path, origin: dict[str, str], told: str) -> None:
    """Whatever an origin names and is not there is told in one sentence."""
    with pytest.raises(DataError, match=told):
        _workshop(cache).tree(small.task(origin=origin))


def test_an_archive_that_unpacks_without_end_is_refused(
    small: Small, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is read of an archive than a tree may hold."""
    monkeypatch.setattr("bai.envs.machines.workshop.MOST_TREE_BYTES", 1000)
    archive = tmp_path / "tree.tar.gz"
    archive.write_bytes(gzip.compress(bytes(2000)))
    with pytest.raises(DataError, match="holds more than 1000 bytes"):
        _workshop(cache).tree(small.task(origin={"tree": str(archive)}))


@pytest.fixture
def public(repository: Repository, small: Small, monkeypatch: pytest.MonkeyPatch) -> RepairTask:
    """A task of a public repository that is described and has a clone here."""
    for path in [*repository.folder.iterdir()]:
        if path.name != ".git":
            path.unlink()
    small.tree().write(repository.folder)
    commit = repository.commit({"tox.ini": "a pytest pytest\n"})
    edits = (specs.Edit(path="tox.ini", find="pytest", put="pytest -rA"), specs.Edit(path="no.ini", find="a", put="b"))
    spec = small.spec(python=HERE, repo="owner/name", edits=edits)
    monkeypatch.setattr("bai.envs.machines.workshop.find_spec", lambda repo, version: spec)
    return small.task(repo="owner/name", base_commit=commit)


def test_a_public_repository_is_worked_on_and_tested(
    public: RepairTask, repository: Repository, cache: Path, backend: str
) -> None:
    """Its tree has what the specification changes and the installation writes; its package is the tree's own."""
    workshop = _workshop(cache, sandbox=backend, repos=repository.folder.parent)
    tree, machine = workshop.tree(public), workshop.machine(public)
    assert tree.text("tox.ini") == "a pytest -rA pytest\n"
    assert tree.text("src/small/_version.py") == "version = '1.5'\n"
    with machine.make_sandbox(LIMITS) as sandbox:
        code, said = _run(
            sandbox, machine, tree, "small-says && python -c 'import small._version as v; print(v.__file__)'"
        )
    assert code == 0 and said.startswith("small says one"), said
    assert said.strip().endswith("testbed/src/small/_version.py")


def test_the_second_time_nothing_is_looked_for(
    public: RepairTask, repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workshop keeps trees and machines: of one task it gives the same again, without a process or a clone."""
    workshop = _workshop(cache, repos=repository.folder.parent)
    tree, machine = workshop.tree(public), workshop.machine(public)
    shutil.rmtree(repository.folder)
    monkeypatch.setattr("subprocess.run", None)
    assert workshop.tree(public) is tree and workshop.machine(public) is machine


def test_threads_share_what_is_made(public: RepairTask, repository: Repository, cache: Path) -> None:
    """Many threads that ask for one task get one machine."""
    workshop = _workshop(cache, repos=repository.folder.parent)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(workshop.machine(public))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(map(id, found))) == 1


def test_what_may_not_be_built_is_said(public: RepairTask, repository: Repository, tmp_path: Path) -> None:
    """Without leave to build, an environment that is not in the cache is named."""
    workshop = _workshop(tmp_path, repos=repository.folder.parent, build=False)
    with pytest.raises(SandboxUnavailable, match=r"owner/name 1\.5 is not in .*, and may not be built"):
        workshop.machine(public)


@pytest.mark.parametrize(
    "options", [{"python": "3"}, {"repos": "/no/such"}, {"sandbox": "no-such"}], ids=lambda options: next(iter(options))
)
def test_arguments_are_checked_when_they_are_given(cache: Path, options: dict[str, str]) -> None:
    """A wrong argument is refused before any task is asked for."""
    with pytest.raises(ConfigError):
        _workshop(cache, **options)


def test_a_public_repository_without_source_is_said(small: Small, cache: Path) -> None:
    """Without repos, what would help is named; without a specification, what is described."""
    workshop = _workshop(cache)
    with pytest.raises(DataError, match=r"give repos="):
        workshop.tree(small.task(repo="pallets/flask", version="2.3"))
    with pytest.raises(SandboxUnavailable, match="is not described"):
        workshop.machine(small.task(repo="owner/unknown"))


def test_an_image_that_cannot_be_used_is_said(small: Small, cache: Path) -> None:
    """A task that nothing describes and that names an image is told why that does not help here."""
    task = small.task(repo="owner/unknown", image="image:1")
    with pytest.raises(SandboxUnavailable, match=r"is not described.*its image image:1 cannot be used: .*Docker"):
        _workshop(cache).machine(task)


def test_a_large_tree_is_held_by_its_machine(
    public: RepairTask, repository: Repository, cache: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sandboxes of a task with many files are filled from a copy on disk, and hold the same."""
    monkeypatch.setattr("bai.envs.machines.workshop.LARGE_BYTES", 100)
    workshop = _workshop(cache, sandbox=backend, repos=repository.folder.parent)
    tree, machine = workshop.tree(public), workshop.machine(public)
    with machine.make_sandbox(LIMITS) as sandbox:
        machine.fill(sandbox, tree)
        assert Tree.from_archive(sandbox.snapshot().archive, below=machine.below) == tree
    assert tree.digest[:16] in machine.key
