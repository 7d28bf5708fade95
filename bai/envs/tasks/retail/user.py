"""A scripted user: what a scenario tells a simulated user about itself, said by that user."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["first_person", "messages"]

_GO_ON = (
    "What I said holds, and so does what I said that I would want if you asked me to confirm. "
    "Beyond that: yes, I confirm, please go ahead."
)
_CONTRACTED = {"you're": "I'm", "you've": "I've", "you'd": "I'd", "you'll": "I'll", "yourself": "myself"}
_VERBS = {"are": "am", "were": "was"}
_OBJECT_AFTER = frozenset(
    (
        *("to", "for", "with", "of", "from", "by", "at", "than", "about", "on"),
        *("ask", "asks", "asked", "tell", "tells", "told", "give", "gives", "given", "help", "helps", "let", "lets"),
        *("allow", "allows", "offer", "offers", "provide", "provides", "propose", "proposes", "save", "saves"),
        *("refuse", "refuses", "inform", "informs"),
    )
)
"""Words after which ``you`` is the one that something is done to."""
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?|[^A-Za-z]+")


def messages(scenario: Mapping[str, str | None]) -> tuple[str, ...]:
    """Gives what the user says, message by message.

    Args:
        scenario: tau2's ``instructions``: ``reason_for_call``, ``known_info``, ``unknown_info`` and
            ``task_instructions``.

    Returns:
        First what the user wants; then who it is, and what it does not know; then how it is and what else it wants,
        with leave to go ahead.
    """
    spoken = {key: first_person(text or "") for key, text in scenario.items()}
    who = " ".join(filter(None, [spoken["known_info"], spoken["unknown_info"]]))
    more = " ".join(filter(None, [spoken["task_instructions"], _GO_ON]))
    return spoken["reason_for_call"], who, more


def first_person(text: str) -> str:
    """Turns a text about "you" into one about "I".

    It goes by word: a "you" at the start of a clause becomes "I", one after a preposition or a verb such as "tell"
    becomes "me". A text without a word becomes empty.
    """
    pieces = _WORD.findall(re.sub(r"\b([Yy])ou name is\b", r"\1our name is", text.strip(" .\n")))
    words = [place for place, piece in enumerate(pieces) if piece[0].isalpha()]
    for before, place in zip([None, *words], words, strict=False):
        earlier = pieces[before] if before is not None and not set(pieces[place - 1]) & set(".!?;:,(") else ""
        pieces[place] = _spoken(pieces[place], earlier)
    said = "".join(pieces)
    return re.sub(r"(?:^|(?<=[.!?]\s))[a-z]", lambda found: found[0].upper(), said) + "." * bool(said)


def _spoken(word: str, earlier: str) -> str:
    """What a word becomes after another, as that has become."""
    low = word.lower()
    if low in _CONTRACTED:
        return _CONTRACTED[low]
    if low == "you":
        return "me" if earlier.lower() in _OBJECT_AFTER else "I"
    if low in ("your", "yours"):
        spoken = "my" if low == "your" else "mine"
        return spoken.capitalize() if word[0].isupper() else spoken
    return _VERBS.get(low, word) if earlier == "I" else word
