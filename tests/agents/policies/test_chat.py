"""What people say stays text, and a conversation only ever grows."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.agents.policies.chat import ChatFormat
from bai.errors import ConfigError
from bai.models import encode_messages
from bai.types import Message

SPELLINGS = ["<|end|>", "<|assistant|>", "<|user|>", "<|pad|>", "<thought>", "</thought>", "<clarify>"]
texts = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(SPELLINGS)), max_size=4).map("".join)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def chatml(tokenizer):
    """Another template, whose turn-ending token is not the end token."""
    other = copy.deepcopy(tokenizer)
    other.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    other.chat_template = CHATML
    return other


@pytest.fixture(scope="module")
def plain(tokenizer):
    """A tokenizer without a chat template."""
    other = copy.deepcopy(tokenizer)
    other.chat_template = None
    return other


def say(role, text):
    return Message(role=role, content=text)


def test_our_own_template_is_followed(tokenizer):
    """For our tokenizer the tokens are those of its own encoder."""
    messages = [say("system", "be brief"), say("user", "sort <|end|> xs")]
    expected = encode_messages(tokenizer, messages, add_generation_prompt=True)
    assert ChatFormat(tokenizer).begin(messages) == expected


@given(texts)
def test_user_text_never_becomes_a_special_token(tokenizer, text):
    """Whatever is said, the only special tokens are the template's own, and the text is unchanged."""
    chat = ChatFormat(tokenizer)
    special = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
    ids = chat.encode_text(text)
    assert not special & set(ids)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text.encode("utf-8", "replace").decode()
    frame = len(chat.begin([say("user", "")]))
    assert chat.begin([say("user", text)])[: frame - 2] == chat.begin([say("user", "")])[: frame - 2]


@pytest.mark.parametrize("name", ["tokenizer", "chatml", "plain"])
def test_growing_turn_by_turn_equals_encoding_at_once(request, name):
    """A rollout's tokens are the tokens supervised training saw, and old tokens are a prefix of new ones."""
    chat = ChatFormat(request.getfixturevalue(name))
    messages = [say("user", "one"), say("assistant", "two"), say("user", "three"), say("assistant", "four")]
    whole = chat.encode_chat(messages)
    ids = chat.begin(messages[:1])
    ids += [*chat.encode_answer("two"), chat.end_ids[0]]
    ids += chat.extend(ids[-1], "three")
    ids += [*chat.encode_answer("four"), chat.end_ids[0]]
    assert tuple(ids) == whole.token_ids


def test_loss_covers_the_answers_and_their_ends(tokenizer):
    """Trained tokens decode to the answers, each with its end token."""
    chat = ChatFormat(tokenizer)
    encoded = chat.encode_chat(
        [say("user", "one"), say("assistant", "<thought>two</thought>"), say("user", "three"), say("assistant", "4")]
    )
    trained = [i for i, is_trained in zip(encoded.token_ids, encoded.loss_mask, strict=True) if is_trained]
    assert tokenizer.decode(trained, skip_special_tokens=False) == "<thought>two</thought><|end|>4<|end|>"
    assert tokenizer.convert_tokens_to_ids("<thought>") in trained


def test_an_unfinished_turn_is_closed_once(tokenizer):
    """After a cut answer the end token is written, after a finished one it is not written twice."""
    chat = ChatFormat(tokenizer)
    end = tokenizer.eos_token_id
    assert chat.extend(50, "x")[0] == end
    assert chat.extend(end, "x") == chat.extend(50, "x")[1:]


def test_a_templates_own_turn_end_is_found(chatml):
    """With ChatML the answer ends with ``<|im_end|>``, and the end token ends it too."""
    assert ChatFormat(chatml).end_ids == (chatml.convert_tokens_to_ids("<|im_end|>"), chatml.eos_token_id)


def test_bad_input_is_refused(tokenizer):
    """Templates that drop messages, tokenizers without an end, conversations out of order."""
    chat = ChatFormat(tokenizer)
    with pytest.raises(ConfigError, match="at least one message"):
        chat.begin([])
    with pytest.raises(ConfigError, match="ends with the assistant's turn"):
        chat.encode_chat([say("user", "x")])
    with pytest.raises(ConfigError, match="must alternate"):
        chat.encode_chat(
            [say("user", "x"), say("assistant", "y"), say("user", "z"), say("user", "w"), say("assistant", "")]
        )
    dropping = copy.deepcopy(tokenizer)
    dropping.chat_template = "{{ messages[0]['content'] }}"
    with pytest.raises(ConfigError, match="once and in order"):
        ChatFormat(dropping)
    refusing = copy.deepcopy(tokenizer)
    refusing.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(ConfigError, match="refuses roles"):
        ChatFormat(refusing)
    endless = copy.deepcopy(tokenizer)
    endless.eos_token = None
    with pytest.raises(ConfigError, match="end token"):
        ChatFormat(endless)
