"""Losses by hand: each formula at numbers small enough to check on paper."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bai.agents.grpo.losses import correction_weights, kl_divergence, masked_sequence_mean, policy_loss
from bai.agents.grpo.method import LossOptions
from bai.errors import ConfigError

MASK = torch.tensor([[True, True, False]])


def tokens(ratios: list[float], advantage: float, options: LossOptions, **columns: torch.Tensor):
    """The loss of one row whose old log-probabilities are -1, with the gradient of its log-probabilities."""
    old = torch.full((1, 3), -1.0)
    logprobs = (old + torch.tensor([ratios]).log()).requires_grad_()
    result = policy_loss(
        logprobs, old_logprobs=old, advantages=torch.full((1, 3), advantage), mask=MASK, options=options, **columns
    )
    result.loss.sum().backward()
    return result, logprobs.grad


def test_the_ratio_is_clipped_on_the_side_where_it_would_gain() -> None:
    """A positive advantage gains up to 1.2 and loses without bound; past the bound there is no gradient."""
    result, gradient = tokens([1.5, 0.5, 9.0], 2.0, LossOptions())
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[-2.4, -1.0, 0.0]]))
    torch.testing.assert_close(gradient, torch.tensor([[0.0, -1.0, 0.0]]))
    assert result.clipped_high.tolist() == [[1, 0, 0]]
    assert result.clipped_low.tolist() == [[0, 0, 0]]


def test_a_negative_advantage_is_clipped_below() -> None:
    """A negative advantage gains down to 0.8, and a grown ratio is punished in full."""
    result, gradient = tokens([1.5, 0.5, 9.0], -2.0, LossOptions())
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[3.0, 1.6, 0.0]]))
    torch.testing.assert_close(gradient, torch.tensor([[3.0, 0.0, 0.0]]))
    assert result.clipped_low.tolist() == [[0, 1, 0]]


def test_clip_higher_moves_the_upper_bound_alone() -> None:
    """DAPO's bounds are 0.8 and 1.28."""
    result, _ = tokens([1.5, 0.5, 1.0], 1.0, LossOptions(clip_high=0.28))
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[-1.28, -0.5, 0.0]]))


def test_dual_clip_bounds_the_punishment() -> None:
    """With dual clip 3, a ratio of 5 under a negative advantage counts as 3."""
    result, gradient = tokens([5.0, 1.0, 1.0], -1.0, LossOptions(dual_clip=3.0))
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[3.0, 1.0, 0.0]]))
    assert gradient[0, 0] == 0


def test_gspo_clips_the_geometric_mean_of_the_sequence() -> None:
    """Ratios 2 and 0.5 have the geometric mean 1: nothing is clipped, and both tokens get the same gradient."""
    result, gradient = tokens([2.0, 0.5, 9.0], 1.0, LossOptions(surrogate="sequence", clip_low=0.1, clip_high=0.1))
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[-1.0, -1.0, 0.0]]))
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, -1.0, 0.0]]))
    clipped, gradient = tokens([2.0, 2.0, 9.0], 1.0, LossOptions(surrogate="sequence", clip_low=0.1, clip_high=0.1))
    torch.testing.assert_close(clipped.loss.detach(), torch.tensor([[-1.1, -1.1, 0.0]]))
    assert not gradient.any()


def test_cispo_keeps_the_gradient_of_clipped_tokens() -> None:
    """The weight is held at 1.5, and still every token's log-probability is pushed."""
    options = LossOptions(surrogate="cispo", clip_low=1.0, clip_high=0.5)
    result, gradient = tokens([4.0, 0.5, 1.0], 2.0, options)
    expected = [-1.5 * 2 * (math.log(4) - 1), -0.5 * 2 * (math.log(0.5) - 1), 0.0]
    torch.testing.assert_close(result.loss.detach(), torch.tensor([expected]))
    torch.testing.assert_close(gradient, torch.tensor([[-3.0, -1.0, 0.0]]))
    assert result.clipped_high.tolist() == [[1, 0, 0]]


def test_divergence_estimators_at_one_point() -> None:
    """With log pi = -1 and log pi_ref = -1.5: k1 = 0.5, k2 = 0.125, k3 = e^-0.5 + 0.5 - 1."""
    policy, reference = torch.tensor([-1.0]), torch.tensor([-1.5])
    assert kl_divergence(policy, reference, "k1").item() == pytest.approx(0.5)
    assert kl_divergence(policy, reference, "k2").item() == pytest.approx(0.125)
    assert kl_divergence(policy, reference, "k3").item() == pytest.approx(math.exp(-0.5) - 0.5)


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=6), st.lists(st.floats(-4, 4), min_size=6, max_size=6))
def test_k1_and_k3_are_unbiased(policy: list[float], reference: list[float]) -> None:
    """Averaged over the policy's own distribution, k1 and k3 are the divergence itself."""
    p = torch.tensor(policy, dtype=torch.float64).log_softmax(0)
    q = torch.tensor(reference[: len(policy)], dtype=torch.float64).log_softmax(0)
    divergence = (p.exp() * (p - q)).sum().item()
    for estimator in ("k1", "k3"):
        mean = (p.exp() * kl_divergence(p, q, estimator)).sum().item()
        assert mean == pytest.approx(divergence, abs=1e-9)
    assert (kl_divergence(p, q, "k3") >= -1e-12).all()


