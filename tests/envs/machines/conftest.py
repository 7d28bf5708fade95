"""Small repositories that need no network: a project with a build backend of its own, and clones of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bai.envs.machines.specs import Spec
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox import SANDBOXES
from bai.envs.tasks.repair import RepairTask, TestRun

BACKEND = '''
"""Builds a wheel of the package in src, and writes a file of its own into the tree."""
import pathlib, zipfile

INFO = "small-1.5.dist-info"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    pathlib.Path("src/small/_version.py").write_text("version = '1.5'\\n")
    name = "small-1.5-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        for path in sorted(pathlib.Path("src").rglob("*.py")):
            wheel.write(path, path.relative_to("src"))
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1.5\\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: PURE\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/entry_points.txt", "[console_scripts]\\nsmall-says = small:say\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return name
'''
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def small_tree(**changes: str | None) -> Tree:
    """The project's files, some changed."""
    files: dict[str, str | None] = {
        "backend.py": BACKEND.replace("PURE", "true"),
        "pyproject.toml": PYPROJECT,
        "src/small/__init__.py": "def say():\n    print('small says one')\n",
        "tests/test_small.py": "import small\n\ndef test_it():\n    assert small.say() is None\n",
        "more.txt": "",
        **changes,
    }
    return Tree({path: Entry(data=text.encode()) for path, text in files.items() if text is not None})


def small_spec(**changes: Any) -> Spec:
    """What it needs: nothing."""
    fields: dict[str, Any] = {
        "repo": "owner/small",
        "version": "1.5",
        "distribution": "small",
        "python": "3.11",
        "install": "python -m pip install -e .",
        "test_command": "python -m pytest",
        "log_parser": "parse_log_pytest",
        "generates": ("src/small/_version.py",),
    }
    return Spec(**{**fields, **changes})


def small_task(**changes: Any) -> RepairTask:
    fields: dict[str, Any] = {
        "task_id": "small-1",
        "prompt": "",
        "repo": "owner/small",
        "base_commit": "0" * 40,
        "version": "1.5",
        "problem_statement": "",
        "patch": "",
        "test_patch": "",
        "fail_to_pass": (),
        "pass_to_pass": (),
        "log_parser": "parse_log_pytest",
        "run": TestRun(command="python -m pytest", targets=()),
    }
    return RepairTask(**{**fields, **changes})


@pytest.fixture(autouse=True)
def _no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps pip from the network: whatever these tests install is on this machine."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the tests of a run share, so that what is the same is made once."""
    return tmp_path_factory.mktemp("cache").resolve()


@pytest.fixture(params=["process", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend without a daemon that works here."""
    if (reason := SANDBOXES[request.param].unavailable_reason()) is not None:
        pytest.skip(f"the {request.param} sandbox cannot work here: {reason}")
    return str(request.param)


@pytest.fixture
def docker(docker_engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a Docker engine that has the project's image; the environment names it."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine)
    if (reason := SANDBOXES["docker"].unavailable_reason()) is not None:
        pytest.skip(f"the docker sandbox cannot work here: {reason}")
    yield docker_engine


class Small:
    """The project: its files, its specification, and tasks of it, with changes."""

    tree = staticmethod(small_tree)
    spec = staticmethod(small_spec)
    task = staticmethod(small_task)


@pytest.fixture
def small() -> Small:
    return Small()


class Repository:
    """A repository of two commits, made with the git of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", "--template=")
        self.first = self.commit({"f": "one\n", "crlf.txt": "a\r\nb\r\n", ".gitattributes": ATTRIBUTES, "gone": "x\n"})
        self.second = self.commit({"f": "two\n"})

    def git(self, *arguments: str) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **{f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.folder / name).write_bytes(text.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a commit")
        return self.git("rev-parse", "HEAD")


ATTRIBUTES = "gone export-ignore\nf export-subst\n"


@pytest.fixture
def needs_git() -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git, which is not installed here")


@pytest.fixture
def repository(tmp_path: Path, needs_git: None) -> Repository:
    """A clone named as SWE-bench's images name theirs."""
    return Repository(tmp_path / "repos" / "owner__name")
