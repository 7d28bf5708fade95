"""Every option of GRPO, with its meaning, unit and range.

:class:`GRPOOptions` is the single list: :meth:`GRPOConfig.training` takes these names and no
others, :class:`GRPOConfig` carries them as attributes (so Ray Tune can search over each), and
the learner reads them there.

Shapes: G group, B rows of a batch, T tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from bai.errors import ConfigError
from bai.policy import Sampling

__all__ = ["GRPOOptions"]

Loss = Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo"]
Normalisation = Literal["sequence_mean", "token_mean", "constant"]
KLEstimator = Literal["k1", "k2", "k3"]
Scale = Literal["group", "batch", "none"]
Correction = Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class GRPOOptions:
    """How GRPO samples, compares, learns and gives up."""

    # The policy.
    model: str = ""
    """Directory of a transformers causal language model and its tokenizer; required."""
    gradient_checkpointing: bool = False
    """Whether the learner recomputes activations to save memory."""
    replay_routes: bool = True
    """Whether the learner sends each token to the experts the sampler recorded (mixtures of experts only)."""

    # Sampling.
    group_size: int = 8
    """G, completions of each prompt; at least 2, for a group is compared with itself."""
    prompts_per_step: int = 8
    """Prompts of one iteration; at least 1. One iteration samples prompts_per_step x group_size trajectories."""
    max_new_tokens: int = 256
    """Most tokens of one answer; at least 1."""
    temperature: float = 1.0
    """Divides the logits; above 0 (a greedy group has no spread to learn from)."""
    top_p: float = 1.0
    """Nucleus; in (0, 1]."""
    top_k: int = 0
    """Tokens kept; 0 keeps all."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer."""
    env_concurrency: int = 8
    """Environments stepped at once, in threads, by one runner; at least 1."""
    dynamic_sampling_rounds: int = 0
    """How often groups whose rewards are all equal are replaced by new prompts (DAPO); 0 keeps them."""

    # Advantages.
    advantage_scale: Scale = "group"
    """What an advantage is divided by: the deviation of its ``group``, of the whole ``batch``, or ``none`` (Dr. GRPO)."""
    leave_one_out: bool = False
    """Whether a trajectory's baseline leaves out its own reward (RLOO)."""
    overlong_buffer: int = 0
    """Soft penalty for length (DAPO): answers within this many tokens of max_new_tokens lose reward; 0 is off."""
    overlong_penalty: float = 1.0
    """Reward lost by an answer that was cut off, with ``overlong_buffer`` above 0."""
    mask_truncated: bool = False
    """Whether answers that were cut off are left out of the loss (DAPO's overlong filter)."""

    # The loss.
    loss: Loss = "grpo"
    """The policy loss; see docs/grpo.md for formulas and sources."""
    normalisation: Normalisation | None = None
    """How token losses are averaged; None takes the loss's own: ``sequence_mean`` for grpo and gspo,
    ``constant`` for dr_grpo, ``token_mean`` for dapo and cispo."""
    clip_low: float = 0.2
    """Ratios are clipped at 1 - clip_low; in [0, 1]. Cispo does not clip below."""
    clip_high: float = 0.2
    """Ratios are clipped at 1 + clip_high; at least 0. DAPO's clip-higher is 0.28; cispo's cap is 1 + clip_high."""
    kl_coeff: float = 0.0
    """Weight of the divergence from the reference, the policy the run started from; 0.0 needs no reference."""
    kl_estimator: KLEstimator = "k3"
    """Which estimator of that divergence (Schulman 2020)."""
    entropy_coeff: float = 0.0
    """Weight of the entropy bonus; at least 0."""
    importance_correction: Correction = "none"
    """Truncated importance sampling against a mismatch of sampler and learner."""
    importance_cap: float = 2.0
    """Where importance weights are truncated or masked; at least 1."""

    # Optimisation.
    lr: float = 1e-6
    """Peak learning rate of AdamW; above 0."""
    lr_schedule: Schedule = "constant"
    """How the rate moves after the warm-up, by optimizer steps."""
    warmup_steps: int = 0
    """Optimizer steps of linear warm-up."""
    total_steps: int | None = None
    """Optimizer steps at which ``linear`` and ``cosine`` reach zero; they need it."""
    weight_decay: float = 0.0
    """AdamW's; not applied to biases, norms and embeddings."""
    adam_betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's, each in [0, 1)."""
    adam_eps: float = 1e-8
    """AdamW's."""
    grad_clip: float | None = 1.0
    """Greatest norm of a step's whole gradient; None does not clip."""
    num_epochs: int = 1
    """Passes over each batch; at least 1."""
    optimizer_steps: int = 1
    """Optimizer steps of one pass, each over its share of the groups; at least 1."""
    minibatch_size: int | None = None
    """Rows of one forward pass of one learner; gradients are accumulated. None takes a whole step's rows at once."""

    # Faults. Every wait ends.
    update_timeout_s: float = 1800.0
    """Seconds one update may take in remote learners."""
    sync_timeout_s: float = 300.0
    """Seconds runners have to confirm new weights, or to come back after a restart."""
    fault_window: int = 10
    """Iterations over which faults are counted."""
    max_lost_fraction: float = 0.25
    """Greatest share of requested trajectories that may be lost to faults within the window; in [0, 1]."""
    max_runner_deaths: int = 3
    """Most deaths of runners within the window; 0 tolerates none."""

    @property
    def sampling(self) -> Sampling:
        """How completions are drawn."""
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            stop=tuple(self.stop),
        )

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                expected = ", ".join(map(repr, allowed))
                raise ConfigError(f"{name} must be one of {expected}; got {getattr(self, name)!r}")
        for name, (low, high) in _RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        self._check_pairs()

    def _check_pairs(self) -> None:
        _ = self.sampling
        if self.temperature == 0:
            raise ConfigError("temperature must be above 0: the samples of a greedy group are all equal; got 0.0")
        if self.lr_schedule != "constant" and self.total_steps is None:
            raise ConfigError(f"lr_schedule={self.lr_schedule!r} needs total_steps, where it reaches zero")
        if self.lr_schedule == "constant" and self.total_steps is not None:
            raise ConfigError("total_steps has no effect with lr_schedule='constant'; leave it None")
        if self.prompts_per_step % self.optimizer_steps:
            raise ConfigError(
                f"prompts_per_step must be a multiple of optimizer_steps={self.optimizer_steps}, "
                f"so that every step sees whole groups; got {self.prompts_per_step}"
            )
        if self.overlong_buffer >= self.max_new_tokens:
            raise ConfigError(
                f"overlong_buffer must be below max_new_tokens={self.max_new_tokens}; got {self.overlong_buffer}"
            )


