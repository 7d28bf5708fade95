"""Every gold answer of the public sets equals itself in other words, and none that is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from bai.envs.grading.mathematics.comparing import Comparer
from bai.envs.grading.mathematics.parser import read
from bai.envs.tasks.maths.load import load_math_set

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]

Rewritten = Callable[[str, random.Random], Iterator[str]]
Perturbed = Callable[[str, random.Random], str]


@pytest.mark.parametrize("name", ["gsm8k", "math500"])
def test_every_gold_answer_equals_three_other_forms_of_it(
    name: str, data_dir: object, comparer: Comparer, rewritten: Rewritten
) -> None:
    """Other orders, separators, decimals, fractions that can be reduced, plain text: the same answer."""
    rng = random.Random(7)
    golds = [task.gold for task in load_math_set(name)]
    assert len(golds) == {"gsm8k": 7473, "math500": 500}[name]
    missed = [
        (gold, form)
        for gold in golds
        for form in (gold, *rewritten(gold, rng))
        if not comparer.compare(gold, form).equal
    ]
    assert missed == []


@pytest.mark.parametrize("name", ["gsm8k", "math500"])
def test_no_gold_answer_equals_a_perturbed_one(
    name: str, data_dir: object, comparer: Comparer, perturbed: Perturbed
) -> None:
    """A thousand answers of each set in which one number is another: none is taken for the right one."""
    rng = random.Random(11)
    golds = [task.gold for task in load_math_set(name)]
    chosen = [rng.choice(golds) for _ in range(1000)] if name == "gsm8k" else golds * 2
    wrong = [(gold, perturbed(gold, rng)) for gold in chosen]
    assert [pair for pair in wrong if comparer.compare(*pair).equal] == []
    assert all(read(answer) for _, answer in wrong), "they are wrong, not unreadable"


def test_other_forms_are_other_words(data_dir: object, rewritten: Rewritten) -> None:
    """Over nine of ten forms differ from the gold answer in more than spaces."""
    rng = random.Random(7)
    pairs = [(task.gold, form) for task in load_math_set("math500") for form in rewritten(task.gold, rng)]
    other = [1 for gold, form in pairs if "".join(gold.split()) != "".join(form.split())]
    assert len(other) > 0.9 * len(pairs)
