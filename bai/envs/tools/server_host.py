"""Runs a private database server for another process, and ends both server and directory with it. Run as a program.

Its argument is JSON: ``command``, ``folder`` (the server's directory, with its log), ``owner`` (the process that it is
run for), ``stop_s`` (seconds that the server has to stop) and ``surroundings`` (keyword arguments of Popen). Standard
output ends when the server has; the server is to end when standard input says anything, or ends. Nothing but the
standard library is imported: this runs isolated.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

_LOOK_S = 0.2
"""Seconds between two looks at the owner, whose end of our input a child that it forked may hold after it."""


def main() -> None:
    """Runs the server until it is to end, and cleans up."""
    asked = json.loads(sys.argv[1])
    try:
        server = _start(asked)
        _wait(server, asked["owner"])
        _stop(server, asked["stop_s"])
    finally:
        shutil.rmtree(asked["folder"], ignore_errors=True)


def _start(asked: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    with open(f"{asked['folder']}/log", "ab") as log:  # noqa: PTH123 - what is not imported starts faster
        return subprocess.Popen(
            asked["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **asked["surroundings"]
        )


def _wait(server: subprocess.Popen[bytes], owner: int) -> None:
    has_ended = False
    while os.getppid() == owner and not select.select([sys.stdin], [], [], _LOOK_S)[0]:
        if not has_ended and server.poll() is not None:
            has_ended = True
            _fall_silent()


def _fall_silent() -> None:
    """Ends our output for whoever reads it: both streams are one pipe."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere.fileno(), stream.fileno())


def _stop(server: subprocess.Popen[bytes], seconds: float) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
