"""Environments built with pip, without a network: the project brings its own build backend."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bai.envs.machines.build import build_environment, environment_key, requirements_of
from bai.envs.machines.environment import Environment, site_packages
from bai.envs.machines.interpreters import Interpreter, find_interpreter
from bai.envs.machines.local import LocalMachine
from bai.envs.machines.specs import Edit
from bai.envs.sandbox import Limits, Snapshot
from bai.errors import InfraError

if TYPE_CHECKING:
    from conftest import Small

LIMITS = Limits(wall_s=60.0)


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    """The one that bai runs on."""
    found = find_interpreter(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert found is not None
    return found


@pytest.fixture
def environment(small: Small, interpreter: Interpreter, cache: Path) -> Environment:
    """The project's environment, built once a run."""
    return build_environment(small.spec(), interpreter, small.tree(), cache)


def test_the_project_leaves_no_code(environment: Environment) -> None:
    """Its metadata and its programs are there, and no copy of a module of it."""
    folder = Path(environment.folder)
    site = site_packages(folder, environment.python)
    assert (site / "small-1.5.dist-info" / "METADATA").exists()
    assert not (site / "small").exists()
    assert not [path for path in folder.rglob("*.py") if "small says" in path.read_text(errors="replace")]
    assert not list(folder.rglob("direct_url.json"))
    assert "small==1.5" in environment.packages


def test_what_the_installation_wrote_is_kept(environment: Environment) -> None:
    """A file that the build writes into the tree is recorded with its content."""
    assert environment.generated == ("src/small/_version.py",)
    assert (Path(environment.folder) / "generated/src/small/_version.py").read_text() == "version = '1.5'\n"
    assert environment.imports == ("src",)


def test_no_path_of_the_building_stays(environment: Environment) -> None:
    """The environment works wherever it lies: nothing that runs names the folder that it was made in."""
    for path in [*Path(environment.folder, "bin").iterdir(), *Path(environment.folder).glob("lib/*/*/*.pth")]:
        assert b"-making-" not in path.read_bytes()


def test_imports_come_from_the_workspace(environment: Environment, small: Small, backend: str) -> None:
    """Inside, the package is the tree's, its version is known, its programs run, and the environment is read-only."""
    machine = LocalMachine(environment, backend)
    ask = (
        "python -c 'import small, importlib.metadata as m; print(small.__file__, m.version(\"small\"))'; small-says; "
        "cd /; python -c 'import small'; python -I -c 'import small; small.say()'; touch $VIRTUAL_ENV/new; which python"
    )
    with machine.make_sandbox(LIMITS) as sandbox:
        sandbox.restore(Snapshot(archive=small.tree().archive(below=machine.below)))
        done = sandbox.exec(["sh", "-c", f"cd {machine.root} && {ask}"], env=machine.variables)
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("testbed/src/small/__init__.py 1.5"), done.stderr
    assert lines[1:3] == ["small says one", "small says one"]
    assert lines[3].startswith(machine.variables["VIRTUAL_ENV"])
    assert b"touch" in done.stderr


def test_packages_of_other_interpreters_are_hidden(environment: Environment, backend: str) -> None:
    """What is installed beside the interpreter, which may hold a later version of the project, is out of reach."""
    machine = LocalMachine(environment, backend)
    places = machine.options["hidden"]
    assert f"{environment.prefix}/lib/python{environment.python.rpartition('.')[0]}/site-packages" in places
    with machine.make_sandbox(LIMITS) as sandbox:
        listed = sandbox.exec(["ls", "-A", *places]).stdout.decode().split()
    assert all(word.rstrip(":") in places for word in listed)


