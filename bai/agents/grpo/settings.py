"""Every setting of a GRPO run, with its meaning, unit and range.

:class:`GRPOSettings` is the single list: :meth:`GRPOConfig.training` takes these names and no
others, and :class:`GRPOConfig` carries them as attributes, so Ray Tune can search over each.
Settings of the learner's side are gathered into the option classes of
:mod:`bai.agents.grpo.method`; where one is None, the published method decides.

Shapes: G group.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bai.agents.grpo.method import (
    AdvantageOptions,
    Baseline,
    BatchOptions,
    Correction,
    KLEstimator,
    LossOptions,
    Method,
    ModuleOptions,
    Normalisation,
    OptimizerOptions,
    Proximal,
    Scale,
    Schedule,
    preset,
)
from bai.agents.grpo.mixing import PartOptions, read_mixture
from bai.errors import ConfigError
from bai.policy import Sampling

__all__ = ["SETTING_NAMES", "GRPOSettings"]


@dataclass(frozen=True, kw_only=True)
class GRPOSettings:
    """How a run samples, compares, learns and gives up."""

    model_dir: str = ""
    """Directory of a transformers causal language model and its tokenizer; required."""

    # Sampling.
    group_size: int = 8
    """G, completions of each prompt; at least 2, for a group is compared with itself."""
    prompts_per_step: int = 8
    """Prompts of one iteration, which samples prompts_per_step x group_size trajectories; at least 1."""
    max_new_tokens: int = 256
    """Most tokens of one answer; at least 1."""
    temperature: float = 1.0
    """Divides the logits; above 0, for the members of a greedy group are all equal."""
    top_p: float = 1.0
    """Nucleus, in (0, 1]; below 1 the learner's distribution differs from the sampler's."""
    top_k: int = 0
    """Tokens kept; 0 keeps all."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer."""
    env_concurrency: int = 8
    """Environments of one runner that are stepped at once, in threads; at least 1."""
    dynamic_sampling_rounds: int = 0
    """How often groups whose rewards are all equal are replaced by new prompts (DAPO); 0 keeps them."""

    mixture: dict[str, Any] | None = None
    """Several environments in exact shares (:mod:`bai.agents.grpo.mixing`); None samples the run's alone."""
    shuffle_rewards: bool = False
    """Deals each iteration's rewards out at random: a control that must not learn (:mod:`bai.agents.grpo.control`)."""
    # The method. None takes the preset's value.
    method: str = "grpo"
    """A preset of :data:`bai.agents.grpo.method.PRESETS`: grpo, dr_grpo, dapo, gspo, cispo."""
    clip_low: float | None = None
    """See :class:`~bai.agents.grpo.method.LossOptions`, as down to ``entropy_coeff``."""
    clip_high: float | None = None
    dual_clip: float | None = None
    proximal: Proximal | None = None
    correction: Correction | None = None
    correction_cap: float | None = None
    kl_coeff: float | None = None
    kl_estimator: KLEstimator | None = None
    kl_ratio: bool | None = None
    entropy_coeff: float | None = None
    advantage_scale: Scale | None = None
    """See :class:`~bai.agents.grpo.method.AdvantageOptions`, as down to ``overlong_penalty``."""
    baseline: Baseline | None = None
    drop_zero_variance: bool | None = None
    overlong_limit: int | None = None
    overlong_buffer: int | None = None
    overlong_penalty: float | None = None
    normalisation: Normalisation | None = None
    """See :class:`~bai.agents.grpo.method.BatchOptions`, as down to ``shuffle``."""
    steps_per_batch: int | None = None
    micro_batch_tokens: int | None = None
    """None takes the preset's bound; a number beyond the batch's tokens computes all rows of a step at once."""
    shuffle: bool | None = None
    num_epochs: int = 1
    """Passes over each batch; at least 1."""

    # The optimizer and the model. None takes the default of the option class.
    lr: float = 1e-6
    """Peak learning rate of AdamW."""
    lr_schedule: Schedule | None = None
    """See :class:`~bai.agents.grpo.method.OptimizerOptions`, as down to ``beta2``."""
    warmup_steps: int | None = None
    total_steps: int | None = None
    final_fraction: float | None = None
    weight_decay: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    grad_clip: float | None = 1.0
    """Greatest global norm of a step's whole gradient; None does not clip."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """See :class:`~bai.agents.grpo.method.ModuleOptions`, as down to ``gradient_checkpointing``."""
    logprob_chunk: int | None = None
    share_prefix: bool | None = None
    gradient_checkpointing: bool | None = None

    # The machine.
    torch_threads: int | None = None
    """Threads torch uses in this process, for whichever of runner and learner has no process of its own; None
    takes every core this process may use, or, in a Tune trial, as many as it was given. Runners and learners with
    processes of their own use the CPUs they are given."""

    # Faults. Every wait ends.
    update_timeout_s: float = 1800.0
    """Seconds one update may take in remote learners."""
    sync_timeout_s: float = 300.0
    """Seconds runners have to confirm new weights."""
    fault_window: int = 10
    """Iterations over which faults are counted."""
    max_lost_fraction: float = 0.25
    """Greatest share of the requested trajectories that may be lost to faults within the window; in [0, 1]."""
    max_runner_deaths: int = 3
    """Most deaths of runners within the window; 0 tolerates none."""

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            _check_kind(name, getattr(self, name), hint)
        for name, (low, high) in _RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        if self.temperature == 0:
            raise ConfigError("temperature must be above 0, for the members of a greedy group are all equal; got 0")
        for _ in (self.sampling, self.published, self.optimizer, self.module, self.parts):
            pass

    @cached_property
    def parts(self) -> dict[str, PartOptions]:
        """The parts of the mixture by their names; empty where nothing is mixed."""
        return read_mixture(self.mixture)

    @cached_property
    def sampling(self) -> Sampling:
        """How completions are drawn."""
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            stop=tuple(self.stop),
        )

    @cached_property
    def published(self) -> Method:
        """The method, with this run's changes."""
        method = preset(self.method, max_new_tokens=self.max_new_tokens)
        batch = self._chosen(BatchOptions)
        if batch.get("normalisation", method.batch.normalisation) != "constant":
            batch["constant_length"] = None
        elif method.batch.constant_length is None:
            batch["constant_length"] = self.max_new_tokens
        return Method(
            loss=replace(method.loss, **self._chosen(LossOptions)),
            advantage=replace(method.advantage, **self._chosen(AdvantageOptions)),
            batch=replace(method.batch, **batch),
        )

    @cached_property
    def optimizer(self) -> OptimizerOptions:
        """AdamW and its schedule."""
        return OptimizerOptions(**self._chosen(OptimizerOptions), max_grad_norm=self.grad_clip)

    @cached_property
    def module(self) -> ModuleOptions:
        """The model a learner trains."""
        reference = self.published.loss.kl_coeff > 0
        return ModuleOptions(model=self.model_dir or "(none)", reference=reference, **self._chosen(ModuleOptions))

    def _chosen(self, options: type) -> dict[str, Any]:
        """The settings of one option class that aren't None, under the names of that class."""
        names = {option.name for option in fields(options)} - _OWN
        renamed = {name: _RENAMED.get((options, name), name) for name in names}
        found = {name: getattr(self, setting) for name, setting in renamed.items() if setting in SETTING_NAMES}
        return {name: value for name, value in found.items() if value is not None}


