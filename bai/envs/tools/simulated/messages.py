"""A workspace's messages (BFCL's MessageAPI)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import SimulatedApi, tool
from bai.errors import ToolFault

__all__ = ["MessageApi"]


class MessageApi(SimulatedApi):
    """Users have ids; whoever is logged in sends, reads what was sent, and takes it back.

    A setup's ``inbox`` lists objects from a receiver's id to what was sent there: a text, texts, or texts by sender.
    Where no sender is named it is whoever the setup logs in. A setup without users finds Alice, Bob, Catherine and
    Daniel there, USR001 to USR004.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "user_map": {"Alice": "USR001", "Bob": "USR002", "Catherine": "USR003", "Daniel": "USR004"},
        "user_count": 4,
        "current_user": None,
        "message_count": 0,
        "inbox": [],
    }

    def _adapted(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        sent = (message for entry in setup.get("inbox", []) for message in _sent(entry, setup.get("current_user")))
        return {**setup, "inbox": list(sent)}

    @tool
    def list_users(self) -> Any:
        """Lists the names of all users."""
        return {"user_list": list(self.state["user_map"])}

    @tool
    def get_user_id(self, user: str) -> Any:
        """Gives the id of a user."""
        if user not in self.state["user_map"]:
            raise ToolFault(f"there is no user {user!r:.80}")
        return {"user_id": self.state["user_map"][user]}

    @tool
    def message_login(self, user_id: str) -> Any:
        """Logs a user in by id."""
        if user_id not in self.state["user_map"].values():
            return {"login_status": False, "message": f"There is no user with the id {user_id!r:.80}."}
        self.state["current_user"] = user_id
        return {"login_status": True, "message": f"Logged in as {user_id}."}

    @tool
    def message_get_login_status(self) -> Any:
        """Says whether somebody is logged in."""
        return {"login_status": self.state["current_user"] is not None}

    @tool
    def add_contact(self, user_name: str) -> Any:
        """Adds a user to the workspace, with the next free id."""
        self._me()
        users = self.state["user_map"]
        if user_name in users:
            return {"added_status": False, "user_id": users[user_name], "message": f"{user_name!r} is a contact."}
        count = self.state["user_count"] + 1
        while (user_id := f"USR{count:03d}") in users.values():
            count += 1
        users[user_name] = user_id
        self.state["user_count"] += 1
        return {"added_status": True, "user_id": user_id, "message": f"{user_name!r} was added."}

    @tool
    def send_message(self, receiver_id: str, message: str) -> Any:
        """Sends a message to a user."""
        me = self._me()
        if receiver_id not in self.state["user_map"].values():
            raise ToolFault(f"there is no user with the id {receiver_id!r:.80}")
        self.state["inbox"].append({"sender_id": me, "receiver_id": receiver_id, "message": message})
        self.state["message_count"] += 1
        shown = f"The message to {receiver_id} was sent."
        return {"sent_status": True, "message_id": self.state["message_count"], "message": shown}

    @tool
    def delete_message(self, receiver_id: str) -> Any:
        """Deletes the latest message that was sent to a user."""
        me, inbox = self._me(), self.state["inbox"]
        for index in reversed(range(len(inbox))):
            if (inbox[index]["sender_id"], inbox[index]["receiver_id"]) == (me, receiver_id):
                del inbox[index]
                shown = f"The latest message to {receiver_id} was deleted."
                return {"deleted_status": True, "receiver_id": receiver_id, "message": shown}
        shown = f"There is no message to {receiver_id!r:.80}."
        return {"deleted_status": False, "receiver_id": receiver_id, "message": shown}

    @tool
    def view_messages_sent(self) -> Any:
        """Shows all messages that the user has sent, by receiver."""
        grouped: dict[str, list[str]] = {}
        for sent in self._mine():
            grouped.setdefault(sent["receiver_id"], []).append(sent["message"])
        return {"messages": grouped}

    @tool
    def search_messages(self, keyword: str) -> Any:
        """Finds messages that the user has sent and that hold a word, whatever its case."""
        found = [sent for sent in self._mine() if keyword.lower() in sent["message"].lower()]
        return {"results": [{"receiver_id": sent["receiver_id"], "message": sent["message"]} for sent in found]}

    @tool
    def get_message_stats(self) -> Any:
        """Counts the messages that the user has received, and the people written to."""
        me = self._me()
        received = sum(sent["receiver_id"] == me for sent in self.state["inbox"])
        return {"stats": {"received_count": received, "total_contacts": len({s["receiver_id"] for s in self._mine()})}}

    def _me(self) -> str:
        if self.state["current_user"] is None:
            raise ToolFault("no user is logged in")
        return str(self.state["current_user"])

    def _mine(self) -> list[dict[str, Any]]:
        me = self._me()
        return [sent for sent in self.state["inbox"] if sent["sender_id"] == me]


def _sent(entry: Mapping[str, Any], sender: str | None) -> Iterator[dict[str, Any]]:
    for receiver, texts in entry.items():
        by_sender = texts if isinstance(texts, Mapping) else {sender: [texts] if isinstance(texts, str) else texts}
        for name, several in by_sender.items():
            yield from ({"sender_id": name, "receiver_id": receiver, "message": text} for text in several)
