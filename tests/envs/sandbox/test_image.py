"""The image of Docker sandboxes: its name, its base, building it, and the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bai.cli.app import app
from bai.envs.sandbox import DockerSandbox, image, image_base
from bai.envs.sandbox.docker_engine import connect
from bai.envs.sandbox.image import build_image, default_image
from bai.envs.sandbox.image_base import Archive, archives, find_archive, make_base
from bai.errors import SandboxDied, SandboxUnavailable

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "docker-engine"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the recipe, used in its place."""
    copy = tmp_path / "recipe"
    shutil.copytree(image.recipe(), copy)
    monkeypatch.setattr(image, "recipe", lambda: copy)
    default_image.cache_clear()
    yield copy
    default_image.cache_clear()


def test_the_name_follows_the_recipe(recipe: Path) -> None:
    """The same recipe gives the same name; any change of any of its files gives another."""
    names = [default_image()]
    for change in ("RUN true\n", "# a remark\n"):
        with (recipe / "Dockerfile").open("a") as file:
            file.write(change)
        default_image.cache_clear()
        names.append(default_image())
    (recipe / "packages.txt").write_text("python3\n")
    default_image.cache_clear()
    names.append(default_image())
    assert len(set(names)) == 4 and all(name.startswith("bai-sandbox:") for name in names)


def test_the_recipe_goes_with_the_package() -> None:
    """The recipe that is installed with the package is the project's own, and names what it needs."""
    assert (image.recipe() / "Dockerfile").read_bytes() == (ROOT / "docker" / "Dockerfile").read_bytes()
    assert {"git", "python3", "python3-numpy"} <= set(image.packages())


LINES = """
# deb http://remark/debian bookworm main
deb http://first/debian trixie main contrib
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://second/debian bookworm main
deb-src http://source/debian bookworm main
deb http://flat/repository ./
deb
"""
PARAGRAPHS = """
Types: deb deb-src
# a remark
URIs: http://third/debian
Suites: bookworm bookworm-updates
Components: main non-free
Signed-By: /usr/share/keyrings/x.gpg

Enabled: no
Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source/debian
Suites: bookworm
Components: main
"""


def test_apts_settings_are_read_in_both_forms(tmp_path: Path) -> None:
    """Lines with and without options, paragraphs; no remarks, no sources of source code, nothing switched off."""
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(PARAGRAPHS)
    assert list(archives(tmp_path)) == [
        Archive("http://first/debian", ("trixie",), ("main", "contrib")),
        Archive("http://second/debian", ("bookworm",), ("main",)),
        Archive("http://flat/repository", ("./",), ()),
        Archive("http://third/debian", ("bookworm", "bookworm-updates"), ("main", "non-free")),
    ]
    assert find_archive("bookworm", tmp_path) == "http://second/debian"
    assert find_archive("sid", tmp_path) == ""


