"""What tests compare, told in lines of their own instead of being compared there, and whether it is right.

The values are written by code that runs beside a candidate's, which can write anything; so each is data to read, with
limits, and worth what it says: it is right if it equals what the test expects.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bai.envs.repository.tree import Tree

__all__ = ["TELLS", "Raised", "exceptions_of", "expected_exception", "right"]

TELLS = """
def {word}(number, value):
    import numbers

    def plain(value):
        for kind in (bool, int, float, complex, str, bytes):
            if isinstance(value, kind):
                return kind.__repr__(value)
        if isinstance(value, dict):
            return "{{" + ", ".join(plain(key) + ": " + plain(value[key]) for key in value) + "}}"
        if isinstance(value, (set, frozenset)):
            return "{{" + ", ".join(map(plain, value)) + "}}" if value else "set()"
        if isinstance(value, list):
            return "[" + ", ".join(map(plain, value)) + "]"
        if isinstance(value, tuple):
            return "(" + "".join(plain(part) + ", " for part in value) + ")"
        if isinstance(value, numbers.Number) and value == float(value):
            return repr(float(value))
        return repr(value)

    with open(__file__ + ".{word}", "ab") as out:
        out.write("{word} {{}} {{}}\\n".format(number, plain(value)).encode("ascii", "backslashreplace"))


class {word}_raised:
    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        names = []
        for one in kind.__mro__ if kind else ():
            names.append(one.__name__)
            if len(one.__bases__) > 1:
                break
        {word}(self.number, names)
        return kind is None or issubclass(kind, Exception)
"""
"""Code of a function that tells a value, and of a context that tells the names of an exception and of what it is
derived from, as far as that is one line, each with a number. A value of a class derived from one of Python's own is
told as that class's, and any other number that is one as a float, for so they are compared."""

_MOST, _LONGEST = 10_000, 100_000
"""Values that are read, and characters of each."""
_CLASS = re.compile(rb"^[ \t]*class[ \t]+(\w+)[ \t]*\(([^()]*)\)[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Raised:
    """An exception that is expected."""

    names: frozenset[str]
    """Its class, and those derived from it in the trusted files and in Python."""
    known: frozenset[str]
    """All classes of the trusted files and Python's exceptions. Of one that a change brings along, the first of these
    counts that it is derived from: a claim of it is a claim of one exception, as any other."""

    def is_told_by(self, names: object) -> bool:
        """Whether a list of names, from an exception's class upwards, is that of this exception."""
        return isinstance(names, list) and next((name for name in names if name in self.known), None) in self.names


def right(word: str, output: str, expected: Mapping[int, object]) -> frozenset[int]:
    """Gives the numbers of those values that were told, each time rightly.

    Args:
        word: What the lines begin with.
        output: Lines of a run, among any others.
        expected: By number, the value that is right, or a :class:`Raised`.
    """
    told: dict[int, list[str]] = {}
    for count, line in enumerate(re.finditer(rf"^{word} (\d{{1,4}}) (.*)$", output, re.MULTILINE)):
        if count == _MOST:
            return frozenset()
        told.setdefault(int(line[1]), []).append(line[2])
    return frozenset(
        number
        for number, texts in told.items()
        if number in expected and all(_is(text, expected[number]) for text in texts)
    )


def _is(text: str, wanted: object) -> bool:
    try:
        value = ast.literal_eval(text) if len(text) <= _LONGEST else ...
        return wanted.is_told_by(value) if isinstance(wanted, Raised) else bool(value == wanted)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def exceptions_of(tree: Tree) -> dict[str, set[str]]:
    """Gives what the classes of a tree's Python files, and Python's own exceptions, are derived from."""
    bases = {
        name: {base.__name__ for base in kind.__mro__}
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    for path in tree:
        for found in _CLASS.finditer(tree[path].data if path.endswith(".py") else b""):
            above = re.findall(rb"\w+", found[2])
            bases.setdefault(found[1].decode("utf-8", "replace"), set()).update(
                base.decode("utf-8", "replace") for base in above
            )
    return bases


def expected_exception(name: str, bases: Mapping[str, Collection[str]]) -> Raised:
    """Gives what a class and those derived from it, at any remove, are told by.

    Args:
        name: The class.
        bases: As :func:`exceptions_of` gives them.
    """
    names: set[str] = set()
    more = {name}
    while more:
        names |= more
        more = {other for other, above in bases.items() if not names.isdisjoint(above)} - names
    return Raised(names=frozenset(names), known=frozenset(bases))
