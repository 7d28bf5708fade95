"""The dialogue between an agent and a notebook: what the agent writes is read leniently, and told what came of it.

    <step><thought>..</thought><action>python_executor</action><action_input>code</action_input></step>
    <observation>..</observation>
    ...
    <stop_analysis><thought>..</thought><answer>..</answer></stop_analysis>

The format is that of the agent of Datarus-R1 (arXiv:2508.13382). A text is read as far as its first block; tags may be
in any case, with blanks, underscores or hyphens in them, and may lack their closing tags; code may stand in a fence.
:mod:`.structure` scores the text as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bai.types import Message

__all__ = [
    "ACTION",
    "HOW",
    "RETRY",
    "Kind",
    "Said",
    "prune_failures",
    "read_action",
    "tell_observation",
    "write_answer",
    "write_step",
]

Kind = Literal["run", "answer", "malformed"]

ACTION = "python_executor"
"""The one action there is."""
RETRY = "The cell failed, and the next one takes its place: find out what went wrong, and write it anew."
"""Last line of what an agent is told of a failed step; :func:`prune_failures` knows steps by it."""
HOW = f"""\
Work in a Jupyter notebook: each answer of yours is one step, which runs one cell of Python, in exactly this form:

<step>
<thought>what you want to find out, and why</thought>
<action>{ACTION}</action>
<action_input>
the code of the cell
</action_input>
</step>

You are told what it printed and showed. Variables stay. Once you know the answer, end with

<stop_analysis>
<thought>how you know</thought>
<answer>the answer, with each value as @name[value]</answer>
</stop_analysis>
"""
"""What an agent is told of the form."""

# Runs of blanks are bounded: an agent may write a million of them.
_TAG = re.compile(
    r"<\s{0,4}(/?)\s{0,4}(step|thought|action[\s_-]{0,4}input|action|observation|stop[\s_-]{0,4}analysis|answer)\s{0,4}>",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an agent's text says."""

    kind: Kind
    """``run`` a cell, give the ``answer``, or neither."""
    body: str
    """The code or the answer; where it is malformed, what was expected and what came."""
    thought: str = ""
    """What was thought before."""


def read_action(text: str) -> Said:
    """Reads an agent's text, any string at all."""
    tags = [(match.start(), match.end(), bool(match[1]), _name(match[2])) for match in _TAG.finditer(text)]
    end = _end_of_first_block(tags, len(text))
    parts = _parts(text[:end], [tag for tag in tags if tag[0] < end])
    thought = parts.get("thought", "").strip()
    if "action_input" in parts:
        return _run(parts, thought)
    if "answer" in parts or "stop_analysis" in parts:
        return Said(kind="answer", body=parts.get("answer", parts.get("stop_analysis", "")).strip(), thought=thought)
    fenced = _fenced(_TAG.sub("\n", text[:end]), anywhere=True) if "step" in parts else None
    if fenced is not None:
        return _run({"action_input": fenced}, thought)
    came = f"tags {', '.join(f'<{name}>' for name in parts)} without either" if parts else "none of these tags"
    return Said(kind="malformed", body=f"expected <action_input> in a <step>, or <answer>; got {came}", thought=thought)


def _name(written: str) -> str:
    letters = re.sub(r"[\s_-]", "", written.lower())
    return {"actioninput": "action_input", "stopanalysis": "stop_analysis"}.get(letters, letters)


def _end_of_first_block(tags: Sequence[tuple[int, int, bool, str]], most: int) -> int:
    """Where the first step or answer ends: what comes after it was written without knowing what came of it."""
    begun: set[str] = set()
    for start, end, closes, name in tags:
        if closes and name in ("step", "stop_analysis") and begun & {"action_input", "answer"}:
            return end
        # A step that lacks its closing tag ends where the next part can only be another's.
        if not closes and begun & {"action_input", "answer"} and name in ("observation", "step", "stop_analysis"):
            return start
        if not closes:
            begun.add(name)
    return most


def _parts(text: str, tags: Sequence[tuple[int, int, bool, str]]) -> dict[str, str]:
    """The first part of each name: up to its closing tag or, where that is missing, to the next tag."""
    parts: dict[str, str] = {}
    for index, (_, end, closes, name) in enumerate(tags):
        if closes or name in parts:
            continue
        later = tags[index + 1 :]
        own = [tag[0] for tag in later if tag[2] and tag[3] == name]
        after = own or [tag[0] for tag in later if tag[2] or name not in ("step", "stop_analysis")] or [len(text)]
        parts[name] = text[end : after[0]]
    return parts


def _run(parts: dict[str, str], thought: str) -> Said:
    action = parts.get("action", ACTION).strip().lower()
    if action != ACTION:
        return Said(kind="malformed", body=f"expected the action {ACTION}; got {action!r:.100}", thought=thought)
    fenced = _fenced(parts["action_input"], anywhere=False)
    code = (parts["action_input"] if fenced is None else fenced).strip("\n")
    if not code.strip():
        return Said(kind="malformed", body="expected code in <action_input>; got nothing", thought=thought)
    return Said(kind="run", body=code.rstrip(), thought=thought)


def _fenced(text: str, *, anywhere: bool) -> str | None:
    """Gives the code in a fence: one that the text begins with, up to its last end, or the first, up to its first."""
    lines = text.strip().split("\n")
    fences = [number for number, line in enumerate(lines) if line.strip().startswith(("```", "~~~"))]
    if not fences or (fences[0] and not anywhere):
        return None
    ends = [number for number in fences[1:] if not lines[number].strip().strip("`~")] or [len(lines)]
    return "\n".join(lines[fences[0] + 1 : ends[0 if anywhere else -1]])


def write_step(thought: str, code: str) -> str:
    """Gives a step in exactly the form that is asked for."""
    return (
        f"<step>\n<thought>{thought}</thought>\n<action>{ACTION}</action>\n"
        f"<action_input>\n{code}\n</action_input>\n</step>"
    )


def write_answer(thought: str, answer: str) -> str:
    """Gives an answer in exactly the form that is asked for."""
    return f"<stop_analysis>\n<thought>{thought}</thought>\n<answer>\n{answer}\n</answer>\n</stop_analysis>"


def tell_observation(text: str, *, failed: bool, left: int) -> str:
    """Gives what an agent is told after a step.

    Args:
        text: What came of it.
        failed: Whether it failed.
        left: Steps that are left.
    """
    shown = f"<observation>\n{text or '(nothing was printed)'}\n</observation>"
    steps = f"[{left} step{'s' if left != 1 else ''} left]"
    return "\n".join([shown, steps, RETRY] if failed else [shown, steps])


def prune_failures(messages: Sequence[Message]) -> list[Message]:
    """Takes failed steps out of a transcript, all but the last; the rest is as it was.

    A failed step is a message of the assistant's with the user's message after it, whose last line is :data:`RETRY`.
    What the last failure was stays known, and contexts stay short.

    Args:
        messages: The transcript, the newest message last.
    """
    failed = [
        index
        for index in range(len(messages) - 1)
        if messages[index].role == "assistant" and messages[index + 1].content.endswith(RETRY)
    ]
    gone = {place for index in failed[:-1] for place in (index, index + 1)}
    return [message for index, message in enumerate(messages) if index not in gone]
