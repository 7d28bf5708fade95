"""The workspace from outside: reading, writing, snapshots, and paths that want to lead elsewhere."""

from __future__ import annotations

import io
import tarfile

import pytest

from bai.envs.sandbox import Sandbox, Snapshot
from bai.errors import ConfigError

MIB = 1024 * 1024


def test_files_go_in_and_out(sandbox: Sandbox) -> None:
    """Any bytes, in directories made on the way; candidates see and change the same files."""
    data = bytes(range(256)) * 4000
    sandbox.write("a/b/c.bin", data)
    assert sandbox.read("a/b/c.bin") == data
    assert sandbox.run_python("print(len(open('a/b/c.bin', 'rb').read())); open('a/b/c.bin', 'w').write('new')").ok
    assert sandbox.read("a/b/c.bin") == b"new"
    sandbox.write("a/b/c.bin", b"")
    assert sandbox.read("./a/b/c.bin") == b""


def test_modules_and_data_can_be_imported_from_the_workspace(sandbox: Sandbox) -> None:
    """A script and a module find what lies in the workspace."""
    sandbox.write("helper.py", b"x = 5")
    assert sandbox.run_python("import helper; print(helper.x)").stdout == b"5\n"
    with sandbox.load("from helper import x\ndef f(): return x") as module:
        assert module.call("f").value == 5


@pytest.mark.parametrize("path", ["/etc/hostname", "../x", "a/../../x", "", "a\0b", "a/..", 5])
def test_paths_that_leave_the_workspace_are_refused(sandbox: Sandbox, path: str) -> None:
    """Absolute paths, ``..`` and nonsense are the caller's fault."""
    with pytest.raises(ConfigError):
        sandbox.read(path)
    with pytest.raises(ConfigError):
        sandbox.write(path, b"x")


@pytest.mark.parametrize(
    "plant",
    [
        "os.symlink('/etc/ld.so.cache', 'x')",
        "os.symlink('/proc/self/environ', 'x')",
        "os.symlink('..', 'd'); os.symlink('d/etc/ld.so.cache', 'x')",
        "os.symlink('x', 'x')",
        "os.mkfifo('x')",
        "os.mkdir('x')",
        "import socket; socket.socket(socket.AF_UNIX).bind('x')",
        "open('x', 'w').close(); os.chmod('x', 0)",
    ],
)
def test_planted_traps_are_refused(sandbox: Sandbox, plant: str) -> None:
    """Symlinks out of the workspace, pipes that never answer, directories: refused at once, both ways."""
    assert sandbox.run_python(f"import os\n{plant}").ok
    with pytest.raises(ConfigError):
        sandbox.read("x")
    with pytest.raises(ConfigError):
        sandbox.write("x", b"y")


def test_a_directory_behind_a_symlink_is_refused(sandbox: Sandbox) -> None:
    """Nor does a directory on the way lead out; one that stays inside may be followed."""
    sandbox.run_python("import os; os.symlink('/tmp', 'out'); os.mkdir('real'); os.symlink('real', 'in')")
    with pytest.raises(ConfigError):
        sandbox.write("out/x", b"y")
    sandbox.write("in/x", b"y")
    assert sandbox.read("real/x") == b"y"


def test_missing_and_large_files(sandbox: Sandbox) -> None:
    """What is not there is FileNotFoundError; what is larger than asked for is refused, not cut."""
    with pytest.raises(FileNotFoundError):
        sandbox.read("nothing")
    sandbox.write("large", bytes(MIB))
    with pytest.raises(ConfigError, match="more than"):
        sandbox.read("large", max_bytes=MIB - 1)
    assert len(sandbox.read("large", max_bytes=MIB)) == MIB


def test_a_full_disk_is_an_os_error(sandbox: Sandbox) -> None:
    """A candidate that filled the disk does not make a write the machinery's fault."""
    with pytest.raises(OSError, match=r"space|large"):
        sandbox.write("x", bytes(sandbox.limits.disk_bytes + MIB))
    assert sandbox.run_python("print(1)").ok


def test_snapshots_restore_as_often_as_wanted(sandbox: Sandbox) -> None:
    """Contents, modes, empty directories and inner symlinks come back; nothing else stays, no process either."""
    make = "import os; os.makedirs('d/e'); os.symlink('d', 'link'); open('d/f', 'w').write('1'); os.chmod('d/f', 0o755)"
    assert sandbox.run_python(make).ok
    snapshot = sandbox.snapshot()
    look = (
        "import os\n"
        "print(sorted(os.listdir('.')), os.listdir('d/e'), open('link/f').read(), oct(os.stat('d/f').st_mode))"
    )
    before = sandbox.run_python(look).stdout
    assert b"0o100755" in before
    for _ in range(2):
        with sandbox.load("def f(): return 1") as module:
            sandbox.run_python("import shutil; shutil.rmtree('d'); open('other', 'w').write('2')")
            sandbox.restore(snapshot)
            assert module.call("f").status == "crashed"
        assert sandbox.run_python(look).stdout == before
    with sandbox.fork() as twin:
        assert twin.run_python(look).stdout == before
        twin.write("d/f", b"twin")
        assert sandbox.read("d/f") == b"1"


def test_a_snapshot_leaves_traps_out(sandbox: Sandbox) -> None:
    """Symlinks that lead out, pipes and sockets are not copied."""
    sandbox.run_python(
        "import os; os.symlink('/etc', 'out'); os.mkfifo('p'); os.symlink('../..', 'up'); open('f', 'w')"
    )
    with tarfile.open(fileobj=io.BytesIO(sandbox.snapshot().archive)) as archive:
        assert archive.getnames() == ["f"]


def test_a_hostile_archive_stays_inside(sandbox: Sandbox) -> None:
    """Members with absolute or climbing names, or written through a symlink, are refused."""
    for name, link in (("../escaped", None), ("/tmp/escaped", None), ("a/b", "/tmp")):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            if link:
                member = tarfile.TarInfo("a")
                member.type, member.linkname = tarfile.SYMTYPE, link
                archive.addfile(member)
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
        if link:
            sandbox.restore(Snapshot(archive=buffer.getvalue()))
        else:
            with pytest.raises(ConfigError):
                sandbox.restore(Snapshot(archive=buffer.getvalue()))
        assert sandbox.run_python("import os; print(os.path.lexists('/tmp/escaped'), os.listdir('/tmp'))").stdout == (
            b"False []\n"
        )
        sandbox.reset()


def test_reset_empties_whatever_was_left(sandbox: Sandbox) -> None:
    """Deep trees, locked directories and odd names do not survive."""
    mess = """
import os
os.makedirs("locked/inner"); open("locked/inner/f", "w").close(); os.chmod("locked/inner", 0); os.chmod("locked", 0)
open("\\udcff\\n", "w").close()
open("/tmp/x", "w").close(); open("/dev/shm/y", "w").close()
for _ in range(2000):
    os.mkdir("d"); os.chdir("d")
os.chmod("/workspace", 0)
"""
    assert sandbox.run_python(mess).ok
    sandbox.reset()
    find = "import os; print([os.listdir(d) for d in ('/workspace', '/tmp', '/dev/shm')])"
    assert sandbox.run_python(find).stdout == b"[[], [], []]\n"
