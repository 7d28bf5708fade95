"""Limits: each holds for the whole process tree, with a typed status. No bomb here grows without end.

A check's programs must harm nothing even where no limit holds: each grows to a small
multiple of its limit and then stops by itself.
"""

from __future__ import annotations

from bai.envs.sandbox.base import MIB, ExecResult
from bai.envs.sandbox.conformance.base import Group
from bai.envs.sandbox.conformance.bench import Bench
from bai.envs.sandbox.conformance.expect import expect, expect_equal

__all__ = ["LIMITED"]

LIMITED = Group("limits")

FORKS = """
import os, time
made = 0
try:
    for _ in range({most}):
        if os.fork() == 0:
            time.sleep(10)
            os._exit(0)
        made += 1
except OSError as error:
    pass
print(made)
"""


@LIMITED.check()
def memory_of_one_process(bench: Bench) -> None:
    """A process that asks for more than the memory limit, at once or bit by bit, ends as ``memory``."""
    most = bench.sandbox.limits.memory_bytes
    for code in (
        f"x = bytearray({2 * most})",
        f"x = []\nfor _ in range({2 * most // MIB}): x.append(bytearray({MIB}))",
    ):
        expect_equal(f"the status of {code[:20]!r}", bench.sandbox.run_python(code).status, "memory")


@LIMITED.check(promise="tree_memory")
def memory_of_a_tree(bench: Bench) -> None:
    """Processes that each stay below the memory limit but together exceed it end as ``memory``."""
    each = int(0.4 * bench.sandbox.limits.memory_bytes)
    grow = f"    if os.fork() == 0: x = b'x' * {each}; time.sleep(15); os._exit(0)"
    code = f"import os, time\nfor _ in range(4):\n{grow}\ntime.sleep(15)"
    expect_equal("status", bench.sandbox.run_python(code).status, "memory")


@LIMITED.check()
def shared_memory_counts_once(bench: Bench) -> None:
    """Forks that share their parent's memory are charged for it once."""
    share = int(0.3 * bench.sandbox.limits.memory_bytes)
    code = (
        f"import os, time\nx = bytes({share})\nfor _ in range(8):\n"
        "    if os.fork() == 0: time.sleep(0.3); os._exit(0)\n"
        "for _ in range(8): os.wait()\nprint('done')"
    )
    expect_equal("a parent of eight", bench.run(code), "done\n")


@LIMITED.check()
def memory_of_a_call(bench: Bench) -> None:
    """A call that takes too much memory ends its module as ``memory``."""
    with bench.sandbox.load(f"def f(): return len(bytearray({2 * bench.sandbox.limits.memory_bytes}))") as module:
        expect_equal("the call", module.call("f").status, "memory")
        expect_equal("the call after it", module.call("f").status, "memory")


@LIMITED.check(promise="tree_memory")
def a_module_is_watched_between_calls(bench: Bench) -> None:
    """A module that grows after it has answered is ended, and its next call says why."""
    each = int(0.4 * bench.sandbox.limits.memory_bytes)
    source = (
        "import os, threading, time\ndef grow():\n    for _ in range(4):\n"
        f"        if os.fork() == 0: x = b'x' * {each}; time.sleep(15); os._exit(0)\n"
        "def f(): threading.Thread(target=grow, daemon=True).start(); return 1\ndef g(): time.sleep(10)"
    )
    with bench.sandbox.load(source) as module:
        expect_equal("the call that starts it", module.call("f").value, 1)
        expect_equal("the call after it", module.call("g").status, "memory")


@LIMITED.check(promise="tree_processes")
def processes_are_limited(bench: Bench) -> None:
    """No more processes than allowed are alive at a time, for root too."""
    most = bench.sandbox.limits.processes
    _expect_at_most(bench.sandbox.run_python(FORKS.format(most=4 * most)), most, "processes")


@LIMITED.check(promise="tree_processes")
def threads_are_limited(bench: Bench) -> None:
    """Threads count as processes."""
    most = bench.sandbox.limits.processes
    code = (
        "import threading, time\nn = 0\ntry:\n"
        f"    for _ in range({4 * most}):\n"
        "        threading.Thread(target=time.sleep, args=(10,), daemon=True).start(); n += 1\n"
        "except RuntimeError: pass\nprint(n)"
    )
    _expect_at_most(bench.sandbox.run_python(code), most, "threads")


def _expect_at_most(result: ExecResult, most: int, what: str) -> None:
    if result.status == "exited":
        expect(int(result.stdout) <= most, f"{int(result.stdout)} {what} under a limit of {most}")
    else:
        expect_equal("status", result.status, "crashed")


