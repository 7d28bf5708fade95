"""Stop strings are found at the token that completes them, whatever the tokenizer did to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from bai.models import train_tokenizer
from bai.models.decoding.stops import StopFinder, token_bytes_table


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["return x + 1\nreturn xs[0]\n```python\nassert naïve é 漢字 🙂"] * 30, 330)


@pytest.fixture(scope="module")
def wordy():
    """A tokenizer that is not byte-level: words with a metaspace."""
    vocabulary = {word: index for index, word in enumerate(["<unk>", "</s>", "▁a", "▁b", "ab", "b", "▁", "é"])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")


def first_stop(finder, ids, stop):
    """Number of tokens after which a stop string was found, or None."""
    tail = finder.open(stop)
    return next((count for count, token in enumerate(ids, start=1) if tail.push(token)), None)


def by_whole_decode(tokenizer, ids, stop):
    """The same, decoding everything again after each token."""
    for count in range(1, len(ids) + 1):
        text = tokenizer.decode(ids[:count], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if any(word in text for word in stop):
            return count
    return None


def test_table_spells_every_token(tokenizer):
    """Joined bytes are what the tokenizer decodes, control and special tokens included."""
    table = token_bytes_table(tokenizer)
    text = "return 漢字 🙂\n<thought>x</thought><|end|>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(table[i] for i in ids).decode() == text


@given(data=st.data())
def test_found_as_soon_as_the_decoded_text_holds_it(tokenizer, data):
    """For random tokens, broken characters included, the tail agrees with decoding from the start."""
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=25))
    source = tokenizer.decode(ids, skip_special_tokens=False).replace("\ufffd", "")
    stop = ["é", "\n`", "return"]
    if source:
        start = data.draw(st.integers(0, len(source) - 1))
        stop.append(source[start : start + data.draw(st.integers(1, 6))])
    assert first_stop(StopFinder(tokenizer), ids, stop) == by_whole_decode(tokenizer, ids, stop)


@given(data=st.data())
def test_other_tokenizers_are_decoded(wordy, data):
    """Without a byte table a tail is decoded; it finds what decoding everything finds."""
    ids = data.draw(st.lists(st.integers(2, 7), max_size=40))
    stop = data.draw(st.lists(st.text("ab é", min_size=1, max_size=5).filter(lambda s: s.strip()), min_size=1))
    assert token_bytes_table(wordy) is None
    stop = [word.strip() for word in stop]
    assert first_stop(StopFinder(wordy), ids, stop) == by_whole_decode(wordy, ids, stop)


def test_stop_string_that_ends_inside_a_token(tokenizer):
    """The token in which the string completes is the last one."""
    ids = tokenizer("x return y", add_special_tokens=False)["input_ids"]
    assert first_stop(StopFinder(tokenizer), ids, ("retu",)) == by_whole_decode(tokenizer, ids, ("retu",))


def test_ids_beyond_the_tokenizer_have_no_text(tokenizer):
    """A model with padded embedding rows may draw an id that the tokenizer lacks."""
    assert not StopFinder(tokenizer).open(("x",)).push(10_000)
