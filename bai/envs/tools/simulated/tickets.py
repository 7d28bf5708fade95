"""A queue of support tickets (BFCL's TicketAPI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import UNSET, SimulatedApi, tool
from bai.errors import ToolFault

__all__ = ["TicketApi"]

_EDITABLE = ("title", "description", "status", "priority")


class TicketApi(SimulatedApi):
    """Creating a ticket and listing one's own need a login, which any name and password open; the rest does not.

    The next ticket's id is ``ticket_counter``. An entry of a setup's queue that has no ``id`` cannot be reached.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {"ticket_queue": [], "ticket_counter": 1, "current_user": None}

    @tool
    def ticket_login(self, username: str, password: str) -> Any:
        """Logs a user in."""
        if not username or not password:
            return {"success": False}
        self.state["current_user"] = username
        return {"success": True}

    @tool
    def ticket_get_login_status(self) -> Any:
        """Says whether a user is logged in."""
        return {"login_status": bool(self.state["current_user"])}

    @tool
    def logout(self) -> Any:
        """Logs the user out."""
        was, self.state["current_user"] = self.state["current_user"], None
        return {"success": bool(was)}

    @tool
    def create_ticket(self, title: str, description: str = "", priority: int = 1) -> Any:
        """Creates a ticket; priority goes from 1 to 5, the highest."""
        ticket = {"id": self.state["ticket_counter"], "title": title, "description": description, "status": "Open"}
        ticket |= {"priority": _priority(priority), "created_by": self._me()}
        self.state["ticket_queue"].append(ticket)
        self.state["ticket_counter"] += 1
        return {name: value for name, value in ticket.items() if name != "created_by"}

    @tool
    def get_ticket(self, ticket_id: int) -> Any:
        """Shows a ticket."""
        return self._ticket(ticket_id)

    @tool
    def get_user_tickets(self, status: str = UNSET) -> Any:
        """Shows the tickets that the user created, all or those of a status."""
        me = self._me()
        mine = [ticket for ticket in self.state["ticket_queue"] if ticket.get("created_by") == me]
        return [ticket for ticket in mine if status == UNSET or _same(ticket, status)]

    @tool
    def edit_ticket(self, ticket_id: int, updates: dict[str, Any]) -> Any:
        """Changes fields of a ticket."""
        ticket, unknown = self._ticket(ticket_id), set(updates) - set(_EDITABLE)
        if unknown:
            raise ToolFault(f"what can be changed is {', '.join(_EDITABLE)}; got {', '.join(sorted(unknown)):.200}")
        if "priority" in updates:
            _priority(updates["priority"])
        ticket.update(updates)
        return {"status": f"Ticket {ticket_id} has been updated."}

    @tool
    def resolve_ticket(self, ticket_id: int, resolution: str) -> Any:
        """Resolves a ticket with a resolution."""
        ticket = self._ticket(ticket_id)
        if _same(ticket, "Resolved"):
            raise ToolFault(f"ticket {ticket_id} is resolved already")
        ticket.update(status="Resolved", resolution=resolution)
        return {"status": f"Ticket {ticket_id} has been resolved."}

    @tool
    def close_ticket(self, ticket_id: int) -> Any:
        """Closes a ticket."""
        ticket = self._ticket(ticket_id)
        if _same(ticket, "Closed"):
            raise ToolFault(f"ticket {ticket_id} is closed already")
        ticket["status"] = "Closed"
        return {"status": f"Ticket {ticket_id} has been closed."}

    def _me(self) -> str:
        if not self.state["current_user"]:
            raise ToolFault("no user is logged in")
        return str(self.state["current_user"])

    def _ticket(self, ticket_id: int) -> dict[str, Any]:
        for ticket in self.state["ticket_queue"]:
            if ticket.get("id") == ticket_id:
                found: dict[str, Any] = ticket
                return found
        raise ToolFault(f"there is no ticket {ticket_id}")


def _same(ticket: Mapping[str, Any], status: str) -> bool:
    return str(ticket.get("status", "")).lower() == status.lower()


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
        raise ToolFault(f"expected a priority from 1 to 5; got {value!r:.40}")
    return value