@LIMITED.check(promise="tree_processes")
def the_process_limit_is_its_own(bench: Bench) -> None:
    """Processes of one sandbox take nothing from another's allowance."""
    most, half = bench.sandbox.limits.processes, bench.sandbox.limits.processes // 2
    source = (
        f"import os, time\ndef f():\n    for _ in range({half}):\n"
        "        if os.fork() == 0: time.sleep(10); os._exit(0)\n    return 1"
    )
    other = bench.another()
    other.start()
    with other.load(source) as module:
        expect_equal("a module that forks", module.call("f").value, 1)
        made = int(bench.run(FORKS.format(most=most)))
    expect(made > half, f"only {made} of {most} processes while another sandbox has {half}")


@LIMITED.check()
def output_is_cut(bench: Bench) -> None:
    """Each stream keeps its first bytes up to the limit and says that there was more; the program runs on."""
    most = bench.sandbox.limits.output_bytes
    code = f"import sys\nfor s in (sys.stdout, sys.stderr): s.write('first' + 'x' * {3 * most})\nraise SystemExit(5)"
    result = bench.sandbox.run_python(code)
    expect_equal("how it ended", (result.status, result.exit_code, result.truncated), ("exited", 5, True))
    expect_equal("bytes kept", (len(result.stdout), len(result.stderr)), (most, most))
    expect(result.stdout.startswith(b"first"), "the first bytes are not those that were kept")
    whole = bench.sandbox.run_python(f"print('x' * {most - 1})")
    expect_equal("just as much as allowed", (len(whole.stdout), whole.truncated), (most, False))


@LIMITED.check()
def endless_output_meets_the_clock(bench: Bench) -> None:
    """Output without end is read and dropped until the time is over."""
    code = "import time\nend = time.time() + 15\nwhile time.time() < end: print('x' * 10000)"
    result = bench.sandbox.run_python(code, wall_s=0.3)
    expect_equal("how it ended", (result.status, result.truncated), ("timeout", True))
    expect_equal("bytes kept", len(result.stdout), bench.sandbox.limits.output_bytes)


@LIMITED.check(promise="disk_limited")
def the_disk_is_limited(bench: Bench) -> None:
    """Many files together take no more of the workspace than the disk limit."""
    most = bench.sandbox.limits.disk_bytes
    code = (
        f"import time\ntotal = 0\ntry:\n    for n in range({3 * most // MIB}):\n"
        f"        with open(f'f{{n}}', 'wb', buffering=0) as file: total += file.write(bytes({MIB}))\n"
        "except OSError: pass\nelse: time.sleep(2)\nprint(total)"
    )
    result = bench.sandbox.run_python(code)
    if result.status == "exited":
        expect(int(result.stdout) <= most, f"{int(result.stdout)} bytes were written under a limit of {most}")
    else:
        expect_equal("status", result.status, "crashed")


@LIMITED.check()
def no_file_is_larger_than_the_disk(bench: Bench) -> None:
    """No single file grows beyond the disk limit, not even a hole."""
    size = 2 * bench.sandbox.limits.disk_bytes
    for step in (f"os.truncate(fd, {size})", f"os.lseek(fd, {size}, 0); os.write(fd, b'x')"):
        result = bench.sandbox.run_python(f"import os\nfd = os.open('x', os.O_CREAT | os.O_RDWR)\n{step}")
        expect(not result.ok, f"{step} was let through")
        expect(b"OSError" in result.stderr or result.status == "crashed", f"{step} ended as {result.stderr[-200:]!r}")


@LIMITED.check()
def open_files_are_limited(bench: Bench) -> None:
    """A process holds no more descriptors than allowed."""
    most = bench.sandbox.limits.open_files
    code = (
        f"x = []\ntry:\n    for _ in range({2 * most}): x.append(open('/dev/null'))\n"
        "except OSError: pass\nprint(len(x))"
    )
    opened = int(bench.run(code))
    expect(opened <= most, f"{opened} files under a limit of {most}")


@LIMITED.check()
def limits_cannot_be_raised(bench: Bench) -> None:
    """A process cannot lift its own limits."""
    code = (
        "import resource as r\nfor what in (r.RLIMIT_NPROC, r.RLIMIT_DATA, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE):\n"
        "    soft, hard = r.getrlimit(what)\n    if hard == r.RLIM_INFINITY: continue\n"
        "    try: r.setrlimit(what, (hard + 1, hard + 1)); print('raised', what)\n"
        "    except (OSError, ValueError): pass"
    )
    expect_equal("what it could raise", bench.run(code), "")


@LIMITED.check()
def runaway_recursion_is_the_programs(bench: Bench) -> None:
    """A program that recurses without end ends by an exception or a crash of its own."""
    for code in (
        "def f(): return f()\nf()",
        "import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(2 * 10**5): x = [x]\nrepr(x)",
    ):
        result = bench.sandbox.run_python(code)
        expect(not result.ok and result.status in ("exited", "crashed", "memory"), f"it ended as {result.status}")
