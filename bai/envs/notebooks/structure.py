"""How well an agent's raw text keeps to the notebook's form: a number for reward terms, whatever was made of the text.

Reading repairs what it can (:mod:`.dialogue`); this does not. The reward of Datarus-R1 (arXiv:2508.13382) has such a
part, and its formula is not published: this is our own, the mean of five checks of each text.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bai.envs.notebooks.dialogue import ACTION

__all__ = ["CHECKS", "structure_score"]

_TAG = re.compile(r"<(/?)(step|thought|action_input|action|observation|stop_analysis|answer)>")
_FORMS = {
    "step": ("thought", "action", "action_input"),
    "stop_analysis": ("thought", "answer"),
}
"""Blocks, and the parts that each has."""


@dataclass
class _Outline:
    """What a text is made of. Tags inside a part are its content."""

    parts: dict[str, str] = field(default_factory=dict)
    """The last part of each name, wherever it stands."""
    blocks: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Whole blocks, with the names of their parts in order."""
    outside: str = ""
    """What stands around the blocks."""
    is_closed: bool = False
    """Whether there are tags, and each is closed in its place."""


@functools.lru_cache(maxsize=8)
def _outline(text: str) -> _Outline:
    """Reads a text once from left to right: an agent may write a hundred thousand tags."""
    tags = list(_TAG.finditer(text))
    ends: dict[str, list[int]] = {}
    for number, tag in enumerate(tags):
        if tag[1]:
            ends.setdefault(tag[2], []).append(number)
    found = _Outline(is_closed=bool(tags))
    block: tuple[str, int, list[str]] | None = None
    number, rest = 0, 0
    while number < len(tags):
        closes, name = tags[number].groups()
        if name in _FORMS:
            if closes and block is not None and block[0] == name:
                found.blocks.append((name, tuple(block[2])))
                found.outside += text[rest : block[1]]
                rest, block = tags[number].end(), None
            else:
                found.is_closed &= not closes and block is None
                block = block if closes else (name, tags[number].start(), [])
        elif not closes and (end := _next(ends.get(name, []), number)) is not None:
            found.parts[name] = text[tags[number].end() : tags[end].start()]
            if block is not None:
                block[2].append(name)
            number = end
        else:
            found.is_closed = False
        number += 1
    found.is_closed &= block is None
    found.outside += text[rest:]
    return found


def _next(numbers: Sequence[int], number: int) -> int | None:
    at = bisect.bisect(numbers, number)
    return numbers[at] if at < len(numbers) else None


def structure_score(texts: str | Sequence[str]) -> float:
    """Scores one text of an agent's, or those of an episode, which should end with its only answer.

    Args:
        texts: As they were written, the closing tags included: sampling with ``stop=("</step>",)`` has to keep them.

    Returns:
        A number in [0, 1]: the mean of :data:`CHECKS`; of an episode, the mean over its texts and one point more, for
        whether its last text, and no other, is a ``<stop_analysis>``. 0 for no texts.
    """
    if isinstance(texts, str):
        return sum(check(texts) for check in CHECKS.values()) / len(CHECKS)
    if not texts:
        return 0.0
    each = sum(map(structure_score, texts)) / len(texts)
    stops = ["<stop_analysis>" in text for text in texts]
    return (len(texts) * each + (stops[-1] and not any(stops[:-1]))) / (len(texts) + 1)


def _is_closed(text: str) -> bool:
    """Every tag is closed, in order of opening; what a part holds is not looked into."""
    return _outline(text).is_closed


def _is_one_block(text: str) -> bool:
    """There is one step or one answer, and nothing around it."""
    found = _outline(text)
    return len(found.blocks) == 1 and not found.outside.strip()


def _is_ordered(text: str) -> bool:
    """The parts are those of its kind, each once, in their order."""
    blocks = _outline(text).blocks
    return bool(blocks) and blocks[0][1] == _FORMS[blocks[0][0]]


def _is_filled(text: str) -> bool:
    """Code or answer is there, and the action is one that there is."""
    parts = _outline(text).parts
    if "answer" in parts:
        return bool(parts["answer"].strip())
    return bool(parts.get("action_input", "").strip()) and parts.get("action", "").strip() == ACTION


def _is_own(text: str) -> bool:
    """The agent does not make up what it will be told, and thinks before it acts."""
    return "<observation>" not in text and bool(_outline(text).parts.get("thought", "").strip())


CHECKS: dict[str, Callable[[str], bool]] = {
    "closed": _is_closed,
    "one_block": _is_one_block,
    "ordered": _is_ordered,
    "filled": _is_filled,
    "own": _is_own,
}
"""Name to check of one text."""