SETTING_NAMES: tuple[str, ...] = tuple(setting.name for setting in fields(GRPOSettings))
"""The names :meth:`GRPOConfig.training` takes."""

_OWN = {"max_grad_norm", "model", "reference", "seed", "config"}
"""Options that are set by name above."""
_RENAMED: dict[tuple[type, str], str] = {
    (AdvantageOptions, "scale"): "advantage_scale",
    (OptimizerOptions, "schedule"): "lr_schedule",
}
"""Options that go by another name among the settings."""

_RANGES: dict[str, tuple[float, float]] = {
    "group_size": (2, math.inf),
    "prompts_per_step": (1, math.inf),
    "env_concurrency": (1, math.inf),
    "dynamic_sampling_rounds": (0, math.inf),
    "num_epochs": (1, math.inf),
    "update_timeout_s": (0, math.inf),
    "sync_timeout_s": (0, math.inf),
    "fault_window": (1, math.inf),
    "max_lost_fraction": (0, 1),
    "max_runner_deaths": (0, math.inf),
}


_KINDS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "must be true or false"),
    int: (
        lambda value: isinstance(value, Integral) and not isinstance(value, bool),
        "counts something and must be whole",
    ),
    float: (lambda value: isinstance(value, Real) and not isinstance(value, bool), "must be a number"),
    str: (lambda value: isinstance(value, str), "must be text"),
    tuple[str, ...]: (
        lambda value: isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value),
        "must be a list of strings",
    ),
}
"""Type of a field to what fits it; names of choices are checked by the option classes."""


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(GRPOSettings)


def _check_kind(name: str, value: object, hint: Any) -> None:
    """Refuses text where a flag, a number or a list belongs: "no" is true, and a string a list of its letters."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and NoneType in kinds:
        return
    for kind, (fits, words) in _KINDS.items():
        if kind in kinds and not fits(value):
            raise ConfigError(f"{name} {words}; got {value!r}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        span = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"
        raise ConfigError(f"{name} must be a number, {span}; got {value!r}")
