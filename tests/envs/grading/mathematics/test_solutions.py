"""What of a solution counts: its final answer, its steps, and that it was worked out."""

from __future__ import annotations

import pytest

from bai.envs.grading.mathematics.final import final_answer, marked_answer
from bai.envs.grading.mathematics.grader import MathGrader
from bai.envs.grading.mathematics.puzzles import why_no_solution
from bai.envs.grading.mathematics.steps import split_steps
from bai.envs.grading.mathematics.worked_out import repeats
from bai.envs.tasks.maths.task import MathTask

ANSWERS = [
    ("so \\boxed{5} it is", "5"), ("\\boxed{4} no, \\boxed{5}", "5"), ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
    ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"), ("\\boxed 5.", "5"), ("\\boxed{5", "5"), ("\\fbox{7}", "7"),
    ("<answer> 5 </answer>", "5"), ("<answer>4</answer><answer>5</answer>", "5"), ("<answer>5", "5"),
    ("2 + 3\n#### 5", "5"), ("#### 4\n#### 5\nDone.", "5"), ("The answer is 5.", "5"), ("The answer is: 5. Bye.", "5"),
    ("Final answer = 3.5", "3.5"), ("ANSWER: x = 5\nas was to be shown", "x = 5"), ("first\n\n5\n", "5"), ("5", "5"),
    ("\\boxed{5}\n#### 6\nThe answer is 7", "5"), ("#### 6\nThe answer is 7", "6"), ("The answer is 7\n8", "7"),
    ("", ""), ("\n \n", ""), ("##### 5\n6", "6"),
]  # fmt: skip


@pytest.mark.parametrize(("solution", "answer"), ANSWERS)
def test_the_final_answer_is_found_by_the_first_rule_that_finds_one(solution: str, answer: str) -> None:
    """A box, a tag, hashes, words, the last line; of several of a kind the last."""
    assert final_answer(solution) == answer


def test_a_last_line_is_no_mark() -> None:
    """Whether an answer was marked is told apart from where one would be looked for."""
    assert marked_answer("x = 5") is None
    assert marked_answer("\\boxed{}") == ""


STEPS = [
    ("one\ntwo\n\nthree", ["one", "two", "three"]),
    ("  one  \n\n\n", ["one"]),
    ("see\n```python\nx = 1\n\ny = 2\n```\nso", ["see", "```python\nx = 1\n\ny = 2\n```", "so"]),
    ("\\[ x\n= 2 \\]\nend", ["\\[ x\n= 2 \\]", "end"]),
    ("$$\nx\n$$\nend", ["$$\nx\n$$", "end"]),
    (
        "\\begin{a}\n\\begin{b}\nx\n\\end{b}\n\\end{a} so\nend",
        ["\\begin{a}\n\\begin{b}\nx\n\\end{b}\n\\end{a} so", "end"],
    ),
    ("```\nnever closed\n\nx", ["```\nnever closed\n\nx"]),
    ("", []),
]


@pytest.mark.parametrize(("solution", "steps"), STEPS)
def test_a_step_is_a_line_and_what_belongs_to_it(solution: str, steps: list[str]) -> None:
    """Lines are steps; fences, displays and environments are not torn apart."""
    assert [solution[start:end] for start, end in split_steps(solution)] == steps


@pytest.mark.parametrize(
    ("problem", "gold", "answer", "repeated"),
    [
        ("Expand $(x+1)(x+2)$.", "x^2+3x+2", "(x+1)(x+2)", True),
        ("Expand $(x+1)(x+2)$.", "x^2+3x+2", "(2 + x)(1 + x)", True),
        ("Expand $(x+1)(x+2)$.", "x^2+3x+2", "2 + x^2 + 3x", False),
        ("Factor \\[x^2+3x+2.\\]", "(x+1)(x+2)", "x^2+3x+2", True),
        ("If $y = \\tan 60^\\circ$, find y.", "\\sqrt{3}", "\\tan 60^\\circ", True),
        ("Is $\\frac{1}{2}$ more than 0.3? Give it.", "0.5", "\\frac{1}{2}", False),
        ("Which is larger, $2\\sqrt{2}$ or 2?", "2\\sqrt{2}", "\\sqrt{2} * 2", False),
    ],
)
def test_the_problem_said_again_is_no_answer(problem: str, gold: str, answer: str, repeated: bool) -> None:
    """A formula of the problem, in any order, is refused; the right answer never is, nor is a number."""
    assert repeats(problem, gold, answer) is repeated


def test_a_repeated_problem_earns_nothing() -> None:
    """Equal, and yet failed; the verdict says why and not what is right."""
    task = MathTask(task_id="t", prompt="Expand $(x+1)(x+2)$.", gold="x^2+3x+2")
    verdict = MathGrader().grade(task, "\\boxed{(x+2)(x+1)}")
    assert (verdict.status, verdict.score, verdict.detail) == ("failed", 0.0, "the answer repeats the problem")


@pytest.mark.parametrize(
    "answer",
    ["6 * 4 * 1 * 1", "6*4/(1*1)", "4 * 6 * 1 / 1", "6 × 4 ÷ 1 ÷ 1 = 24",
     "\\frac{6 \\cdot 4}{1} \\times 1", "(1 * 1) * (4 * 6)"],
)  # fmt: skip
def test_an_expression_of_every_number_that_comes_to_24_solves_a_puzzle(answer: str) -> None:
    """In LaTeX or plain, with or without ``= 24`` behind it."""
    assert why_no_solution(answer, (1, 1, 4, 6), 24) == ""


@pytest.mark.parametrize(
    "answer",
    ["", "24", "6 * 4", "6 * 4 * 1 * 1 * 1", "6 * 4 + 1 + 1", "-6 * -4 * 1 * 1", "6 * 4 * 11", "6 * 4 ^ 1 * 1",
     "6 * 4 * 1 / (1 - 1)", "24 = 6 * 4 * 1 * 1", "6 * 4 * 1 * 1 = 25", "1 4/6 + 1", "4! * 1 * 1 + 6",
     "4.0 * 6 * 1 * 1",
     "6 * 4 * 1, 1", "x * 6 * 4 * 1", "(6 * 4 * 1 * 1", "9^9^9^9"],
)  # fmt: skip
def test_anything_else_does_not(answer: str) -> None:
    """Other numbers, other operations, other results, digits put together, no expression at all."""
    assert why_no_solution(answer, (1, 1, 4, 6), 24) != ""


def test_the_exact_value_counts() -> None:
    """Thirds are not rounded: 8 / (3 - 8/3) is 24, and what is only near is not."""
    assert why_no_solution("8 / (3 - 8/3)", (3, 3, 8, 8), 24) == ""
    assert why_no_solution("8 * 3 + 3/8", (3, 3, 8, 8), 24) != ""