def test_the_gradients_of_the_estimators_are_what_their_docstring_says() -> None:
    """On-policy, k2 has the divergence's gradient, k1 none, and k1 with the ratio the divergence's again."""
    logits = torch.tensor([0.3, -0.2, 1.1], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.0, 0.5, 0.1], dtype=torch.float64).log_softmax(0)
    p = logits.log_softmax(0)
    expected = torch.autograd.grad((p.exp() * (p - q)).sum(), logits, retain_graph=True)[0]
    weights, ratio = p.exp().detach(), (p - p.detach()).exp()
    k1, k2 = (kl_divergence(p, q, estimator) for estimator in ("k1", "k2"))
    for loss, gradient in ((k2, expected), (k1, torch.zeros(3).double()), (k1 * ratio, expected)):
        found = torch.autograd.grad((weights * loss).sum(), logits, retain_graph=True)[0]
        torch.testing.assert_close(found, gradient, atol=1e-12, rtol=1e-9)


def test_divergence_and_entropy_are_added_with_their_weights() -> None:
    """Loss = surrogate + kl_coeff x k2 - entropy_coeff x entropy, on the mask alone."""
    options = LossOptions(kl_coeff=0.5, kl_estimator="k2", entropy_coeff=0.1)
    reference, entropies = torch.full((1, 3), -2.0), torch.full((1, 3), 3.0)
    result, _ = tokens([1.0, 1.0, 1.0], 1.0, options, reference_logprobs=reference, entropies=entropies)
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[-1.05, -1.05, 0.0]]))
    torch.testing.assert_close(result.kl, torch.tensor([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("token_truncate", [[0.5, 2.0, 0.0]]),
        ("token_mask", [[0.5, 0.0, 0.0]]),
        ("sequence_truncate", [[1.5, 1.5, 0.0]]),
        ("sequence_mask", [[1.5, 1.5, 0.0]]),
    ],
)
def test_correction_weights_by_hand(kind, expected) -> None:
    """Ratios 0.5 and 3 of sampler and learner, a product of 1.5, a cap of 2."""
    old = torch.tensor([[0.5, 3.0, 7.0]]).log()
    weights = correction_weights(old, torch.zeros(1, 3), MASK, kind, 2.0)
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_sequence_mask_leaves_a_whole_sequence_out() -> None:
    """A product above the cap takes every token of the row away."""
    old = torch.tensor([[0.5, 3.0, 7.0]]).log()
    assert not correction_weights(old, torch.zeros(1, 3), MASK, "sequence_mask", 1.4).any()


def test_correction_multiplies_the_surrogate_and_has_no_gradient() -> None:
    """Two equal surrogates, weighed 0.5 and 2."""
    options = LossOptions(proximal="recompute", correction="token_truncate")
    behaviour = -1.0 - torch.tensor([[0.5, 3.0, 7.0]]).log()
    result, gradient = tokens([1.0, 1.0, 1.0], 1.0, options, behaviour_logprobs=behaviour)
    torch.testing.assert_close(result.loss.detach(), torch.tensor([[-0.5, -2.0, 0.0]]))
    torch.testing.assert_close(gradient, torch.tensor([[-0.5, -2.0, 0.0]]))


def test_masked_tokens_may_hold_anything() -> None:
    """Infinite values off the mask reach neither loss nor gradient."""
    logprobs = torch.tensor([[-1.0, -2.0, -torch.inf]], requires_grad=True)
    old = torch.tensor([[-1.0, -2.0, torch.nan]])
    result = policy_loss(
        logprobs, old_logprobs=old, advantages=torch.ones(1, 3), mask=MASK, options=LossOptions(surrogate="sequence")
    )
    result.loss.sum().backward()
    assert torch.isfinite(result.loss).all()
    assert logprobs.grad[0, 2] == 0


@pytest.mark.parametrize("surrogate", ["token", "sequence", "cispo"])
def test_a_huge_ratio_stays_finite(surrogate: str) -> None:
    """A log-ratio of 1000 gives a finite loss and gradient."""
    logprobs = torch.tensor([[-0.1, -0.1]], requires_grad=True)
    result = policy_loss(
        logprobs,
        old_logprobs=torch.full((1, 2), -1000.0),
        advantages=-torch.ones(1, 2),
        mask=torch.ones(1, 2, dtype=torch.bool),
        options=LossOptions(surrogate=surrogate),
    )
    result.loss.sum().backward()
    assert torch.isfinite(result.loss).all()
    assert torch.isfinite(logprobs.grad).all()


def test_missing_columns_are_named() -> None:
    """A divergence without a reference says so."""
    with pytest.raises(ValueError, match="reference_logprobs"):
        tokens([1.0, 1.0, 1.0], 1.0, LossOptions(kl_coeff=0.1))


def test_sequence_mean_of_an_empty_row_is_zero() -> None:
    """Rows without a token don't divide by zero."""
    means = masked_sequence_mean(torch.ones(2, 3), torch.tensor([[True, False, True], [False, False, False]]))
    assert means.tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"surrogate": "ppo"},
        {"clip_low": -0.1},
        {"correction": "token_mask"},
        {"correction_cap": 0.0},
        {"dual_clip": 1.1},
        {"surrogate": "cispo", "dual_clip": 9.0},
        {"kl_ratio": True},
        {"kl_estimator": "k4"},
    ],
)
def test_wrong_or_inert_options_are_refused(wrong: dict) -> None:
    """Options that are out of range or would do nothing raise ConfigError."""
    with pytest.raises(ConfigError):
        LossOptions(**wrong)
