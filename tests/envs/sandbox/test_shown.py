"""Directories of the host that a sandbox shows, and those that it hides."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bai
from bai.envs.sandbox import BubblewrapSandbox, Limits, ProcessSandbox, Sandbox
from bai.envs.sandbox.inside import landlock
from bai.envs.sandbox.shown import ELSEWHERE, beside, place_of
from bai.errors import ConfigError, SandboxUnavailable

OWN_ROOT = [
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("namespaces"),
]
LIMITS = Limits(wall_s=20.0)


def _make(kind: str, **options: Any) -> Sandbox:
    """A sandbox of a backend, or of one of the process backend's modes; skips where it cannot work."""
    if kind == "bubblewrap":
        if (reason := BubblewrapSandbox.unavailable_reason()) is not None:
            pytest.skip(f"the bubblewrap sandbox cannot work here: {reason}")
        return BubblewrapSandbox(limits=LIMITS, **options)
    if kind == "namespaces" and ProcessSandbox().mode != "namespaces":
        pytest.skip("this machine gives the process sandbox no namespaces")
    return ProcessSandbox(limits=LIMITS, mode=kind, **options)


@pytest.fixture(params=["/tmp", "/var/tmp"])
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory with a file, and a sibling with another, that every user may read."""
    top = Path(tempfile.mkdtemp(dir=request.param)).resolve()
    top.chmod(0o755)
    for name in ("shown", "sibling"):
        (top / name).mkdir(mode=0o755)
        (top / name / "file").write_text(f"of {name}\n")
    yield top / "shown"
    shutil.rmtree(top)


def _place(kind: str, folder: Path) -> str:
    return str(folder) if kind in ("uid", "plain") else place_of(str(folder))


def _look(sandbox: Sandbox, place: str) -> tuple[bytes, bytes]:
    """Reads the file, then tries to change what is there in every way and to read the sibling's."""
    tries = f"cat {place}/file; echo no > {place}/file; echo no > {place}/new; rm {place}/file; mv {place} {place}2"
    done = sandbox.exec(["sh", "-c", f"{tries}; cat {place}/../sibling/file"])
    return done.stdout, done.stderr


@pytest.mark.parametrize("kind", OWN_ROOT)
def test_a_shown_directory_is_read_and_never_written(kind: str, folder: Path) -> None:
    """Its files can be read at its place inside and not changed, and what lies beside it is not there."""
    with _make(kind, shown=[str(folder)]) as sandbox:
        out, told = _look(sandbox, _place(kind, folder))
    assert out == b"of shown\n"
    assert told.count(b"\n") == 5
    assert b"sibling/file: No such file" in told
    assert [path.name for path in folder.iterdir()] == ["file"] and (folder / "file").read_text() == "of shown\n"


def test_where_the_file_system_is_the_machines_landlock_shows_it(folder: Path) -> None:
    """Without namespaces the directory lies where it lies; rules let candidates at it and not at its sibling."""
    with _make("plain", shown=[str(folder)]) as sandbox:
        out, _ = _look(sandbox, str(folder))
    assert out == (b"of shown\n" if landlock.version() else b"of shown\nof sibling\n")
    assert [path.name for path in folder.iterdir()] == ["file"] and (folder / "file").read_text() == "of shown\n"


UNDER_A_UID = """
import sys
sys.path[:0] = {paths!r}
from bai.envs.sandbox.process import ProcessSandbox
with ProcessSandbox(mode="uid", shown=[{folder!r}], hidden=[{hidden!r}]) as sandbox:
    print(sandbox.exec(["cat", {folder!r} + "/file"]).stdout)
    print(sandbox.exec(["touch", {folder!r} + "/new"]).ok, sandbox.exec(["ls", {hidden!r}]).ok)
    print(sandbox.run_python("import json; print(1)").stdout)
"""


