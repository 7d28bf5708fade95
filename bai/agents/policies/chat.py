"""Conversations as tokens, so that what anyone says stays text.

A chat template is rendered once with a sentinel in place of each message, and cut at the
sentinels. The pieces between them are the template's own and may hold special tokens;
the messages are encoded apart, and no spelling in them becomes a special token. A user who
writes ``<|end|>`` gets its letters. The same pieces close a turn and open the next, so a
conversation grows by appending and old tokens are never encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bai.errors import ConfigError
from bai.models.tokenizer import encode_text
from bai.types import Message

__all__ = ["ChatFormat", "EncodedChat"]

_SENTINEL = "\ue0f0{}\ue0f1"
"""Private-use characters: no template writes them, and templates pass them through."""


@dataclass(frozen=True, kw_only=True)
class EncodedChat:
    """A conversation as tokens, with the assistant's part marked."""

    token_ids: tuple[int, ...]
    """[T]."""
    loss_mask: tuple[bool, ...]
    """[T] true for the assistant's text and the token that ends its turn."""


class ChatFormat:
    """How one tokenizer writes conversations.

    Args:
        tokenizer: A transformers tokenizer. With a chat template, that is followed; without one each
            message is followed by a newline, and the assistant's by the end token.

    Raises:
        ConfigError: The template drops or reorders messages, or the tokenizer has no end token.
    """

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise ConfigError("the tokenizer needs an end token (eos_token); it has none")
        self._tokenizer = tokenizer
        self._pieces: dict[tuple[str, ...], list[list[int]]] = {}
        self._close, self._open = self._frame(("user", "assistant", "user"))[2:]
        self.end_ids = self._find_end_ids()
        """Tokens that end the assistant's turn; the first is the one to train on."""

    def encode_text(self, text: str) -> list[int]:
        """Gives the tokens of text that nobody vouches for; no special or control token is among them.

        Lone surrogates, which no tokenizer takes, become question marks.
        """
        return encode_text(self._tokenizer, _encodable(text))

    def begin(self, messages: Sequence[Message]) -> list[int]:
        """Gives the tokens of a conversation up to where the assistant is to speak.

        Raises:
            ConfigError: There is no message.
        """
        if not messages:
            raise ConfigError("a conversation needs at least one message; got none")
        pieces = self._frame(tuple(message.role for message in messages))
        ids = list(pieces[0])
        for message, piece in zip(messages, pieces[1:], strict=True):
            ids += self.encode_text(message.content) + piece
        return ids

    def extend(self, last_token: int, observation: str) -> list[int]:
        """Gives the tokens that close the assistant's turn, say ``observation`` and open its next turn.

        Args:
            last_token: The last token so far; an end token there is not written twice.
            observation: What the environment says.
        """
        close = self._close
        if close and close[0] == last_token and last_token in self.end_ids:
            close = close[1:]
        return [*close, *self.encode_text(observation), *self._open]

    def encode_chat(self, messages: Sequence[Message]) -> EncodedChat:
        """Encodes a whole conversation for supervised training, just as rollouts will see it.

        The assistant's turns end with the end token, which is trained on; what follows the last one is
        left out.

        Raises:
            ConfigError: The last message is not the assistant's, or the first one is.
        """
        roles = [message.role for message in messages]
        if len(roles) < 2 or roles[-1] != "assistant" or roles[0] == "assistant":
            raise ConfigError(f"expected a conversation that ends with the assistant's turn; got roles {roles}")
        split = roles.index("assistant")
        ids = self.begin(messages[:split])
        mask = [False] * len(ids)
        for message, following in zip(messages[split:], [*messages[split + 1 :], None], strict=True):
            if message.role == "assistant":
                answer = [*self.encode_answer(message.content), self.end_ids[0]]
                ids, mask = ids + answer, mask + [True] * len(answer)
            elif following is None or following.role != "assistant":
                raise ConfigError(f"after the first answer, turns must alternate; got roles {roles}")
            else:
                said = self.extend(ids[-1], message.content)
                ids, mask = ids + said, mask + [False] * len(said)
        return EncodedChat(token_ids=tuple(ids), loss_mask=tuple(mask))

    def encode_answer(self, text: str) -> list[int]:
        """Gives the tokens of the assistant's text: control tokens such as ``<thought>`` may be among them."""
        return encode_text(self._tokenizer, _encodable(text), allow_control=True)

    def _encode_template(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"])

    def _find_end_ids(self) -> tuple[int, ...]:
        """What the template writes to close the assistant's turn, where that is special, and the end token."""
        ids = [self._tokenizer.eos_token_id]
        if self._close and self._close[0] in self._tokenizer.all_special_ids and self._close[0] not in ids:
            ids.insert(0, self._close[0])
        return tuple(ids)

    def _frame(self, roles: tuple[str, ...]) -> list[list[int]]:
        """Gives the template's tokens before, between and after messages of these roles, up to the next answer."""
        if roles not in self._pieces:
            self._pieces[roles] = [self._encode_template(piece) for piece in self._cut(roles)]
        return self._pieces[roles]

    def _cut(self, roles: tuple[str, ...]) -> list[str]:
        marks = [_SENTINEL.format(index) for index in range(len(roles))]
        text = self._render([{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)])
        pieces = []
        for mark in marks:
            head, found, text = text.partition(mark)
            if not found or mark in text:
                raise ConfigError("the tokenizer's chat template must write each message once and in order")
            pieces.append(head)
        return [*pieces, text]

    def _render(self, messages: list[dict[str, str]]) -> str:
        if getattr(self._tokenizer, "chat_template", None):
            try:
                return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
            except Exception as error:
                roles = [message["role"] for message in messages]
                raise ConfigError(f"the tokenizer's chat template refuses roles {roles}: {error}") from error
        start, end = self._tokenizer.bos_token or "", self._tokenizer.eos_token
        return start + "".join(m["content"] + (end if m["role"] == "assistant" else "") + "\n" for m in messages)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
