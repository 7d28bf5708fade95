"""What is said between a repository's environment and its agent, apart from the issue itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from bai.envs.repository.tree import Entry
from bai.envs.sandbox.base import ExecResult

__all__ = ["HOW", "handing_in", "shortened", "tell_result", "writing"]

HOW = {
    "bash": """
Answer with your thoughts and exactly one fenced block, which is one of:

```bash
a script; it runs in the repository's directory, each time in a new shell
```

```edit
path/of/a/file.py
<<<<<<< SEARCH
lines as they are
=======
lines as they shall be
>>>>>>> REPLACE
```

```submit
```

`submit` hands in all changes to the repository's files.
""",
    "patch": """
Answer with one unified diff of the repository's files in a block tagged diff.
""",
}
"""How an agent answers, by the environment's mode."""


def tell_result(result: ExecResult, wall_s: float, most: int) -> str:
    """Says how a script ended and what it printed.

    Args:
        result: What came of it.
        wall_s: Its time limit in seconds.
        most: Characters of output that are shown.
    """
    output = (result.stdout + result.stderr).decode("utf-8", "replace")
    cut = "[the output was longer than is kept]\n" if result.truncated else ""
    ended = {
        "exited": f"exit code {result.exit_code}",
        "timeout": f"ended after {wall_s:g} seconds, its time limit",
        "memory": "ended: over the memory limit",
        "crashed": "ended by a signal or a limit",
    }[result.status]
    return f"{shortened(output, most)}\n{cut}[{ended}]"


def shortened(text: str, most: int) -> str:
    """Cuts the middle out of a long text and says how much that was."""
    if len(text) <= most:
        return text
    head = most // 2
    tail = most - head
    return f"{text[:head]}\n[{len(text) - most} characters left out here]\n{text[-tail:]}"


def handing_in(patch: str) -> str:
    """Gives the answer that is a unified diff."""
    return f"````diff\n{patch.removesuffix(chr(10))}\n````"


def writing(changes: Mapping[str, Entry | None]) -> str:
    """Gives a ``bash`` action that makes changes to files, whatever they hold."""
    lines = ["```bash", "python3 - <<'THE_END'", "import base64, os"]
    for path, entry in changes.items():
        if entry is None:
            lines.append(f"os.remove({path!r})")
            continue
        data = base64.b64encode(entry.data).decode("ascii")
        lines += [
            f"os.makedirs(os.path.dirname({path!r}) or '.', exist_ok=True)",
            f"open({path!r}, 'wb').write(base64.b64decode({data!r}))",
            f"os.chmod({path!r}, {0o755 if entry.executable else 0o644:#o})",
        ]
    return "\n".join([*lines, "THE_END", "```"])