def test_without_settings_there_is_no_archive(tmp_path: Path) -> None:
    """A machine without apt has none."""
    assert find_archive("bookworm", tmp_path) == ""


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("_debian_suite", lambda: "", "runs no Debian"),
        ("find_archive", lambda suite: "", "no archive of bookworm"),
        ("shutil.which", lambda name: None, "run: apt-get install debootstrap"),
        ("os.geteuid", lambda: 1000, "needs root"),
    ],
)
def test_a_base_that_cannot_be_made_says_why(
    part: str, value: Any, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each thing that is missing is named, with the command where there is one."""
    monkeypatch.setattr(image_base, "_debian_suite", lambda: "bookworm")
    monkeypatch.setattr("bai.envs.sandbox.image_base.shutil.which", lambda name: "/usr/sbin/debootstrap")
    monkeypatch.setattr("bai.envs.sandbox.image_base.os.geteuid", lambda: 0)
    monkeypatch.setattr(f"bai.envs.sandbox.image_base.{part}", value)
    with pytest.raises(SandboxUnavailable, match=told):
        make_base(None, "base:x", ["python3"], lambda line: None)


@pytest.mark.root
def test_a_failing_debootstrap_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said last is in the message, and nothing of it is left."""
    if os.geteuid() or shutil.which("debootstrap") is None:
        pytest.skip("needs root and debootstrap")
    monkeypatch.setattr(image_base, "_debian_suite", lambda: "no-such-suite")
    monkeypatch.setattr(image_base, "find_archive", lambda suite: "http://127.0.0.1:9/nothing")
    said: list[str] = []
    with pytest.raises(SandboxUnavailable, match="debootstrap failed"):
        make_base(None, "base:x", ["python3"], said.append)
    assert said and not list(Path("/tmp").glob("bai-image-*/root/proc/*"))


@pytest.mark.docker
def test_an_image_that_is_there_is_not_built(docker_engine: str) -> None:
    """Building again does nothing, and says so."""
    assert default_image() in str(build_image(url=docker_engine))
    built = build_image(url=docker_engine)
    assert not built.built and built.size_bytes > 10**7 and built.engine == docker_engine


@pytest.mark.docker
def test_a_changed_recipe_is_built_and_works(docker_engine: str, recipe: Path) -> None:
    """A new recipe gives a new image beside the old one, on the base that is there, with progress."""
    with (recipe / "Dockerfile").open("a") as file:
        file.write('ENV CHANGED="yes"\n')
    default_image.cache_clear()
    told: list[str] = []
    built = build_image(url=docker_engine, tell=told.append)
    try:
        assert built.built and built.image == default_image() and built.base and built.origin is not None
        assert any(line.startswith("Step 1/") for line in told)
        with DockerSandbox(image=built.image, url=docker_engine) as sandbox:
            assert sandbox.run_python("import os, numpy; print(os.environ['CHANGED'])").stdout == b"yes\n"
    finally:
        with connect(docker_engine) as client:
            client.remove_image(built.image, force=True)


@pytest.mark.docker
def test_a_recipe_that_fails_is_told(docker_engine: str, recipe: Path) -> None:
    """The engine's own words arrive, and no image of that name is left."""
    with (recipe / "Dockerfile").open("a") as file:
        file.write("RUN echo broken && false\n")
    default_image.cache_clear()
    with pytest.raises(SandboxDied, match="non-zero code"):
        build_image(url=docker_engine)
    with connect(docker_engine) as client:
        assert not client.images(default_image())


@pytest.mark.docker
def test_the_command_says_what_it_did(docker_engine: str) -> None:
    """``bai sandbox build`` in words and as JSON."""
    runner = CliRunner()
    words = runner.invoke(app, ["sandbox", "build", "--url", docker_engine])
    assert words.exit_code == 0 and default_image() in words.stdout and "there already" in words.stdout
    result = runner.invoke(app, ["sandbox", "build", "--url", docker_engine, "--json"])
    read = json.loads(result.stdout)
    assert read["image"] == default_image() and read["built"] is False and read["engine"] == docker_engine


def _script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", **environment}
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False, env=variables)


def test_the_engines_script_explains_itself() -> None:
    """Without a verb it says how it is used."""
    done = _script()
    assert done.returncode == 2 and "docker-engine start" in done.stderr


def test_the_engines_script_touches_nothing_of_others(tmp_path: Path) -> None:
    """It starts nothing in a folder that holds something, and stops nothing that it didn't start."""
    (tmp_path / "mine").write_text("mine")
    for verb in ("start", "stop"):
        done = _script(verb, str(tmp_path))
        assert done.returncode == 1 and done.stderr
    # A file that names some other process is no engine of ours.
    (tmp_path / "dockerd.pid").write_text(str(os.getpid()))
    assert _script("stop", str(tmp_path)).returncode == 1
    assert _script("status", str(tmp_path)).returncode == 1
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.root
def test_a_folder_whose_name_is_too_long_is_refused(as_root: None, tmp_path: Path) -> None:
    """Names of sockets are bounded; said before anything starts."""
    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed; run: apt-get install docker.io")
    assert "too long" in _script("start", str(tmp_path / ("x" * 80))).stderr


@pytest.mark.root
@pytest.mark.docker
def test_an_engine_of_ones_own_starts_and_stops(docker_engine: str, as_root: None) -> None:
    """It answers, is described, holds sandboxes' limits, and leaves no process, mount or file."""
    from bai.envs.sandbox.docker_engine import why_no_engine

    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed; run: apt-get install docker.io")
    # A short name: those of sockets are bounded.
    folder = Path(tempfile.mkdtemp(), "engine")
    started = _script("start", str(folder))
    assert started.returncode == 0, started.stderr
    url = started.stdout.strip().removeprefix("DOCKER_HOST=")
    try:
        assert url == f"unix://{folder}/docker.sock" and why_no_engine(url) is None
        again = _script("start", str(folder))
        assert again.stdout == started.stdout and "already" in again.stderr
        assert str(folder) in _script("status", str(folder)).stdout
        with pytest.raises(SandboxUnavailable, match="run: bai sandbox build"):
            DockerSandbox(url=url).start()
    finally:
        stopped = _script("stop", str(folder))
    assert stopped.returncode == 0 and not folder.exists()
    folder.parent.rmdir()
    assert str(folder) not in Path("/proc/mounts").read_text()
    assert _script("status", str(folder)).returncode == 1
