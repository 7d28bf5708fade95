"""BFCL's messages."""

from __future__ import annotations

from typing import Any

import pytest

from bai.errors import ToolFault

SETUP = {
    "user_map": {"Ann": "USR001", "Ben": "USR002"},
    "user_count": 2,
    "current_user": "USR001",
    "inbox": [{"USR002": ["one", "two"]}, {"USR001": {"USR002": ["three"]}}, {"USR002": "four"}],
}


def test_what_was_sent_is_kept_by_receiver(start: Any) -> None:
    """A setup's texts without a sender are the user's own; others' are not shown as sent."""
    call = start("bfcl_messages", SETUP)[1]
    assert call("view_messages_sent") == {"messages": {"USR002": ["one", "two", "four"]}}
    assert call("get_message_stats") == {"stats": {"received_count": 1, "total_contacts": 1}}
    assert call("search_messages", keyword="O") == {
        "results": [{"receiver_id": "USR002", "message": text} for text in ("one", "two", "four")]
    }


def test_the_latest_message_to_somebody_is_taken_back(start: Any) -> None:
    """One's own alone, one at a time, until there is none."""
    source, call = start("bfcl_messages", SETUP)
    before = source.end_state()["inbox"]
    assert call("send_message", receiver_id="USR002", message="five")["sent_status"]
    for left in (["one", "two", "four"], ["one", "two"], ["one"]):
        assert call("delete_message", receiver_id="USR002")["deleted_status"]
        assert call("view_messages_sent") == {"messages": {"USR002": left}}
    assert not call("delete_message", receiver_id="USR001")["deleted_status"]
    assert source.end_state()["inbox"] == before[:1] + before[2:3]


def test_a_contact_gets_the_next_free_id(start: Any) -> None:
    """Once; an id that is taken is passed over."""
    call = start("bfcl_messages", {**SETUP, "user_map": {"Ann": "USR001", "Ben": "USR003"}})[1]
    assert call("add_contact", user_name="Cid")["user_id"] == "USR004"
    assert call("add_contact", user_name="Cid")["added_status"] is False
    assert call("list_users") == {"user_list": ["Ann", "Ben", "Cid"]}


def test_a_login_is_needed_and_needs_a_user(start: Any) -> None:
    """Without one nothing is sent or shown; names are found without."""
    call = start("bfcl_messages", {})[1]
    assert call("get_user_id", user="Bob") == {"user_id": "USR002"}
    for tool in ("view_messages_sent", "get_message_stats"):
        with pytest.raises(ToolFault, match="logged in"):
            call(tool)
    assert call("message_login", user_id="nobody")["login_status"] is False
    assert call("message_get_login_status") == {"login_status": False}
    assert call("message_login", user_id="USR001")["login_status"] is True
    assert call("send_message", receiver_id="USR002", message="hi")["message_id"] == 1
    with pytest.raises(ToolFault, match="no user"):
        call("send_message", receiver_id="Bob", message="hi")
    with pytest.raises(ToolFault, match="no user"):
        call("get_user_id", user="Zoe")
