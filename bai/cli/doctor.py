"""``bai doctor``: what works on this machine, tried rather than guessed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

import bai
from bai.cli.conformance import check_sandbox
from bai.cli.output import assignments, errors, out, print_json
from bai.errors import BaiError, ConfigError, DataError, TaskSetNotFound

__all__ = ["Check", "doctor", "examine"]

State = Literal["ok", "absent", "warn", "fail"]
COLOURS = {"ok": "green", "absent": "bright_black", "warn": "yellow", "fail": "red"}
RAY_S = 180.0
"""Seconds that Ray may take to start."""
LIBRARIES = {
    "gymnasium": "bai-rl",
    "torch": "bai-rl[models]",
    "transformers": "bai-rl[models]",
    "ray": "bai-rl[train]",
    "peft": "bai-rl[train]",
    "datasets": "bai-rl[data]",
    "httpx": "bai-rl[endpoint]",
    "swebench": "bai-rl[swebench]",
    "ipython": "bai-rl[notebook]",
    "pandas": "bai-rl[notebook]",
    "jsonschema": "bai-rl[tools]",
    "redis": "bai-rl[tools]",
    "psycopg": "bai-rl[tools]",
    "mcp": "bai-rl[tools]",
    "sympy": "bai-rl[math]",
}
"""Library to what brings it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried."""

    area: str
    """Such as ``sandbox``."""
    name: str
    """What in it."""
    state: State
    """``ok``; ``absent``: not here, and bai works without; ``warn``: works with a drawback; ``fail``."""
    detail: str = ""
    """What was found, and how to mend it."""


def doctor(
    ray: Annotated[bool, typer.Option("--ray", help="Also start and stop a Ray session.")] = False,
    sandbox: Annotated[
        str | None, typer.Option("--sandbox", metavar="NAME", help="Check this sandbox against the contract instead.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of that sandbox's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Says what works here: sandboxes, Ray, accelerator, data. Exit code 1 if bai cannot run code or train.

    With --sandbox, runs the conformance suite on one sandbox: exit code 1 if a check fails.
    """
    if sandbox is not None:
        if not check_sandbox(sandbox, assignments(option or ()), as_json=as_json):
            raise typer.Exit(1)
        return
    if option:
        raise ConfigError("--option belongs to --sandbox: it is an option of the sandbox's own")
    checks = []
    for check in examine(start_ray=ray):
        checks.append(check)
        if not as_json:
            _print(check)
    if as_json:
        print_json([asdict(check) for check in checks])
    if failed := [f"{check.area} {check.name}" for check in checks if check.state == "fail"]:
        errors.print(f"does not work: {', '.join(failed)}", style="red", markup=False)
        raise typer.Exit(1)


def _print(check: Check) -> None:
    row = Table.grid(padding=(0, 2))
    for width in (9, 16, 6):
        row.add_column(width=width)
    row.add_column(ratio=1)
    row.add_row(check.area, check.name, Text(check.state, style=COLOURS[check.state]), Text(check.detail))
    out.print(row, soft_wrap=False)


def examine(*, start_ray: bool = False) -> Iterator[Check]:
    """Tries everything in turn; nothing it finds is an exception.

    Args:
        start_ray: Also start and stop a Ray session, which takes some seconds.
    """
    yield Check(area="bai", name=bai.__version__, state="ok", detail=f"Python {platform.python_version()}")
    yield from _libraries()
    yield from _servers()
    yield from _sandboxes()
    yield from _ray(start_ray)
    yield _accelerator()
    yield from _data()


