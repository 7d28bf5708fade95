"""How well an agent's raw text keeps to the notebook's form: a number for reward terms, whatever was made of the text.

Reading repairs what it can (:mod:`.dialogue`); this does not. The reward of Datarus-R1 (arXiv:2508.13382) has such a
part, and its formula is not published: this is our own, the mean of five checks of each text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bai.envs.notebooks.dialogue import ACTION

__all__ = ["CHECKS", "structure_score"]

_TAG = re.compile(r"<(/?)(step|thought|action_input|action|observation|stop_analysis|answer)>")
_FORMS = {
    "step": ("thought", "action", "action_input"),
    "stop_analysis": ("thought", "answer"),
}
_INNER = re.compile(r"<(thought|action_input|action|observation|answer)>(.*?)</\1>", re.DOTALL)
_BLOCK = re.compile(r"<(step|stop_analysis)>(.*?)</\1>", re.DOTALL)


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
    bare = _INNER.sub(lambda match: f"<{match[1]}></{match[1]}>", text)
    open_tags: list[str] = []
    tags = list(_TAG.finditer(bare))
    for tag in tags:
        if not tag[1]:
            open_tags.append(tag[2])
        elif not open_tags or open_tags.pop() != tag[2]:
            return False
    return bool(tags) and not open_tags


def _is_one_block(text: str) -> bool:
    """There is one step or one answer, and nothing around it."""
    blocks = list(_BLOCK.finditer(text))
    return len(blocks) == 1 and not _BLOCK.sub("", text).strip()


def _is_ordered(text: str) -> bool:
    """The parts are those of its kind, each once, in their order."""
    block = _BLOCK.search(text)
    return block is not None and tuple(match[1] for match in _INNER.finditer(block[2])) == _FORMS[block[1]]


def _is_filled(text: str) -> bool:
    """Code or answer is there, and the action is one that there is."""
    parts = {match[1]: match[2].strip() for match in _INNER.finditer(text)}
    if "answer" in parts:
        return bool(parts["answer"])
    return bool(parts.get("action_input")) and parts.get("action") == ACTION


def _is_own(text: str) -> bool:
    """The agent does not make up what it will be told, and thinks before it acts."""
    return "<observation>" not in text and bool(re.search(r"<thought>\s*\S", text))


CHECKS: dict[str, Callable[[str], bool]] = {
    "closed": _is_closed,
    "one_block": _is_one_block,
    "ordered": _is_ordered,
    "filled": _is_filled,
    "own": _is_own,
}
"""Name to check of one text."""
