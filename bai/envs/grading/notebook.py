"""Judging the answers of notebooks: values by name, compared outside the sandbox.

The rules are those of DABench's own evaluation (Hu et al. 2024, arXiv:2401.05507): an answer is ``@name[value]``
anywhere in the text; of a name that comes again the last counts; a value is right if it is the label's text, or if
both are numbers that differ by less than 1e-6. Beyond that: brackets may be nested in a value; blanks around a value
and quotes around the whole of it do not count; the number of a label is read without ``nan``, ``inf`` and underscores;
and where a label has a name several times, as many of the answer's last values are compared, in any order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bai.envs.tasks.notebook import Expected
from bai.types import Verdict

__all__ = ["accepts", "judge", "read_answers"]

TOLERANCE = 1e-6
"""By how much numbers may differ, and be one."""
_NAME = re.compile(r"@(\w+)\[")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_QUOTED = re.compile(r"""\A(["'])(.*)\1\Z""", re.DOTALL)
_BRACKET = re.compile(r"[\[\]]")
MOST_TEXT = 100_000
"""Characters of an answer that are looked at, the last ones."""


def read_answers(text: str) -> dict[str, list[str]]:
    """Gives the values that a text gives to each name, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    text = text[-MOST_TEXT:]
    ends = _ends(text)
    at = 0
    while (match := _NAME.search(text, at)) is not None:
        at = ends[match.end() - 1]
        found[match[1]].append(text[match.end() : at])
    return dict(found)


def _ends(text: str) -> dict[int, int]:
    """Where each bracket that opens is closed: by its own, else by the next that closes anything, else by the end."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACKET.finditer(text):
        if match[0] == "[":
            opened.append(match.start())
        elif opened:
            ends[opened.pop()] = match.start()
    for start in opened:
        after = text.find("]", start)
        ends[start] = len(text) if after < 0 else after
    return ends


def accepts(expected: Expected, said: str) -> bool:
    """Whether a value is right."""
    wanted, given = _bare(expected.value), _bare(said)
    if wanted == given:
        return True
    if not (_NUMBER.fullmatch(wanted) and _NUMBER.fullmatch(given)):
        return False
    return abs(float(wanted) - float(given)) < max(TOLERANCE, expected.tolerance)


def _bare(value: str) -> str:
    value = value.strip()
    quoted = _QUOTED.match(value)
    return quoted[2].strip() if quoted else value


def judge(expected: Sequence[Expected], answer: str, *, pictures: int = 0, wanted_pictures: int = 0) -> Verdict:
    """Judges an answer by the share of values that are right.

    Args:
        expected: What is right.
        answer: What was said.
        pictures: Pictures in the notebook.
        wanted_pictures: Pictures that the task asks for; with fewer, that counts as one more value that is wrong.
    """
    said = read_answers(answer)
    right = _count_right(expected, said)
    total = len(expected) + bool(wanted_pictures)
    right += bool(wanted_pictures) and pictures >= wanted_pictures
    missing = sum(name not in said for name in {item.name for item in expected})
    detail = f"{right} of {total} right" + (f", {missing} not given" if missing else "")
    return Verdict(status="passed" if right == total else "failed", score=right / total, detail=detail)


def _count_right(expected: Sequence[Expected], said: Mapping[str, Sequence[str]]) -> int:
    by_name: dict[str, list[Expected]] = defaultdict(list)
    for item in expected:
        by_name[item.name].append(item)
    return sum(_matched(items, said.get(name, ())) for name, items in by_name.items())


def _matched(items: Sequence[Expected], values: Sequence[str]) -> int:
    """How many of a name's labels the last values meet, each value meeting one."""
    left = list(values)[-len(items) :]
    right = 0
    for item in items:
        hit = next((value for value in left if accepts(item, value)), None)
        if hit is not None:
            left.remove(hit)
            right += 1
    return right
