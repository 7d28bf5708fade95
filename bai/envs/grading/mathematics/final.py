r"""Where in a solution its final answer stands.

The first of these rules that finds something decides, and of several places the last:

1. ``\boxed{...}`` (or ``\fbox{...}``)
2. ``<answer>...</answer>``
3. a line that begins with ``####``: what follows on it
4. ``The answer is ...`` (``answer:``, ``final answer =`` ...): the rest of the sentence, to the end of the line at most
5. the last line that is not blank

All of it scans and never tries: a solution may be a mebibyte of anything.
"""

from __future__ import annotations

import re

__all__ = ["final_answer", "marked_answer"]

_LONGEST = 4_000
"""Characters of an answer that are looked at; a longer one is refused by whoever reads it."""
_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}")
_HASHES = re.compile(r"^[ \t]{0,9}####(?!#)(.{0,4000})", re.MULTILINE)
_ANSWER = re.compile(r"\banswer\b", re.IGNORECASE)
_MOST_SAID = 50
"""The last so many times that the word comes are looked at."""
_SAID = re.compile(r"answer[ \t]{0,3}(?:is|are|:|=|to be)[ \t]{0,3}(?::[ \t]{0,3})?(.{1,4000})", re.IGNORECASE)
_SENTENCE = re.compile(r"\.(?=\s|$)")


def final_answer(solution: str) -> str:
    """Gives the final answer of a solution; empty where there is none."""
    marked = marked_answer(solution)
    if marked is not None:
        return marked
    return solution.rstrip().rpartition("\n")[2][: _LONGEST + 1].strip()


def marked_answer(solution: str) -> str | None:
    """Gives the final answer where something marks it (rules 1 to 4); None where nothing does."""
    for rule in (_boxed, _tagged, _hashed, _said):
        found = rule(solution)
        if found is not None:
            return found.strip()
    return None


def _boxed(text: str) -> str | None:
    at = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    match = _BOX.match(text, at) if at >= 0 else None
    if match is None:
        return None
    rest = text[match.end() : match.end() + _LONGEST]
    if not rest.startswith("{"):
        return rest.split(maxsplit=1)[0].rstrip("$.") if rest.strip() else ""
    depth = 0
    for place, character in enumerate(rest):
        if character in "{}" and (place == 0 or rest[place - 1] != "\\"):
            depth += 1 if character == "{" else -1
        if depth == 0:
            return rest[1:place]
    return rest[1:]


def _tagged(text: str) -> str | None:
    at = text.rfind("<answer>")
    return None if at < 0 else text[at + 8 : at + 8 + _LONGEST].partition("</answer>")[0]


def _hashed(text: str) -> str | None:
    at = text.rfind("####")
    if at < 0:
        return None
    found = None
    for found in _HASHES.finditer(text, max(0, text.rfind("\n", 0, at) + 1)):  # noqa: B007 - the last is wanted
        pass
    return found[1] if found else None


def _said(text: str) -> str | None:
    for place in reversed([match.start() for match in _ANSWER.finditer(text)][-_MOST_SAID:]):
        found = _SAID.match(text, place)
        if found:
            return _SENTENCE.split(found[1], maxsplit=1)[0]
    return None
