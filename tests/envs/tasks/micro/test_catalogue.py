"""The operations: total, pure, typed as they say."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bai.envs.tasks.micro.catalogue import CATALOGUE
from bai.envs.tasks.micro.kinds import BOOL, COUNTS, INPUTS, INT, INTS, NAMES, STR, STRS, TABLE
from bai.envs.tasks.micro.neighbours import mistakes
from bai.envs.tasks.micro.operation import Operation
from bai.envs.tasks.micro.probes import BATTERY, SHOWN

OPERATIONS = [operation for operations in CATALOGUE.values() for operation in operations]
INTEGERS = st.integers(-500, 500)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    INT: INTEGERS,
    INTS: st.lists(INTEGERS, max_size=8),
    STR: TEXT,
    STRS: st.lists(TEXT, max_size=5),
    TABLE: st.dictionaries(TEXT, INTEGERS, max_size=5),
    COUNTS: st.dictionaries(INTEGERS, INTEGERS, max_size=5),
    NAMES: st.dictionaries(INTEGERS, TEXT, max_size=5),
}


def kind_of(value: Any) -> set[str]:
    """The kinds a value may be of; an empty container is of several."""
    if isinstance(value, bool):
        return {BOOL}
    if isinstance(value, int | str):
        return {INT if isinstance(value, int) else STR}
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        return {k for k, t in ((INTS, int), (STRS, str)) if kinds <= {t}}
    pairs = {(type(k), type(v)) for k, v in value.items()}
    return {k for k, p in ((TABLE, (str, int)), (COUNTS, (int, int)), (NAMES, (int, str))) if pairs <= {p}}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.takes}-{o.name}")
@settings(max_examples=20)
@given(data=st.data())
def test_total_pure_and_typed(operation: Operation, data: st.DataObject) -> None:
    """No value of its kind makes an operation raise; it changes no argument and gives what it says."""
    value = data.draw(VALUES[operation.takes])
    step = data.draw(st.sampled_from(operation.steps))
    before = copy.deepcopy(value)
    (result,) = step.apply([value])
    assert value == before
    assert operation.gives in kind_of(result)


def test_names_are_unique() -> None:
    """A kind and a name say which operation."""
    keys = [(o.takes, o.name) for o in OPERATIONS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.takes}-{o.name}")
def test_words_and_code_agree_on_the_constant(operation: Operation) -> None:
    """Every phrase names the constant if and only if the code does."""
    has_constant = operation.constants != (None,)
    assert bool(re.search(r"\bK\b", operation.code)) == has_constant
    assert all(bool(re.search(r"\bK\b", phrase)) == has_constant for phrase in operation.phrases)


def test_phrases_name_one_operation_of_a_kind() -> None:
    """No two operations of one kind share a phrase."""
    for operations in CATALOGUE.values():
        phrases = [phrase for operation in operations for phrase in operation.phrases]
        assert len(phrases) == len(set(phrases))


def test_mistakes_fit_where_the_step_was() -> None:
    """Every step can be mistaken for another one, which takes and gives the same kinds."""
    for operation in OPERATIONS:
        for step in operation.steps:
            assert mistakes(step)
            for other in mistakes(step):
                assert other is not step
                assert (other.operation.takes, other.operation.gives) == (operation.takes, operation.gives)


@pytest.mark.parametrize("kind", sorted(BATTERY))
def test_battery_is_wide(kind: str) -> None:
    """At least 24 different inputs of each kind, the empty or zero one first."""
    values = BATTERY[kind]
    assert not values[0]
    assert len({repr(value) for value in values}) == len(values) >= 24
    assert all(kind in kind_of(value) for value in values)


@pytest.mark.parametrize("kind", sorted(INPUTS))
def test_shown_inputs_are_never_hidden_ones(kind: str) -> None:
    """Public examples and hidden tests draw from disjoint inputs, so no example gives a test away."""
    assert not [value for value in SHOWN[kind] if value in BATTERY[kind]]
    assert all(kind in kind_of(value) for value in SHOWN[kind])