@pytest.mark.root
def test_a_uid_of_its_own_reads_what_is_shown(folder: Path, system_python: str) -> None:
    """As root without namespaces candidates have a uid of their own: they read it, and cannot list what is hidden."""
    if os.geteuid() != 0:
        pytest.skip("needs to run as root")
    import gymnasium

    hidden = "/usr/share"
    paths = [str(Path(bai.__file__).parents[1]), str(Path(gymnasium.__file__).parents[1])]
    program = UNDER_A_UID.format(paths=paths, folder=str(folder), hidden=hidden)
    done = subprocess.run([system_python, "-B", "-c", program], capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    listed = landlock.version() == 0
    assert done.stdout == f"b'of shown\\n'\nFalse {listed}\nb'1\\n'\n"


@pytest.mark.parametrize("kind", OWN_ROOT)
def test_a_hidden_directory_is_empty(kind: str) -> None:
    """A directory that every sandbox shows can be hidden: it is empty, and nothing can be put there."""
    with _make(kind, hidden=["/usr/share"]) as sandbox:
        done = sandbox.exec(["sh", "-c", "ls /usr/share; touch /usr/share/new; ls /usr"])
    assert b"share" in done.stdout.split() and b"bin" in done.stdout.split()
    assert b"Read-only file system" in done.stderr
    assert not done.stdout.startswith(b"doc")


@pytest.mark.parametrize("kind", [*OWN_ROOT, "plain"])
def test_forks_and_canaries_show_the_same(kind: str, folder: Path) -> None:
    """A twin of a sandbox, and the canary that tells its faults apart, show what it shows."""
    with _make(kind, shown=[str(folder)]) as sandbox:
        assert sandbox.options["shown"] == (str(folder),)
        with sandbox.fork() as twin:
            assert twin.exec(["cat", f"{_place(kind, folder)}/file"]).stdout == b"of shown\n"
        canary = sandbox.make_canary()  # type: ignore[attr-defined]
        assert canary.options == sandbox.options


@pytest.mark.parametrize("kind", OWN_ROOT)
def test_a_reset_leaves_what_is_shown(kind: str, folder: Path) -> None:
    """A sandbox handed on still shows it, and its workspace is empty."""
    with _make(kind, shown=[str(folder)]) as sandbox:
        sandbox.exec(["touch", "left"])
        sandbox.reset()
        done = sandbox.exec(["sh", "-c", f"ls; cat {place_of(str(folder))}/file"])
    assert done.stdout == b"of shown\n"


def test_a_place_of_the_sandboxs_own_is_told() -> None:
    """A directory appears at its own path, or below one that nothing else uses where a sandbox has that for itself."""
    assert place_of("/opt/python") == "/opt/python"
    for taken in ("/tmp/x", "/workspace/a/b", "/dev/shm/x", "/branches", "/run", "/packages/numpy", "/run/bai/x"):
        assert place_of(taken) == f"{ELSEWHERE}{taken}"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("/usr", "sequence"),
        (3, "sequence"),
        ([3], "absolute"),
        (["usr"], "absolute"),
        (["/usr\0"], "absolute"),
        (["/no/such/directory"], "is none"),
        (["/etc/passwd"], "is none"),
        (["/"], "ordinary files"),
        (["/proc"], "ordinary files"),
        (["/sys/kernel"], "ordinary files"),
        (["/usr/../usr"], "symlinks"),
    ],
)
@pytest.mark.parametrize("option", ["shown", "hidden"])
@pytest.mark.parametrize("kind", [BubblewrapSandbox, ProcessSandbox])
def test_what_is_no_directory_is_refused(kind: type[Sandbox], option: str, value: Any, told: str) -> None:
    """A value that names no directory, or one by way of a link, is refused with what was expected."""
    with pytest.raises(ConfigError, match=f"^{option} .*{told}"):
        kind(**{option: value})


def test_a_link_is_refused(folder: Path) -> None:
    """What a link leads to may be another thing by the time that it is shown."""
    link = folder.parent / "link"
    link.symlink_to(folder)
    with pytest.raises(ConfigError, match="symlinks"):
        ProcessSandbox(shown=[str(link)])


@pytest.mark.parametrize("kind", OWN_ROOT)
def test_a_closed_or_absent_directory_is_said_at_the_start(kind: str, folder: Path) -> None:
    """A directory that the candidates' user could not read, or that is gone since, stops the start with the reason."""
    sandbox = _make(kind, shown=[str(folder)])
    folder.chmod(0o000 if os.geteuid() else 0o700)
    with pytest.raises(SandboxUnavailable, match="closed"):
        sandbox.start()
    folder.chmod(0o755)
    folder.rename(folder.parent / "elsewhere")
    with pytest.raises(SandboxUnavailable, match="cannot be shown"):
        sandbox.start()


def test_what_lies_beside_hidden_directories(tmp_path: Path) -> None:
    """Everything of a directory but the hidden ones is told, each file in exactly one of what is told."""
    for path in ("a/b/c/f", "a/b/g", "a/h", "i"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = [os.path.relpath(path, tmp_path) for path in beside(str(tmp_path), [str(tmp_path / "a/b/c")])]
    assert sorted(found) == ["a/b/g", "a/h", "i"]
    assert list(beside(str(tmp_path), ["/elsewhere"])) == [str(tmp_path)]


@pytest.mark.parametrize("kind", OWN_ROOT)
def test_links_lie_in_the_sandboxs_own_file_system(kind: str) -> None:
    """They lead where they say, into what a candidate may write; deep ones too, and forks have them."""
    links = [("/app", "/workspace/inner"), ("/opt/task/notes", "/tmp/notes")]
    with _make(kind, links=links) as sandbox:
        script = (
            "mkdir /workspace/inner /tmp/notes && cd /app && pwd && echo it > /opt/task/notes/x && cat /tmp/notes/x"
        )
        assert sandbox.exec(["sh", "-c", script]).stdout.split() == [b"/app", b"it"]
        with sandbox.fork() as fork:
            assert fork.exec(["sh", "-c", "cd /app && pwd"]).stdout == b"/app\n"


@pytest.mark.parametrize(
    "links", [[("/usr/x", "/a")], [("/workspace/x", "/a")], [("/", "/a")], [("x", "/a")], [("/x/../y", "/a")], ["/x"]]
)
def test_links_that_cannot_lie_there_are_refused(links: Any) -> None:
    """Where a sandbox or the system has something else, or where no path is plain."""
    with pytest.raises(ConfigError, match="link"):
        BubblewrapSandbox(links=links)


def test_links_take_a_file_system_of_ones_own() -> None:
    """A sandbox without one says so when it starts."""
    with pytest.raises(SandboxUnavailable, match="links need a file system"):
        ProcessSandbox(limits=LIMITS, mode="plain", links=[("/app", "/workspace/app")]).start()
