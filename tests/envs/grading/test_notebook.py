"""Judging answers of notebooks by DABench's rules, and every label of DABench by them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.notebook import accepts, judge, read_answers
from bai.envs.tasks.notebook import Expected
from bai.envs.tasks.notebook_dabench import load_dabench


def forms(value: str) -> list[str]:
    """Ways of writing a value that the rules take for the same: as it is and, for a number, as other texts of it."""
    try:
        number = float(value)
    except ValueError:
        bare = value.strip('"')
        return [value, f" {value} ", bare, f"'{bare}'", f'"{bare}"']
    zeros = value if "." in value else f"{value}."
    written = [value, f"{zeros}0", f"{zeros}00000", f"{number!r}", f"{number:.6f}", f"{number:.17e}"]
    # Beyond a million, a number has no room for so little.
    written += [f"{number + 4e-7!r}"] if abs(number) < 1e6 else []
    return [*written, *([f"+{value}"] if number >= 0 else [])]


def perturbed(value: str) -> list[str]:
    """Other values: numbers beside it by the last digit and more, other texts."""
    try:
        number = float(value)
    except ValueError:
        return [f"{value}x", value[:-1], value.swapcase(), f"not {value}", ""]
    digits = len(value.partition(".")[2])
    step = 10.0**-digits
    return [
        f"{number + step:.{digits}f}",
        f"{number - step:.{digits}f}",
        f"{number * 2 + 1}",
        f"{value}%",
        "nan",
        "",
        f"{number + 1e-5:.8f}",
        f"about {value}",
    ]


@pytest.mark.data
class TestDABench:
    """All 114 labels."""

    def test_accept_themselves_and_no_other(self, data_dir: Path) -> None:
        """In every form that the rules allow; whatever is altered is rejected."""
        tasks = load_dabench(data_dir / "notebook" / "dabench")
        assert len(tasks) == 114
        for task in tasks:
            for item in task.expected:
                assert all(accepts(item, form) for form in forms(item.value)), item
                wrong = [other for other in perturbed(item.value) if other != item.value]
                assert wrong and not any(accepts(item, other) for other in wrong), item

    def test_whole_answers_pass_and_altered_ones_fail(self, data_dir: Path) -> None:
        """In any order, with words around; with one value altered, left out or renamed they don't."""
        for task in load_dabench(data_dir / "notebook" / "dabench"):
            pairs = [(item.name, item.value) for item in task.expected]
            text = ", ".join(f"@{name}[{value}]" for name, value in reversed(pairs))
            assert judge(task.expected, f"I found {text}.").score == 1.0, task.task_id
            assert judge(task.expected, "").score == 0.0
            for index, (name, value) in enumerate(pairs):
                rest = " ".join(f"@{n}[{v}]" for n, v in [*pairs[:index], *pairs[index + 1 :]])
                for altered in (rest, f"{rest} @{name}[{perturbed(value)[0]}]", f"{rest} @{name}_[{value}]"):
                    verdict = judge(task.expected, altered)
                    assert verdict.status == "failed" and verdict.score < 1.0, (task.task_id, altered)


class TestRules:
    """What the rules say beyond labels."""

    def test_of_a_name_the_last_value_counts(self) -> None:
        """Several guesses are no better than the last."""
        expected = (Expected(name="x", value="1"),)
        assert judge(expected, "@x[2] @x[1]").score == 1.0
        assert judge(expected, "@x[1] @x[2]").score == 0.0

    def test_a_name_with_several_labels_takes_as_many_values(self) -> None:
        """In any order; one value meets one label."""
        expected = tuple(Expected(name="x", value=value) for value in ("1", "2", "2"))
        assert judge(expected, "@x[2] @x[1] @x[2.0]").score == 1.0
        assert judge(expected, "@x[2]").score == pytest.approx(1 / 3)
        assert judge(expected, "@x[2] @x[2] @x[2]").score == pytest.approx(2 / 3)

    def test_brackets_nest(self) -> None:
        """A list may be a value; a bracket that never closes ends nothing."""
        assert read_answers("@x[[1, 2]] @y[a") == {"x": ["[1, 2]"], "y": ["a"]}
        assert read_answers("@x[[1] @y[2]") == {"x": ["[1"], "y": ["2"]}

    @pytest.mark.parametrize(
        "said", ["nan", "inf", "1_0", "0x1", "1e999999", "١", "1,0", "--1", "1" * 100_000, "1e5" * 9]
    )
    def test_odd_numbers_are_texts(self, said: str) -> None:
        """They are not taken for numbers, and raise nothing."""
        assert not accepts(Expected(name="x", value="10"), said)
        assert not accepts(Expected(name="x", value="10", tolerance=1e9), "nan")

    def test_a_missing_picture_is_one_more_value(self) -> None:
        """That is wrong."""
        expected = (Expected(name="x", value="1"),)
        assert judge(expected, "@x[1]", pictures=0, wanted_pictures=1).score == 0.5
        assert judge(expected, "@x[1]", pictures=3, wanted_pictures=1).status == "passed"

    def test_the_detail_holds_no_value(self) -> None:
        """Only how many are right."""
        verdict = judge((Expected(name="x", value="secret"), Expected(name="y", value="2")), "@y[2]")
        assert "secret" not in verdict.detail and verdict.detail == "1 of 2 right, 1 not given"

    @given(st.text(st.sampled_from("@xy[]1. \n"), max_size=60))
    def test_any_text_is_judged(self, text: str) -> None:
        """And never raises."""
        verdict = judge((Expected(name="x", value="1"), Expected(name="y", value="1.1")), text)
        assert 0.0 <= verdict.score <= 1.0 and (verdict.status == "passed") == (verdict.score == 1.0)
