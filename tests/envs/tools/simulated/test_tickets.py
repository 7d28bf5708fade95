"""BFCL's tickets."""

from __future__ import annotations

from typing import Any

import pytest

from bai.errors import ToolFault

SETUP = {"ticket_queue": [{"id": 5, "title": "old", "status": "open"}, {"odd": {}}], "ticket_counter": 9}


def test_a_ticket_goes_from_open_to_closed(start: Any) -> None:
    """Created, edited, resolved, closed; each end is reached once."""
    source, call = start("bfcl_tickets", SETUP)
    call("ticket_login", username="ann", password="x")
    made = call("create_ticket", title="new", priority=3)
    assert made == {"id": 9, "title": "new", "description": "", "status": "Open", "priority": 3}
    call("edit_ticket", ticket_id=9, updates={"priority": 5, "status": "Urgent"})
    assert call("get_ticket", ticket_id=9)["status"] == "Urgent"
    assert [ticket["id"] for ticket in call("get_user_tickets")] == [9]
    assert call("get_user_tickets", status="open") == []
    for tool, more in (("resolve_ticket", {"resolution": "done"}), ("close_ticket", {})):
        call(tool, ticket_id=9, **more)
        with pytest.raises(ToolFault, match="already"):
            call(tool, ticket_id=9, **more)
    assert source.end_state()["ticket_queue"][-1]["resolution"] == "done"


def test_only_creating_and_listing_need_a_login(start: Any) -> None:
    """An old ticket can be seen and closed by anybody."""
    call = start("bfcl_tickets", SETUP)[1]
    assert call("get_ticket", ticket_id=5)["title"] == "old"
    call("close_ticket", ticket_id=5)
    for tool, more in (("create_ticket", {"title": "x"}), ("get_user_tickets", {})):
        with pytest.raises(ToolFault, match="logged in"):
            call(tool, **more)
    assert call("ticket_login", username="ann", password="") == {"success": False}
    assert call("ticket_get_login_status") == {"login_status": False}
    assert [call("ticket_login", username="ann", password="x"), call("logout"), call("logout")] == [
        {"success": True},
        {"success": True},
        {"success": False},
    ]


def test_priorities_fields_and_ids_are_checked(start: Any) -> None:
    """From 1 to 5; only a ticket's own fields; only tickets that are there."""
    call = start("bfcl_tickets", {**SETUP, "current_user": "ann"})[1]
    for priority in (0, 6):
        with pytest.raises(ToolFault, match="from 1 to 5"):
            call("create_ticket", title="x", priority=priority)
    for updates in ({"id": 1}, {"priority": True}, {"priority": "high"}):
        with pytest.raises(ToolFault):
            call("edit_ticket", ticket_id=5, updates=updates)
    with pytest.raises(ToolFault, match="no ticket 1"):
        call("get_ticket", ticket_id=1)
