"""Faults of the machine are the machine's: each is an InfraError with its cause, and never anybody's score."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bai.envs.grading.grader import Grader
from bai.envs.sandbox import SANDBOXES, Limits, Sandbox, bubblewrap, make_sandbox, process, resident, uids, workspace
from bai.envs.sandbox.pool import SandboxPool
from bai.envs.sandbox.process import ProcessSandbox
from bai.envs.sandbox.records import MOST_BYTES
from bai.envs.tasks.coding import Case, CaseTests, CodingTask
from bai.errors import ConfigError, InfraError, SandboxDied, SandboxUnavailable

if TYPE_CHECKING:
    from conftest import Machine

ROOT = Path(__file__).resolve().parents[3]


LOCAL = ["process", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]
"""Backends whose runner is this process's child."""


def _runner(machine: Machine, sandbox: Sandbox) -> int:
    """Process id of the runner itself: the process that was started, or the innermost only child below it."""
    pid = machine.first(sandbox)
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _kill(machine: Machine, sandbox: Sandbox) -> None:
    os.kill(machine.first(sandbox), signal.SIGKILL)
    while sandbox.alive:
        time.sleep(0.001)


# A runner that is gone.


@pytest.mark.parametrize("work", ["exec", "run_python", "load", "read", "write", "snapshot", "fork"])
def test_a_runner_that_died_idle_is_never_silently_replaced(backend: str, work: str, machine: Machine) -> None:
    """With a runner the workspace is lost: to go on in an empty one would make a good program fail."""
    tries = {
        "exec": lambda s: s.exec(["cat", "f"]),
        "run_python": lambda s: s.run_python("print(open('f').read())"),
        "load": lambda s: s.load("open('f')"),
        "read": lambda s: s.read("f"),
        "write": lambda s: s.write("g", b""),
        "snapshot": lambda s: s.snapshot(),
        "fork": lambda s: s.fork(),
    }
    with make_sandbox(backend) as sandbox:
        sandbox.write("f", b"1")
        assert sandbox.run_python("print(open('f').read())").stdout == b"1\n"
        _kill(machine, sandbox)
        with pytest.raises(SandboxDied, match="died while nothing ran in it, and its workspace is lost"):
            tries[work](sandbox)
        assert sandbox.run_python("print(2)").stdout == b"2\n"


def test_an_empty_sandbox_may_lose_its_runner(backend: str, machine: Machine) -> None:
    """Where nothing was lost with the runner, a new one takes its place without a word."""
    with make_sandbox(backend) as sandbox:
        for _ in range(3):
            _kill(machine, sandbox)
            assert sandbox.run_python("print(1)").stdout == b"1\n"
            sandbox.reset()
        _kill(machine, sandbox)
        sandbox.reset()
        assert sandbox.run_python("print(1)").stdout == b"1\n"


def test_a_runner_that_dies_while_a_module_waits_is_the_modules_crash(backend: str, machine: Machine) -> None:
    """A module's own threads could have killed it: with a good program living, the call has crashed."""
    with make_sandbox(backend) as sandbox, sandbox.load("def f(): return 1") as module:
        assert module.call("f").value == 1
        _kill(machine, sandbox)
        assert module.call("f").status == "crashed"
        assert sandbox.run_python("print(1)").stdout == b"1\n"


def test_a_module_of_a_dead_runner_can_be_closed(backend: str, machine: Machine) -> None:
    """Closing asks for no more than that the process be gone."""
    with make_sandbox(backend) as sandbox:
        module = sandbox.load("x = 1")
        os.kill(_runner(machine, sandbox), signal.SIGKILL)
        module.close()


