"""Weights of a Mixtral, read as ours.

With every option off the two compute the same function, so one's checkpoint is the other's.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from transformers import MixtralConfig, MixtralForCausalLM

from bai.errors import ConfigError
from bai.models.config import BaiMoeConfig
from bai.models.modeling import BaiMoeForCausalLM

__all__ = ["from_mixtral", "from_mixtral_config", "from_mixtral_state_dict"]

_SHARED_FIELDS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "rope_parameters",
    "rms_norm_eps",
    "attention_dropout",
    "initializer_range",
    "tie_word_embeddings",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "num_local_experts",
    "num_experts_per_tok",
)


def from_mixtral_config(config: MixtralConfig) -> BaiMoeConfig:
    """Gives our configuration of the same function; options that train the router stay off.

    Raises:
        ConfigError: The Mixtral has a sliding window, which this model has not.
    """
    if config.sliding_window is not None:
        raise ConfigError(f"a Mixtral without sliding_window is needed; this one has {config.sliding_window}")
    return BaiMoeConfig(**{name: getattr(config, name) for name in _SHARED_FIELDS})


def from_mixtral_state_dict(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of a Mixtral in memory; the tensors are shared, not copied.

    The packed layout is one and the same since transformers 5, so nothing has to be moved.

    Args:
        weights: ``MixtralForCausalLM.state_dict()``.

    Raises:
        ConfigError: A name is of the unpacked layout of older files; load those through
            ``MixtralForCausalLM.from_pretrained`` first.
    """
    for name in weights:
        if ".block_sparse_moe." in name or ".w1." in name:
            raise ConfigError(f"expected packed experts such as mlp.experts.gate_up_proj; got {name}")
    return dict(weights)


def from_mixtral(model: MixtralForCausalLM) -> BaiMoeForCausalLM:
    """Gives a model of ours with a Mixtral's weights, copied, in the same type and place."""
    ours = BaiMoeForCausalLM(from_mixtral_config(model.config))
    ours.to(device=model.device, dtype=model.dtype)
    ours.load_state_dict(from_mixtral_state_dict(model.state_dict()))
    ours.train(model.training)
    return ours