_CHOICES: dict[str, tuple[object, ...]] = {
    "loss": get_args(Loss),
    "normalisation": (None, *get_args(Normalisation)),
    "kl_estimator": get_args(KLEstimator),
    "advantage_scale": get_args(Scale),
    "importance_correction": get_args(Correction),
    "lr_schedule": get_args(Schedule),
}

_RANGES: dict[str, tuple[float, float]] = {
    "group_size": (2, math.inf),
    "prompts_per_step": (1, math.inf),
    "env_concurrency": (1, math.inf),
    "dynamic_sampling_rounds": (0, math.inf),
    "overlong_buffer": (0, math.inf),
    "overlong_penalty": (0, math.inf),
    "clip_low": (0, 1),
    "clip_high": (0, math.inf),
    "kl_coeff": (0, math.inf),
    "entropy_coeff": (0, math.inf),
    "importance_cap": (1, math.inf),
    "lr": (0, math.inf),
    "warmup_steps": (0, math.inf),
    "weight_decay": (0, math.inf),
    "adam_eps": (0, math.inf),
    "num_epochs": (1, math.inf),
    "optimizer_steps": (1, math.inf),
    "fault_window": (1, math.inf),
    "max_lost_fraction": (0, 1),
    "max_runner_deaths": (0, math.inf),
}


def _check_range(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        span = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"
        raise ConfigError(f"{name} must be a number, {span}; got {value!r}")


OPTION_NAMES: tuple[str, ...] = tuple(option.name for option in fields(GRPOOptions))
"""The names :meth:`GRPOConfig.training` takes."""
