"""Trees put into sandboxes by copying one that they show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bai.envs.machines.base import Machine
from bai.envs.machines.light import light_environment
from bai.envs.machines.local import LocalMachine
from bai.envs.repository.tree import Entry, Tree
from bai.envs.sandbox import Limits

if TYPE_CHECKING:
    from conftest import Small

LIMITS = Limits(wall_s=60.0, disk_bytes=16 << 20)
HELD = Tree(
    {
        "file": Entry(data=b"one\n"),
        "run": Entry(data=b"#!/bin/sh\n", executable=True),
        "link": Entry(data=b"file", link=True),
        "folder/a": Entry(data=b"a"),
        "folder/b/c": Entry(data=b"c"),
        "-odd\n na\xefme": Entry(data=bytes(range(256))),
    }
)
CHANGES: dict[str, dict[str, Entry | None]] = {
    "none": {},
    "changed": {"file": Entry(data=b"two\n"), "folder/a": Entry(data=b"b")},
    "new": {"new/deep/file": Entry(data=b"new"), ".git/HEAD": Entry(data=b"ref")},
    "gone": {"file": None, "folder/a": None, "folder/b/c": None, "-odd\n na\xefme": None},
    "file for a link": {"link": Entry(data=b"not through it")},
    "link for a file": {"folder/a": Entry(data=b"../file", link=True)},
    "folder for a file": {"file": None, "file/inner": Entry(data=b"x")},
    "file for a folder": {"folder/a": None, "folder/b/c": None, "folder": Entry(data=b"x")},
    "modes": {"file": Entry(data=b"one\n", executable=True), "run": Entry(data=b"#!/bin/sh\n")},
    "much": {"much": Entry(data=bytes(5 << 20))},
    "all": dict.fromkeys(HELD),
}


@pytest.fixture
def machine(cache: Path, backend: str) -> Machine:
    """A light machine that holds the tree."""
    return LocalMachine(light_environment(cache), backend).holding(HELD)


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_sandbox_is_filled_with_exactly_the_tree(
    machine: Machine, changes: dict[str, Entry | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a tree differs from the one that is held, the workspace then holds it and nothing else."""
    tree = HELD.changed(changes)
    monkeypatch.setattr("bai.envs.machines.local.MOST_CHANGED_BYTES", 4 << 20)
    with machine.make_sandbox(LIMITS) as sandbox:
        sandbox.write("left", b"by another")
        machine.fill(sandbox, tree)
        found = Tree.from_archive(sandbox.snapshot().archive)
    assert {path.removeprefix(f"{machine.below}/"): entry for path, entry in found.items()} == dict(tree)


def test_what_is_filled_can_be_changed_and_the_held_tree_cannot(machine: Machine) -> None:
    """Candidates own their copy; the next sandbox starts from the tree as it was."""
    with machine.make_sandbox(LIMITS) as sandbox:
        machine.fill(sandbox, HELD)
        done = sandbox.exec(["sh", "-c", f"cd {machine.root} && echo two > file && rm -r folder && cat file"])
        assert done.stdout == b"two\n", done.stderr
        machine.fill(sandbox, HELD)
        assert sandbox.read(f"{machine.below}/file") == b"one\n"


def test_machines_that_hold_different_trees_are_different(cache: Path, backend: str, small: Small) -> None:
    """Their sandboxes are not used in each other's place; the same tree is kept once."""
    plain = LocalMachine(light_environment(cache), backend)
    first, again, other = plain.holding(HELD), plain.holding(HELD), plain.holding(small.tree())
    assert first.key == again.key and len({plain.key, first.key, other.key}) == 3
    assert (first.root, first.below, first.variables) == (plain.root, plain.below, plain.variables)


@pytest.mark.parametrize("path", ["big", "x" * 300])
def test_what_does_not_fit_is_an_error_of_the_systems(machine: Machine, path: str) -> None:
    """A tree too large for the workspace, or with a name that no file can have, is told as restoring it would be."""
    tight = Limits(wall_s=60.0, disk_bytes=1 << 16)
    with machine.make_sandbox(tight) as sandbox, pytest.raises(OSError, match=r"No space left|too long"):
        machine.fill(sandbox, HELD.changed({path: Entry(data=bytes(1 << 20 if path == "big" else 1))}))


def test_a_script_runs_in_the_repository(machine: Machine) -> None:
    """Its streams come as one, in the order of writing, or apart."""
    script = "echo first >&2\ncat file\necho last >&2"
    with machine.make_sandbox(LIMITS) as sandbox:
        machine.fill(sandbox, HELD)
        one = sandbox.exec(machine.shell(script), env=dict(machine.variables))
        two = sandbox.exec(machine.shell(script, joined=False), env=dict(machine.variables))
    assert (one.stdout, one.stderr) == (b"first\none\nlast\n", b"")
    assert (two.stdout, two.stderr) == (b"one\n", b"first\nlast\n")
