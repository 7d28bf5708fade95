"""Drawing a token and saying truly what it was drawn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bai.models.decoding.sampling import draw, row_uniforms, token_probabilities
from bai.policy import Sampling

logit_rows = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40)


def test_uniforms_depend_on_seed_and_index_alone():
    """A stream is the same however much of it is asked for, and differs from its neighbours."""
    long = row_uniforms(7, 3, 100)
    assert np.array_equal(long[:10], row_uniforms(7, 3, 10))
    assert not np.array_equal(long, row_uniforms(7, 4, 100))
    assert not np.array_equal(long, row_uniforms(8, 3, 100))
    assert ((long >= 0) & (long < 1)).all()


def test_any_integer_is_a_seed():
    """Negative and huge seeds are taken modulo 2**64."""
    assert np.array_equal(row_uniforms(-1, 0, 4), row_uniforms(2**64 - 1, 0, 4))
    assert np.array_equal(row_uniforms(2**70 + 5, 0, 4), row_uniforms(5, 0, 4))


@given(logit_rows, st.floats(0, 1, exclude_max=True), st.floats(0.1, 3))
def test_draw_inverts_the_distribution(row, uniform, temperature):
    """The token drawn is the one whose share of the unit interval holds the uniform."""
    logits = torch.tensor([row])
    sampling = Sampling(temperature=temperature)
    token = int(draw(logits, torch.tensor([uniform], dtype=torch.float64), sampling).tokens)
    probs = token_probabilities(logits, sampling)[0].double()
    upper = probs[: token + 1].sum()
    assert probs[token] > 0
    assert upper - probs[token] - 1e-5 <= uniform <= upper + 1e-5


@given(logit_rows, st.floats(0, 1, exclude_max=True), st.integers(0, 45), st.floats(0.05, 1))
def test_logprob_and_entropy_are_those_of_the_filtered_distribution(row, uniform, top_k, top_p):
    """What is reported is renormalised over what the filters left."""
    sampling = Sampling(temperature=0.7, top_k=top_k, top_p=top_p)
    drawn = draw(torch.tensor([row]), torch.tensor([uniform], dtype=torch.float64), sampling)
    kept = _reference(np.array(row, dtype=np.float64) / 0.7, top_k, top_p)
    token = int(drawn.tokens)
    assert kept[token] > 0
    assert float(drawn.logprobs) == pytest.approx(np.log(kept[token]), abs=1e-4)
    assert float(drawn.entropies) == pytest.approx(-sum(p * np.log(p) for p in kept if p > 0), abs=1e-4)


def _reference(scaled, top_k, top_p):
    """The same filters written as a loop; a sum within rounding of ``top_p`` is settled as float32 settles it."""
    probs = np.exp(scaled - scaled.max())
    probs /= probs.sum()
    order = sorted(range(len(probs)), key=lambda i: (-np.float32(scaled[i]), i))
    if top_k:
        order = order[:top_k]
    total = sum(probs[i] for i in order)
    kept, mass = np.zeros_like(probs), 0.0
    for index in order:
        if top_p < 1 and mass >= top_p:
            break
        kept[index] = probs[index]
        mass += probs[index] / total
    return kept / kept.sum()


@given(st.integers(1, 12))
def test_top_k_keeps_exactly_k_of_equals(k):
    """Ties are broken by token id, so no filter keeps more than it should."""
    probs = token_probabilities(torch.zeros(1, 12), Sampling(top_k=k))
    assert (probs[0] > 0).tolist() == [index < k for index in range(12)]


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    """The token that crosses the bound is kept, the next is not; one token always is."""
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    assert (token_probabilities(logits, Sampling(top_p=0.5))[0] > 0).sum() == 1
    assert (token_probabilities(logits, Sampling(top_p=0.6))[0] > 0).sum() == 2
    assert (token_probabilities(logits, Sampling(top_p=1e-6))[0] > 0).sum() == 1


def test_greedy_takes_the_largest():
    """Temperature 0 is a point mass: log-probability and entropy are 0."""
    drawn = draw(torch.tensor([[0.0, 3.0, 1.0]]), torch.tensor([0.99]), Sampling(temperature=0))
    assert drawn.tokens.tolist() == [1]
    assert drawn.logprobs.tolist() == drawn.entropies.tolist() == [0.0]


def test_a_uniform_next_to_one_draws_a_possible_token():
    """Rounding at the upper end never reaches a token of probability 0."""
    logits = torch.tensor([[1.0, 2.0, -1e4, -1e4]])
    uniform = torch.tensor([np.nextafter(1.0, 0.0)])
    assert draw(logits, uniform, Sampling()).tokens.tolist() == [1]


def test_frequencies_match_the_distribution():
    """Over many rows each token comes as often as it should (chi-square at 1 in 10,000)."""
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    count = 20_000
    uniforms = torch.from_numpy(np.array([row_uniforms(1, j, 1)[0] for j in range(count)]))
    tokens = draw(logits.expand(count, -1), uniforms, Sampling()).tokens
    expected = logits.softmax(-1) * count
    chi = ((torch.bincount(tokens, minlength=4) - expected) ** 2 / expected).sum()
    assert chi < 21.1