def test_a_dead_runner_is_never_a_module_of_the_next(backend: str, machine: Machine) -> None:
    """A module loaded before its runner died answers for nobody after the next one has started."""
    with make_sandbox(backend) as sandbox:
        old = sandbox.load("def f(): return 'old'")
        _kill(machine, sandbox)
        assert old.call("f").status == "crashed"
        with sandbox.load("def f(): return 'new'") as new:
            assert new.call("f").value == "new"
            assert old.call("f").status == "crashed"


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.slow
def test_a_stopped_runner_is_given_up(
    backend: str, fresh: bool, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """A runner that no longer answers is ended: a fresh sandbox's program runs again, a used one's is late."""
    monkeypatch.setattr(resident, "GRACE_S", 0.5)
    with make_sandbox(backend) as sandbox:
        if not fresh:
            sandbox.run_python("open('f', 'w')")
        stopped = _runner(machine, sandbox)
        os.kill(stopped, signal.SIGSTOP)
        result = sandbox.run_python("print(1)", wall_s=0.5)
        assert (result.status, result.stdout) == (("exited", b"1\n") if fresh else ("timeout", b""))
        assert not sandbox.alive or _runner(machine, sandbox) != stopped
        assert sandbox.run_python("print(2)").stdout == b"2\n"


def test_a_stopped_runner_is_the_machines_fault_before_a_program(
    backend: str, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """Work on files that gets no answer is an InfraError that says so; the sandbox starts anew."""
    monkeypatch.setattr(resident, "GRACE_S", 0.2)
    monkeypatch.setattr(workspace, "FILE_S", 0.2)
    with make_sandbox(backend) as sandbox:
        os.kill(_runner(machine, sandbox), signal.SIGSTOP)
        with pytest.raises(SandboxDied, match="did not answer in time"):
            sandbox.write("f", b"1")
        sandbox.write("f", b"2")
        assert sandbox.read("f") == b"2"


SABOTAGE = "import os\nos.chmod('.', 0)"


@pytest.mark.root
@pytest.mark.parametrize("mode", ["plain", "namespaces"])
def test_no_program_obtains_a_fault_for_the_next_one(mode: str, as_root: None) -> None:
    """As an ordinary user a program can lock its own workspace: what cannot start then is no fault of the machine."""
    program = (
        "from bai.envs.sandbox.process import ProcessSandbox\n"
        f"with ProcessSandbox(mode={mode!r}) as sandbox:\n"
        f"    assert sandbox.run_python({SABOTAGE!r}).ok\n"
        "    print(sandbox.run_python('print(1)').status)\n"
        "    print(sandbox.run_python('print(1)').status)\n"
    )
    said = _as_ordinary_user(program)
    assert said.split()[-1] == "exited" and set(said.split()) <= {"exited", "crashed"}


# Good and bad answers while something kills runners.

RIGHT = "import time\ndef double(x):\n    time.sleep(0.008)\n    return 2 * x"
ANSWERS = {
    RIGHT: "passed",
    "def double(x): return x": "failed",
    "import os\ndef double(x): os._exit(0)": "crashed",
    "import os, signal\ndef double(x): os.killpg(0, signal.SIGKILL)": "crashed",
}
TASK = CodingTask(
    task_id="double",
    prompt="Write double(x): twice x.",
    entry_point="double",
    hidden=CaseTests(cases=tuple(Case(args=(n,), expected=2 * n) for n in range(10))),
    reference=RIGHT,
)


class Grading(threading.Thread):
    """Grades answers one after the other in a sandbox of its own, and notes each verdict."""

    def __init__(self, backend: str, count: int, seed: int) -> None:
        super().__init__()
        self.pool = SandboxPool(backend, Limits(wall_s=20.0, memory_bytes=256 << 20), size=1, spare=0)
        self.count, self.draw = count, random.Random(seed)
        self.attempt = 0
        self.verdicts: list[tuple[str, str]] = []

    def run(self) -> None:
        grader = Grader(self.pool, wall_s=20.0)
        for _ in range(self.count):
            answer = self.draw.choice(list(ANSWERS))
            self.attempt += 1
            try:
                self.verdicts.append((answer, grader.grade(TASK, answer).status))
            except InfraError:
                self.verdicts.append((answer, "infra_error"))

    def lose_runner(self, machine: Machine) -> bool:
        """Kills the runner that this thread's sandbox has just now, if any."""
        for sandbox in (*self.pool._out, *self.pool._idle):
            if sandbox.alive:
                with contextlib.suppress(ProcessLookupError, AttributeError, InfraError):
                    os.kill(machine.first(sandbox), signal.SIGKILL)
                    return True
        return False


@pytest.mark.slow
def test_verdicts_stay_right_while_runners_are_killed(backend: str, machine: Machine) -> None:
    """Whatever the moment at which something kills an answer's runner, its verdict is right, or there is none."""
    threads = [Grading(backend, 15, seed) for seed in range(3)]
    draw, killed = random.Random(0), dict.fromkeys(threads, 0)
    for thread in threads:
        thread.start()
    kills = 0
    while any(thread.is_alive() for thread in threads):
        thread = draw.choice(threads)
        attempt = thread.attempt
        time.sleep(draw.uniform(0.0, 0.05))
        # Once an attempt: a program whose runner dies twice under it cannot be told from one that kills it.
        if thread.attempt == attempt != killed[thread] and thread.lose_runner(machine):
            killed[thread], kills = thread.attempt, kills + 1
    for thread in threads:
        thread.join()
        thread.pool.close()
    verdicts = [verdict for thread in threads for verdict in thread.verdicts]
    assert [(answer, status) for answer, status in verdicts if status not in (ANSWERS[answer], "infra_error")] == []
    assert len(verdicts) == 45 and kills >= 3
    assert sum(status == "infra_error" for _, status in verdicts) < 20


# A machine that has run out of something.


@pytest.mark.root
@pytest.mark.parametrize("backend", LOCAL, indirect=True)
def test_running_out_of_user_ids_is_said(backend: str, as_root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """When other sandboxes hold every user id, a new one is unavailable, and works once one is given back."""
    monkeypatch.setattr(uids, "COUNT", 2)
    # Beyond those that sandboxes of other processes take.
    monkeypatch.setattr(uids, "FIRST_UID", 40_000)
    with make_sandbox(backend) as one, make_sandbox(backend) as two:
        third = make_sandbox(backend)
        with pytest.raises(SandboxUnavailable, match="all 2 sandbox user ids are taken"):
            third.run_python("print(1)")
        assert one.run_python("print(1)").ok
        two.close()
        assert third.run_python("print(1)").ok
        third.close()


def test_bwrap_gone_after_it_was_found_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that was there when it was looked for and is not any more is named."""
    if SANDBOXES["bubblewrap"].unavailable_reason() is not None:
        pytest.skip("the bubblewrap sandbox cannot work here")
    sandbox = make_sandbox("bubblewrap")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(InfraError, match="bwrap"):
            sandbox.run_python("print(1)")
    assert sandbox.run_python("print(1)").ok
    sandbox.close()


def _as_ordinary_user(program: str, before: str = "") -> str:
    """Runs a program as a user that nobody else is, where the system's Python is the version under test."""
    python = "/usr/bin/python3"
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
    if version.stdout.strip() != str(sys.version_info[:2]):
        pytest.skip(f"needs {python} of the version under test, which an ordinary user may run")
    import gymnasium

    paths = [str(ROOT), str(Path(gymnasium.__file__).parents[1])]
    become = (
        f"import os, resource, sys\nsys.path[:0] = {paths!r}\n{before}\n"
        "os.setgroups([]); os.setresgid(64999, 64999, 64999); os.setresuid(64999, 64999, 64999)\n"
        "os.environ['HOME'] = '/tmp'\n"
    )
    done = subprocess.run([python, "-B", "-c", become + program], capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


FAULTY = """
from bai.errors import InfraError
from bai.envs.sandbox.process import ProcessSandbox
sandbox = ProcessSandbox(mode={mode!r})
{break_it}
try:
    result = sandbox.run_python("print(1)")
except InfraError as error:
    print(type(error).__name__, error)
else:
    print(result)
{mend_it}
print(sandbox.run_python("print(1)").stdout)
sandbox.close()
"""


@pytest.mark.root
@pytest.mark.parametrize(("mode", "started"), [("plain", False), ("plain", True), ("namespaces", False)])
def test_a_user_without_processes_left_gets_the_cause(mode: str, started: bool, as_root: None) -> None:
    """Where the user may start no more processes, that is said, before starting and after; then it goes on."""
    # A started runner is a process of its own, with limits of its own.
    start, whose = ("sandbox.start()", "int(sandbox._channel.pid)") if started else ("", "0")
    break_it = f"{start}\nold = resource.prlimit({whose}, resource.RLIMIT_NPROC)\n"
    break_it += f"resource.prlimit({whose}, resource.RLIMIT_NPROC, (0, old[1]))"
    mend_it = f"resource.prlimit({whose}, resource.RLIMIT_NPROC, old)"
    said = _as_ordinary_user(FAULTY.format(mode=mode, break_it=break_it, mend_it=mend_it))
    cause = "Resource temporarily unavailable" if started else "can't start new thread"
    assert said.startswith("SandboxDied") and cause in said
    assert said.endswith("b'1\\n'\n")


FULL = """
set -e
mount -t tmpfs -o size=64k,nr_inodes=16 tmpfs {place}
head -c 64k /dev/zero > {place}/full 2>/dev/null || true
i=0; while touch {place}/n$i 2>/dev/null; do i=$((i+1)); done
exec {python} -c "$PROGRAM"
"""


def _where_full(place: str, program: str) -> str:
    """Runs a program where a directory is a file system that is full, in a mount name space of its own."""
    script = FULL.format(place=place, python=sys.executable)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "PROGRAM": program, "PYTHONPATH": str(ROOT), "TMPDIR": place},
        capture_output=True,
        text=True,
        cwd="/",
        timeout=120,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.root
def test_a_full_disk_under_the_workspace_is_said(as_root: None) -> None:
    """Where a workspace would lie on a disk without room, the sandbox does not start, and says why."""
    use = "import tempfile; tempfile.tempdir = '{}'"
    program = FAULTY.format(mode="plain", break_it=use.format("/mnt"), mend_it=use.format("/var/tmp"))
    said = _where_full("/mnt", program)
    assert said.startswith("SandboxDied") and "No space left on device" in said.splitlines()[0]
    assert said.endswith("b'1\\n'\n")


def test_a_disk_with_too_little_room_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a workspace lies on the host's disk, one that could not hold the disk limit is refused, later on too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    room = os.statvfs(tmp_path)
    if room.f_bavail * room.f_frsize >= MOST_BYTES:
        pytest.skip("this disk has room for the largest disk limit")
    much = Limits(disk_bytes=min(MOST_BYTES, 2 * room.f_blocks * room.f_frsize))
    with pytest.raises(SandboxDied, match=f"no room for its workspace: {tmp_path} has [0-9]+ bytes left"):
        ProcessSandbox(limits=much, mode="plain").start()
    with ProcessSandbox(mode="plain") as sandbox:
        sandbox.limits = much
        with pytest.raises(SandboxDied, match="no room for its workspace"):
            sandbox.reset()


@pytest.mark.root
@pytest.mark.parametrize("mode", ["namespaces", "bubblewrap"])
def test_a_full_shared_memory_of_the_host_matters_to_nobody(mode: str, as_root: None) -> None:
    """A sandbox has memory of its own under /dev/shm."""
    kind = "BubblewrapSandbox()" if mode == "bubblewrap" else "ProcessSandbox(mode='namespaces')"
    if mode == "bubblewrap" and SANDBOXES["bubblewrap"].unavailable_reason() is not None:
        pytest.skip("the bubblewrap sandbox cannot work here")
    program = (
        "from bai.envs.sandbox import BubblewrapSandbox, ProcessSandbox\n"
        f"with {kind} as sandbox:\n"
        "    print(sandbox.run_python(\"open('/dev/shm/x', 'wb').write(bytes(1 << 20)); print(1)\").stdout)"
    )
    assert _where_full("/dev/shm", program) == "b'1\\n'\n"


@pytest.mark.parametrize("backend", LOCAL, indirect=True)
def test_a_process_without_threads_left_gets_the_cause(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started to start sandboxes from, that is an InfraError too."""
    from bai.envs.sandbox import channel

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sandbox = make_sandbox(backend)
    with monkeypatch.context() as patch:
        patch.setattr(channel, "_launcher", None)
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(InfraError, match="can't start new thread"):
            sandbox.start()
    assert sandbox.run_python("print(1)").ok
    sandbox.close()


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Takes all descriptors but a few of this process away."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    # The limit is on numbers, and other tests may have left gaps below the highest.
    free = [number for number in range(len(taken) + 4) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[3], hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_without_descriptors_left_gets_the_cause(backend: str, request: pytest.FixtureRequest) -> None:
    """Where no pipe can be made, that is said, and nothing of the attempt is left open."""
    sandbox = make_sandbox(backend)
    sandbox.start()
    sandbox.close()
    # What other tests left to be collected is closed now, not while this one counts.
    gc.collect()
    before = _open_files()
    request.getfixturevalue("few_descriptors")
    with pytest.raises(InfraError, match="Too many open files"):
        sandbox.run_python("print(1)")
    assert _open_files() == before


def test_what_cannot_be_tried_now_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is out of processes while backends are looked for does not get a weaker sandbox for good."""
    caches = (bubblewrap.probe, process._best_mode, uids.can_change_uid)
    names = [name for name in ("bubblewrap", "process") if SANDBOXES[name].unavailable_reason() is None]
    mode = ProcessSandbox().mode

    def refuse(*args: object, **options: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    for cache in caches:
        cache.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        for name in names:
            assert "temporarily unavailable" in str(SANDBOXES[name].unavailable_reason())
        with pytest.raises(SandboxUnavailable, match="temporarily unavailable"):
            make_sandbox("auto")
    assert [name for name in names if SANDBOXES[name].unavailable_reason() is None] == names
    assert ProcessSandbox().mode == mode


def test_an_unknown_mode_is_refused() -> None:
    """A mode that does not exist is refused with those that do."""
    with pytest.raises(ConfigError, match="namespaces"):
        ProcessSandbox(mode="strong")
