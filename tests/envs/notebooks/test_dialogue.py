"""Reading an agent's text leniently, scoring it strictly, and pruning what failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.notebook import judge
from bai.envs.notebooks.dialogue import RETRY, prune_failures, read_action, tell_observation, write_answer, write_step
from bai.envs.notebooks.structure import CHECKS, structure_score
from bai.envs.tasks.notebook import Expected
from bai.types import Message

STEP = (
    "<step>\n<thought>Look.</thought>\n<action>python_executor</action>\n"
    "<action_input>\nprint(1)\n</action_input>\n</step>"
)
STOP = "<stop_analysis>\n<thought>Seen.</thought>\n<answer>\n@x[1]\n</answer>\n</stop_analysis>"


WORDS = st.text(alphabet="abc 123=()[]@'\"", min_size=1).map(str.strip).filter(bool)


class TestWriting:
    """What the gold answers say."""

    def test_it_is_the_form_that_is_asked_for(self) -> None:
        """Letter by letter, and nothing is missing in it."""
        assert (write_step("Look.", "print(1)"), write_answer("Seen.", "@x[1]")) == (STEP, STOP)

    @given(thought=WORDS, body=WORDS)
    def test_it_is_read_as_it_was_meant(self, thought: str, body: str) -> None:
        """A thought with code or with an answer."""
        for kind, text in (("run", write_step(thought, body)), ("answer", write_answer(thought, body))):
            said = read_action(text)
            assert (said.kind, said.thought, said.body) == (kind, thought, body)


class TestReading:
    """What is made of a text."""

    @pytest.mark.parametrize(
        "text",
        [
            STEP,
            STEP.upper().replace("LOOK", "Look").replace("PRINT(1)", "print(1)").replace("PYTHON_", "python_"),
            STEP.replace("action_input", "Action-Input").replace("<step>", "< Step >"),
            STEP.replace("action_input", "actioninput"),
            STEP.replace("</step>", ""),
            STEP.replace("</action_input>\n</step>", ""),
            STEP.replace("</action_input>", ""),
            STEP.replace("</thought>", "").replace("</action>", ""),
            STEP.replace("<action>python_executor</action>", ""),
            STEP.replace("print(1)", "```python\nprint(1)\n```"),
            STEP.replace("print(1)", "```\nprint(1)\n```\n"),
            STEP.replace("print(1)", "~~~py\nprint(1)"),
            STEP.replace("<action_input>\nprint(1)\n</action_input>", "```python\nprint(1)\n```"),
            f"Let me see.\n{STEP}",
            STEP + "\n<observation>\n1\n</observation>\n" + STEP.replace("print(1)", "print(2)"),
            STEP.replace("</step>", "") + "\n<observation>\n1\n</observation>\n" + STOP,
            STEP + STOP,
        ],
    )
    def test_the_first_step_is_run(self, text: str) -> None:
        """In whatever dress; what follows it was made up."""
        said = read_action(text)
        assert (said.kind, said.body) == ("run", "print(1)")
        assert said.thought in ("Look.", "LOOK.")

    @pytest.mark.parametrize(
        "text",
        [
            STOP,
            STOP.replace("</answer>\n</stop_analysis>", ""),
            STOP.replace("stop_analysis", "Stop Analysis"),
            "<answer>@x[1]</answer>",
            "<stop_analysis>@x[1]</stop_analysis>",
            STOP + STEP,
        ],
    )
    def test_an_answer_is_an_answer(self, text: str) -> None:
        """Alone, before steps, unclosed."""
        assert (read_action(text).kind, read_action(text).body) == ("answer", "@x[1]")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "none of these tags"),
            ("print(1)", "none of these tags"),
            ("```python\nprint(1)\n```", "none of these tags"),
            ("<step><thought>hm</thought></step>", "<step>, <thought>"),
            (STEP.replace("print(1)", ""), "got nothing"),
            (STEP.replace("print(1)", "```\n```"), "got nothing"),
            (STEP.replace("python_executor", "search"), "'search'"),
        ],
    )
    def test_anything_else_says_what_is_missing(self, text: str, told: str) -> None:
        """What was expected, and what came."""
        said = read_action(text)
        assert said.kind == "malformed" and said.body.startswith("expected") and told in said.body

    @pytest.mark.parametrize(
        "code", ["if x:\n    y = '<b>'\n\nprint(y)", "x = 1 < 2 > 3", "s = '''\n```\n'''\nprint(s)"]
    )
    def test_code_comes_whole(self, code: str) -> None:
        """Indentation, blank lines, angles and fences inside it."""
        assert read_action(STEP.replace("print(1)", code)).body == code

    @given(
        st.lists(
            st.sampled_from(
                [
                    "<step>",
                    "</step>",
                    "<thought>",
                    "<action_input>",
                    "</action_input>",
                    "<answer>",
                    "</answer>",
                    "<stop_analysis>",
                    "x",
                    "\n",
                    "```",
                    "<",
                    "> ",
                ]
            ),
            max_size=12,
        )
    )
    def test_any_text_is_read(self, parts: list[str]) -> None:
        """And scored."""
        text = "".join(parts)
        assert read_action(text).kind in ("run", "answer", "malformed")
        assert 0.0 <= structure_score(text) <= 1.0


class TestStructure:
    """A number for how well a raw text keeps to the form."""

    @pytest.mark.parametrize("text", [STEP, STOP, STEP.replace("print(1)", "if 1 < 2 > 0: print('<b>')")])
    def test_a_good_text_has_one(self, text: str) -> None:
        """Blanks around it do not matter."""
        assert structure_score(text) == structure_score(f"\n{text}\n") == 1.0

    @pytest.mark.parametrize(
        ("text", "lost"),
        [
            (STEP.replace("</step>", ""), {"closed", "one_block", "ordered"}),
            (STEP.replace("</action_input>", ""), {"closed", "ordered", "filled"}),
            (STEP.upper(), set(CHECKS)),
            (STEP + STOP, {"one_block"}),
            (STEP + "\nDone.", {"one_block"}),
            (STEP.replace("print(1)", " "), {"filled"}),
            (STEP.replace("python_executor", "bash"), {"filled"}),
            (STEP.replace("<thought>Look.</thought>\n", ""), {"ordered", "own"}),
            (STEP.replace("</step>", "<observation>1</observation></step>"), {"ordered", "own"}),
            ("", set(CHECKS)),
        ],
    )
    def test_each_fault_costs(self, text: str, lost: set[str]) -> None:
        """A fifth for each check, although reading may repair it."""
        failed = {name for name, check in CHECKS.items() if not check(text)}
        # An empty text makes nothing up; it has no thought either.
        assert failed == lost and structure_score(text) == pytest.approx(1 - len(lost) / 5)

    def test_an_episode_ends_with_its_only_answer(self) -> None:
        """Which is one point more beside those of its texts."""
        assert structure_score([STEP, STEP, STOP]) == 1.0
        assert structure_score([STEP, STEP]) == pytest.approx(2 / 3)
        assert structure_score([STOP, STOP]) == pytest.approx(2 / 3)
        assert structure_score([]) == 0.0


class TestSize:
    """Long texts, made to be slow to read."""

    @pytest.mark.parametrize(
        "part",
        [
            "<",
            "< ",
            "<step>",
            "<thought>",
            "<step><thought>",
            "`",
            "```\n",
            "``` ",
            "<step>```py ",
            "<action_input>```",
            "</answer>",
            "<answer>",
            "<action ",
            "@x[",
            "@x[[]",
            "<action_input>\n```\n",
        ],
    )
    def test_is_read_in_one_pass(self, part: str) -> None:
        """The time limit of the test is a minute for what takes a second."""
        text = part * ((1 << 18) // len(part))
        for whole in (text, f"<step>{text}", f"<step><action_input>{text}", f"{text}</answer>"):
            read_action(whole)
            assert 0.0 <= structure_score(whole) <= 1.0
            judge((Expected(name="x", value="1"),), whole)


class TestPruning:
    """Failed steps leave the context, all but the last."""

    def transcript(self, *failed: bool) -> list[Message]:
        messages = [Message(role="system", content="s"), Message(role="user", content="task")]
        for index, fails in enumerate(failed):
            messages.append(Message(role="assistant", content=f"cell {index}"))
            messages.append(Message(role="user", content=tell_observation(f"{RETRY}\nx", failed=fails, left=3)))
        return messages

    @given(st.lists(st.booleans(), max_size=8))
    def test_keeps_the_last_failure_and_all_else(self, failed: list[bool]) -> None:
        """In order; what a cell printed is not taken for a failure."""
        messages = self.transcript(*failed)
        last = max((index for index, fails in enumerate(failed) if fails), default=-1)
        kept = [m.content for m in prune_failures(messages) if m.role == "assistant"]
        assert kept == [f"cell {index}" for index, fails in enumerate(failed) if not fails or index == last]
        assert prune_failures(messages)[:2] == messages[:2]
        assert prune_failures(prune_failures(messages)) == prune_failures(messages)