def _libraries() -> Iterator[Check]:
    for name, extra in LIBRARIES.items():
        try:
            yield Check(area="library", name=name, state="ok", detail=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(area="library", name=name, state="absent", detail=f"pip install '{extra}'")


def _servers() -> Iterator[Check]:
    """The programs that tools on databases may be started from."""
    from bai.envs.tools.servers import PostgresServer, RedisServer

    for name, package, server in (("PostgreSQL", "postgresql", PostgresServer), ("Redis", "redis-server", RedisServer)):
        reason = server.unavailable_reason()
        detail = "can be started" if reason is None else f"{reason}: apt-get install {package}"
        yield Check(area="server", name=name, state="absent" if reason else "ok", detail=detail)


def _sandboxes() -> Iterator[Check]:
    from bai.envs.sandbox import SANDBOXES

    checks = [_sandbox(name) for name in SANDBOXES]
    yield from checks
    if not any(check.state in ("ok", "warn") for check in checks):
        yield Check(area="sandbox", name="any", state="fail", detail="no backend can run code on this machine")


def _sandbox(name: str) -> Check:
    from bai.envs.sandbox import SANDBOXES, make_sandbox

    reason = SANDBOXES[name].unavailable_reason()
    if reason is not None:
        return Check(area="sandbox", name=name, state="absent", detail=reason)
    try:
        with make_sandbox(name) as sandbox:
            began = time.perf_counter()
            result = sandbox.run_python("print(6 * 7)")
            took = time.perf_counter() - began
            promises = sandbox.capabilities
    except BaiError as error:
        return Check(area="sandbox", name=name, state="fail", detail=f"{type(error).__name__}: {error}")
    if result.stdout != b"42\n":
        return Check(
            area="sandbox", name=name, state="fail", detail=f"6 * 7 gave {result.status} {result.stdout!r:.80}"
        )
    held = {f.name.replace("_", " "): getattr(promises, f.name) for f in fields(promises) if f.name != "not_stopped"}
    lacking = [name for name, value in held.items() if not value]
    parts = [f"ran in {1000 * took:.0f} ms", f"promises {', '.join(name for name, value in held.items() if value)}"]
    parts += [f"not promised: {', '.join(lacking)}"] if lacking else []
    detail = "; ".join([*parts, f"not stopped: {'; '.join(promises.not_stopped) or 'nothing known'}"])
    weak = [name for name in lacking if name != "live fork"]
    return Check(area="sandbox", name=name, state="warn" if weak else "ok", detail=detail)


def _ray(start: bool) -> Iterator[Check]:
    if importlib.util.find_spec("ray") is None:
        yield Check(area="ray", name="library", state="absent", detail="training needs it: pip install 'bai-rl[train]'")
        return
    from bai.agents.grpo.startup import check_startup

    for finding in check_startup():
        state: State = "ok" if finding.ok else "fail" if finding.fatal else "warn"
        detail = "" if finding.ok else f"{finding.problem}; {finding.fix}"
        yield Check(area="ray", name=finding.name, state=state, detail=detail)
    if start:
        yield _ray_session()


def _ray_session() -> Check:
    """Starts Ray in a process of its own, which ends it again."""
    began = time.perf_counter()
    program = "from bai.agents.grpo.startup import start_ray; start_ray()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=RAY_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Check(area="ray", name="session", state="fail", detail=f"did not start within {RAY_S:.0f} s")
    took = time.perf_counter() - began
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Check(area="ray", name="session", state="fail", detail=reason)
    return Check(area="ray", name="session", state="ok", detail=f"started and stopped in {took:.1f} s")


def _accelerator() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check(area="device", name="torch", state="absent", detail="models need it: pip install 'bai-rl[models]'")
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Check(area="device", name="cuda", state="ok", detail=", ".join(names))
    return Check(area="device", name="cpu", state="ok", detail=f"{torch.get_num_threads()} threads, no accelerator")


def _data() -> Iterator[Check]:
    from bai.envs.tasks.family import ENDLESS, FAMILIES

    files = [(name, family.load) for family in FAMILIES for name in family.names if name not in ENDLESS]
    for name, load in files:
        try:
            tasks: Any = load(name)
            yield Check(area="data", name=name, state="ok", detail=f"{len(tasks)} tasks")
        except TaskSetNotFound:
            hint = f"`bai tasks show {name}` says where to put it"
            yield Check(area="data", name=name, state="absent", detail=hint)
        except DataError as error:
            yield Check(area="data", name=name, state="warn", detail=str(error))
