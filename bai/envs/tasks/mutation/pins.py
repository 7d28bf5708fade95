"""What a project needs to run, as pip resolves it: exact versions, so that its tasks' machine can be made again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bai.envs.machines.light import DISTRIBUTIONS
from bai.envs.machines.pip import plain_name, run_pip

__all__ = ["resolve"]

_RESOLVE = ("install", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-")
_PURE = ("--implementation", "py", "--abi", "none", "--platform", "any")
"""Only wheels for any machine: of what is compiled by now, pip takes the last version that was not."""


def resolve(wanted: Sequence[str], project: str) -> tuple[str, ...]:
    """Gives the exact versions that requirements come to here, theirs included, as ``name==version``, sorted.

    No code of theirs runs: only wheels of pure Python are looked at. What the light machine has anyway keeps its
    version and is left out; so is the project itself, of which no second copy may be on the machine.

    Args:
        wanted: Requirements as ``Requires-Dist`` has them.
        project: Name of the project.

    Raises:
        DataError: They cannot be had together so.
        InfraError: pip cannot be run, or takes too long.
    """
    if not wanted:
        return ()
    with tempfile.TemporaryDirectory(prefix="bai-pins-") as folder:
        held = Path(folder) / "held.txt"
        held.write_text("".join(f"{name}=={metadata.version(name)}\n" for name in DISTRIBUTIONS), encoding="utf-8")
        arguments = [*_RESOLVE, *_PURE, "--target", folder, "--constraint", str(held), "--", *wanted]
        failed = f"pip cannot find what {project} needs as wheels of pure Python"
        report = json.loads(run_pip(arguments, failed=failed))
    found = {plain_name(each["metadata"]["name"]): each["metadata"]["version"] for each in report["install"]}
    left_out = {plain_name(name) for name in (*DISTRIBUTIONS, project)}
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()) if name not in left_out)