def test_an_environment_is_built_once(
    environment: Environment, small: Small, interpreter: Interpreter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time nothing runs; other requirements or another specification are another environment."""
    monkeypatch.setattr("subprocess.run", None)
    assert build_environment(small.spec(), interpreter, small.tree(), cache) == environment
    key = environment_key(small.spec(), interpreter, small.tree())
    assert key == environment.key
    assert environment_key(small.spec(pip_packages=("a==1",)), interpreter, small.tree()) != key
    assert environment_key(small.spec(), interpreter, small.tree(**{"src/small/__init__.py": "x"})) == key
    listed = small.spec(requirements=("more.txt",))
    assert environment_key(listed, interpreter, small.tree()) != environment_key(
        listed, interpreter, small.tree(**{"more.txt": "a"})
    )


def test_a_failed_build_leaves_a_log(small: Small, interpreter: Interpreter, tmp_path: Path) -> None:
    """A package that cannot be had is told with pip's own words, and of the building nothing but its log stays."""
    spec = small.spec(pip_packages=("no-such-distribution==1.0",))
    with pytest.raises(InfraError, match=r"owner/small 1.5 on Python .* could not be built: .*no-such-distribution"):
        build_environment(spec, interpreter, small.tree(), tmp_path)
    key = environment_key(spec, interpreter, small.tree())
    assert sorted(path.name for path in (tmp_path / "environments").iterdir()) == [f".{key}.lock", f"{key}.log"]


@pytest.mark.parametrize(
    ("spec", "tree", "told"),
    [
        ({}, {"backend.py": "Root-Is-Purelib: false"}, "not pure Python"),
        ({"distribution": "other"}, {}, "installed no distribution other"),
        ({"generates": ("no/such.py",)}, {}, "did not write no/such.py"),
        ({}, {"pyproject.toml": "[build-system"}, "malformed"),
        ({"requirements": ("a.txt", "b.txt")}, {}, "lists its requirements in a.txt or b.txt"),
    ],
    ids=["compiled", "name", "generated", "pyproject", "requirements"],
)
def test_what_cannot_be_built_is_said(
    small: Small, interpreter: Interpreter, tmp_path: Path, spec: dict[str, object], tree: dict[str, str], told: str
) -> None:
    """Each thing that a project is not, and would have to be, is told in one sentence."""
    if "backend.py" in tree:
        source = small.tree().text("backend.py")
        tree = {"backend.py": source.replace("Root-Is-Purelib: true", tree["backend.py"])}
    with pytest.raises(InfraError, match=told):
        build_environment(small.spec(**spec), interpreter, small.tree(**tree), tmp_path)


def test_requirements_come_from_the_repositorys_files(small: Small) -> None:
    """Files that are included count, options and the project itself do not, nor what is to be left out."""
    files = {
        "requirements/a.txt": "-r b.txt\n# a comment\n-e .\nPyLibMC>=1; sys_platform != 'x'\nSmall==1\nc==1  # why\n",
        "requirements/b.txt": "--index-url x\n-r a.txt\nd[x]==2 \\\n    --hash=sha256:00\nc==1\n",
    }
    tree = small.tree(**files)
    spec = small.spec(requirements=("no.txt", "requirements/a.txt"), leave_out=("pylibmc",))
    assert requirements_of(spec, tree) == ["d[x]==2", "c==1"]
    assert requirements_of(small.spec(), tree) == []


def test_a_tree_is_edited_for_the_installation_alone(small: Small, interpreter: Interpreter, tmp_path: Path) -> None:
    """What is installed follows the edit; a package that is not as it is known is said."""
    edit = Edit(path="backend.py", find='"[console_scripts]', put='"[others]')
    spec = small.spec(build_edits=(edit,))
    built = build_environment(spec, interpreter, small.tree(), tmp_path)
    assert not (Path(built.folder) / "bin" / "small-says").exists()
    unknown = small.spec(package_edits=(Edit(path="pip/__init__.py", find="no such words", put=""),))
    with pytest.raises(InfraError, match=r"pip/__init__\.py of the packages of owner/small .* is not as it is known"):
        build_environment(unknown, interpreter, small.tree(), tmp_path)
    known = small.spec(package_edits=(Edit(path="pip/__init__.py", find="__version__", put="__edition__"),))
    built = build_environment(known, interpreter, small.tree(), tmp_path)
    assert "__edition__" in (site_packages(Path(built.folder), built.python) / "pip" / "__init__.py").read_text()
