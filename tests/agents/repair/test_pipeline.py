"""Localisation and repair of a small project in a real sandbox."""

from __future__ import annotations

import pytest
from bai_money import ISSUE, MODULE, TESTS

from bai.agents.policies.text import TextPolicy
from bai.agents.repair.coverage import Spectrum
from bai.agents.repair.pipeline import RepairConfig, RepairPipeline
from bai.agents.repair.trials import Trials
from bai.envs.repository.tree import Entry
from bai.errors import ConfigError
from bai.policy import Completion

FAULT = ("money.py", 17)
CONFIG = RepairConfig(mutants=64, enough=1, test_s=2.0)


class Author(TextPolicy):
    """Answers what it was given, and remembers what it was asked."""

    name = "author"

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def begin(self, messages):
        self.asked += [message.content for message in messages]
        return super().begin(messages)

    def extend(self, context, observation):
        raise AssertionError("one turn is enough")

    def generate(self, contexts, n, sampling, seeds):
        drawn = [self.answers.pop(0) for _ in range(n)]
        return [[Completion(text=text, stop_reason="eos") for text in drawn]]


def edit(search, replace):
    return f"```edit\nmoney.py\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```"


def test_each_test_has_its_lines(machine, tree):
    """Coverage tells which test ran which line, and changes are tried one by one and undone."""
    with Trials(machine, tree, ["tests"]) as trials:
        base = trials.trace()
        broken = MODULE.replace("return max", "return min")
        first, second, third = trials.run([{"money.py": broken}, {}, {"money.py": "syntax error"}])
    spectrum = Spectrum.of(base, {"money.py"})
    assert FAULT not in spectrum.lines  # no visible test adds coins up
    assert spectrum.lines["money.py", 24] == {"tests/test_money.py::test_largest"}
    assert base.passed == second.passed == first.passed | {"tests/test_money.py::test_largest"}
    assert not third.passed


def test_a_test_without_end_is_ended(machine, tree):
    """A change that makes a test endless costs the time of one test, and the next change is tried as if nothing was."""
    endless = MODULE.replace("if not self.coins:", "while True:\n            pass\n        if 0:")
    with Trials(machine, tree, ["tests"], test_s=1.0) as trials:
        trials.trace()
        hung, sound = trials.run([{"money.py": endless}, {}])
    assert "tests/test_money.py::test_largest" not in hung.passed
    assert len(sound.passed) == 3


def test_reports_of_another_form_count_as_nothing(machine, tree):
    """Tested code that writes into the report, or ends its process, is no more than a change that tells nothing."""
    hostile = "import os\nos.write(1, b'{\"statuses\": 1}')\nos._exit(0)\n"
    with Trials(machine, tree, ["tests"]) as trials:
        assert trials.run([{"money.py": hostile}])[0].statuses == {}


def test_localisation_from_the_issue(machine, tree):
    """The issue's script fails where the visible tests pass, and the faulty function and line come first."""
    ranking = RepairPipeline(CONFIG).localise(tree, machine, ISSUE)
    assert ranking.failing == ("test_bai_issue.py::test_issue[0]",)
    assert ranking.top_units(1, "function")[0].name == "Purse.total"
    assert FAULT in ranking.top_lines(3)


def test_localisation_from_words_alone(machine, tree):
    """Where no test fails, the text decides."""
    ranking = RepairPipeline(CONFIG).localise(tree, machine, "The total of a purse is wrong.")
    assert ranking.top_units(1, "function")[0].name == "Purse.total"
    assert FAULT in ranking.lines


def test_templates_repair(machine, tree):
    """A template mends the fault; the edits that were tried put the faulty line first."""
    solution = RepairPipeline(CONFIG).solve(tree, machine, ISSUE)
    best = solution.candidates[0]
    assert best.is_plausible and best.changes["money.py"] == MODULE.replace("amount -= coin", "amount += coin")
    assert solution.ranking.top_lines(1) == [FAULT]


def test_a_policy_repairs(machine, tree):
    """Answers that cannot be read or break tests come after one that mends; the prompt holds the located code."""
    right = edit("            amount -= coin", "            amount = amount + coin")
    wrong = edit("        return max(self.coins)", "        return min(self.coins)")
    author = Author(wrong, "no idea", right, right)
    pipeline = RepairPipeline(RepairConfig(mutants=0, samples=4), author)
    found = pipeline.repair(tree, machine, ISSUE)
    assert found[0].is_plausible and "amount = amount + coin" in found[0].changes["money.py"]
    assert [one.regressions for one in found] == [0, 1]
    assert "amount -= coin" in author.asked[0] and "class Purse:" in author.asked[0]


def test_visible_failing_tests_are_enough(machine, tree):
    """Without an issue, failing tests of the repository lead to the fault."""
    more = TESTS + "\n\ndef test_total():\n    assert Purse([2]).total() == 2\n"
    tree = tree.changed({"tests/test_money.py": Entry(data=more.encode())})
    found = RepairPipeline(CONFIG).repair(tree, machine)
    assert found[0].is_plausible and found[0].source.startswith("template:")


@pytest.mark.parametrize("options", [{"formula": "best"}, {"mutants": -1}, {"samples": 0}, {"enough": 1.5}])
def test_bad_settings(options):
    """A setting out of range is refused with its name."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        RepairConfig(**options)
