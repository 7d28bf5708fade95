"""The exception tree: drawn as it is defined, and fit to cross process boundaries."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from bai import errors
from bai.errors import BaiError, MalformedRow, MissingDependency

CLASSES = [getattr(errors, name) for name in errors.__all__]

DRAWN = re.compile(r"^ {4}(?P<bars>[│ ]*)(?:[├└]── )?(?P<name>[A-Z]\w+)(?: \((?P<builtin>\w+)\))?", re.MULTILINE)


def example(kind: type[BaiError]) -> BaiError:
    """Makes an error of this class with distinct arguments."""
    if kind is MalformedRow:
        return MalformedRow("tasks.jsonl", 3, "tests", "expected a list; got 7")
    if kind is MissingDependency:
        return MissingDependency("ray", "pip install 'bai-rl[train]'", "training")
    return kind("something is wrong")


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Reads the tree of the module docstring: name -> (name of the parent, builtin in brackets)."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = DRAWN.match(line)
        if match is None:
            continue
        depth = (match.start("name") - 4) // 4
        del path[depth:]
        tree[match["name"]] = (path[-1] if path else None, match["builtin"])
        path.append(match["name"])
    return tree


def test_the_tree_drawn_is_the_tree_defined() -> None:
    """The docstring draws every class once, under its real parent, beside the builtin it extends."""
    drawn = drawn_tree()
    assert sorted(drawn) == sorted(errors.__all__)
    for name, (parent, builtin) in drawn.items():
        bases = [base.__name__ for base in getattr(errors, name).__bases__]
        assert bases == [b for b in (parent or "Exception", builtin) if b]


def test_all_names_every_class() -> None:
    """``__all__`` lists every exception class of the module."""
    defined = [
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == "bai.errors"
    ]
    assert sorted(defined) == sorted(errors.__all__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_pickles(kind: type[BaiError], protocol: int) -> None:
    """An error arrives in another process with its class, arguments, attributes and message."""
    before = example(kind)
    after = pickle.loads(pickle.dumps(before, protocol))
    assert type(after) is kind
    assert after.args == before.args
    assert vars(after) == vars(before)
    assert str(after) == str(before)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_copies(kind: type[BaiError]) -> None:
    """A copied error says the same."""
    assert str(copy.copy(example(kind))) == str(example(kind))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_when_it_is_raised(kind: type[BaiError]) -> None:
    """Each class has a docstring of its own."""
    assert "__doc__" in vars(kind)
    assert kind.__doc__


def test_a_malformed_row_names_its_place() -> None:
    """File, line, field and problem are in the message; a fault of the whole row names no field."""
    assert str(example(MalformedRow)) == "tasks.jsonl:3: field 'tests': expected a list; got 7"
    assert str(MalformedRow("a", 1, "", "no JSON")) == "a:1: no JSON"


def test_a_missing_dependency_names_its_remedy() -> None:
    """The message says what needs the library, and the command that installs it."""
    assert str(example(MissingDependency)) == (
        "training needs ray, which is not installed; run: pip install 'bai-rl[train]'"
    )
