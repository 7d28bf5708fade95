"""A scenario about "you", said by the one it is about."""

from __future__ import annotations

import pytest

from bai.envs.tasks.retail.user import first_person, messages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("You want to return your lamp.", "I want to return my lamp."),
        ("You name is Jo Doe and your zip code is 1.", "My name is Jo Doe and my zip code is 1."),
        ("You are sad. If you're asked, you'd wait", "I am sad. If I'm asked, I'd wait."),
        ("If the agent asks you to confirm, you refuse", "If the agent asks me to confirm, I refuse."),
        ("It is yours; tell it to yourself", "It is mine; tell it to myself."),
        ("You were there, you know", "I was there, I know."),
        ("brief.", "Brief."),
        (".", ""),
        ("", ""),
    ],
)
def test_you_becomes_i(text: str, said: str) -> None:
    """With the verb that goes with it; and me where something is done to it."""
    assert first_person(text) == said


def test_a_user_says_three_things() -> None:
    """What it wants, who it is and what it does not know, what else there is."""
    scenario = {
        "reason_for_call": "You want a lamp.",
        "known_info": "You are Jo",
        "unknown_info": "You don't know your email.",
        "task_instructions": ".",
    }
    wanted, who, more = messages(scenario)
    assert (wanted, who) == ("I want a lamp.", "I am Jo. I don't know my email.")
    assert more.endswith("please go ahead.")
    assert messages({**scenario, "unknown_info": None})[1] == "I am Jo."
