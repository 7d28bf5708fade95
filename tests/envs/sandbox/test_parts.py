"""The small parts: uid leases, the system call filter, frames on the wire, the layout."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.sandbox import layout
from bai.envs.sandbox.inside import seccomp, wire
from bai.envs.sandbox.uids import GUARD_OFFSET, UidLease


@pytest.mark.root
def test_uids_are_leased_once(as_root: None) -> None:
    """No two leases hold one uid, in any process; a released one may be had again."""
    leases = [UidLease() for _ in range(20)]
    assert len({lease.uid for lease in leases}) == 20
    assert not {lease.uid for lease in leases} & {lease.guard for lease in leases}
    assert leases[0].guard == leases[0].uid + GUARD_OFFSET
    pid = os.fork()
    if pid == 0:
        os._exit(0 if UidLease().uid not in {lease.uid for lease in leases} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for lease in leases:
        lease.release()
        lease.release()


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=30))
def test_frames_survive_and_garbage_ends_them(payloads: list[bytes], garbage: bytes) -> None:
    """Whole frames of this request are read; what follows them, whatever it is, adds none that is not there."""
    data = b"".join(wire.FRAME.pack(7, len(payload)) + payload for payload in payloads)
    assert list(wire.frames(data, 7)) == payloads
    assert list(wire.frames(data, 8)) == []
    assert list(wire.frames(data + garbage, 7))[: len(payloads)] == payloads


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_well_formed(machine: str) -> None:
    """Every jump of the filter lands inside it, and its last instruction allows."""
    program = seccomp.build_filter(machine)
    assert program is not None and len(program) % 8 == 0
    steps = list(struct.iter_unpack("=HBBI", program))
    for place, (code, if_true, if_false, _) in enumerate(steps):
        if code & 0x07 == 0x05:
            assert place + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1] == (0x06, 0, 0, 0x7FFF0000)


def test_an_unknown_machine_has_no_filter() -> None:
    """Call numbers are not guessed."""
    assert seccomp.build_filter("pdp11") is None


def test_the_layout_shows_system_and_interpreter_only() -> None:
    """Nothing of home directories, of bai or of its data is shown."""
    shown = layout.build_layout()
    sources = [Path(source) for source, _ in shown.binds]
    assert all(source.exists() for source in sources)
    assert not any(Path(__file__).resolve().is_relative_to(source) for source in sources)
    assert {source.name for source in sources if "site-packages" in source.parts} <= {"numpy", "numpy.libs"}


def test_no_package_shows_where_a_scratch_directory_hides_it() -> None:
    """A checkout under /tmp or /workspace keeps its sandboxes: packages show at a place of their own."""
    targets = [Path(target) for source, target in layout.build_layout().binds if "site-packages" in Path(source).parts]
    assert targets
    assert all(target.parent == Path(layout.PACKAGE_ROOT) for target in targets)


def test_the_environment_is_fixed() -> None:
    """Candidates' variables are a constant of the package."""
    assert layout.ENVIRONMENT["PYTHONHASHSEED"] == "0"
    assert not {"LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP"} & set(layout.ENVIRONMENT)
