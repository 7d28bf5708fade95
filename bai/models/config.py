"""The configuration of the mixture-of-experts language model.

Field names follow Mixtral's, so that what reads such a configuration elsewhere reads this one.
Whatever Mixtral has not is off by default: a default configuration describes a Mixtral.
"""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import PreTrainedConfig

from bai.errors import ConfigError

__all__ = ["BaiMoeConfig"]

_COUNTS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "num_local_experts",
    "num_experts_per_tok",
)
_COEFFICIENTS = ("router_aux_loss_coef", "router_z_loss_coef", "router_bias_update_rate")
_MAX_EXPERTS = 256  # routes are recorded as bytes


class BaiMoeConfig(PreTrainedConfig):
    """Shape and training options of :class:`bai.models.BaiMoeForCausalLM`.

    A model configuration of transformers: keyword-only, stored as ``config.json`` beside the
    weights, read by ``AutoConfig``.

    Raises:
        ConfigError: A size is not positive, heads don't divide, or more experts are asked of a
            token than there are.
    """

    model_type = "bai_moe"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {"num_experts": "num_local_experts"}
    default_theta = 10_000.0
    base_model_tp_plan: ClassVar[dict[str, str]] = {
        "layers.*.self_attn.q_proj": "colwise",
        "layers.*.self_attn.k_proj": "colwise",
        "layers.*.self_attn.v_proj": "colwise",
        "layers.*.self_attn.o_proj": "rowwise",
        "layers.*.mlp.experts.gate_up_proj": "packed_colwise",
        "layers.*.mlp.experts.down_proj": "rowwise",
        "layers.*.mlp.experts": "moe_tp_experts",
    }

    vocab_size: int = 1280
    """Rows of the embedding table; at least the tokenizer's length."""
    hidden_size: int = 192
    """Width of the residual stream."""
    intermediate_size: int = 256
    """Width inside one expert."""
    num_hidden_layers: int = 4
    """Decoder layers."""
    num_attention_heads: int = 4
    """Query heads."""
    num_key_value_heads: int = 2
    """Key and value heads; divides ``num_attention_heads``."""
    head_dim: int | None = None
    """Width of one head, even; None takes ``hidden_size / num_attention_heads``."""
    hidden_act: str = "silu"
    """Activation of the experts' gates, by its name in transformers."""
    max_position_embeddings: int = 2048
    """Longest context in tokens."""
    rope_parameters: dict[str, Any] | None = None
    """Rotary settings such as ``{"rope_type": "default", "rope_theta": 10000.0}``; None takes those."""
    rms_norm_eps: float = 1e-5
    """Added to the mean square before its root."""
    attention_dropout: float = 0.0
    """Probability of dropping an attention weight in training."""
    initializer_range: float = 0.02
    """Standard deviation of initial weights."""
    tie_word_embeddings: bool = True
    """Whether the output projection is the embedding table."""
    use_cache: bool = True
    """Whether a forward keeps keys and values unless told otherwise."""
    pad_token_id: int | None = None
    """Id of padding, or None."""
    bos_token_id: int | None = None
    """Id that starts a text, or None: the chat format needs none."""
    eos_token_id: int | list[int] | None = None
    """Id, or ids, that end a turn."""
    num_local_experts: int = 4
    """Experts of each layer, at most 256."""
    num_experts_per_tok: int = 2
    """Experts that each token is sent to."""
    output_router_logits: bool = False
    """Whether outputs carry router logits and the balance losses unless told otherwise."""
    router_aux_loss_coef: float = 0.0
    """Weight of the balance loss in a training loss; 0 leaves it out. 0.01 is usual."""
    router_z_loss_coef: float = 0.0
    """Weight of the router z-loss in a training loss; 0 leaves it out. 0.001 is usual."""
    router_bias_update_rate: float = 0.0
    """Step of ``update_router_bias``; 0 means routers have no balancing bias. 0.001 is usual."""

    def __post_init__(self, **kwargs: Any) -> None:
        self._check_sizes()
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads
        if self.head_dim % 2:
            raise ConfigError(f"head_dim must be even, for rotary positions pair its channels; got {self.head_dim}")
        super().__post_init__(**kwargs)

    def _check_sizes(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in _COEFFICIENTS:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0 (0 turns it off); got {getattr(self, name)}")
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"num_attention_heads ({self.num_attention_heads}) must divide hidden_size ({self.hidden_size}) "
                "unless head_dim is given"
            )
        if self.num_attention_heads % self.num_key_value_heads:
            raise ConfigError(
                f"num_key_value_heads ({self.num_key_value_heads}) must divide "
                f"num_attention_heads ({self.num_attention_heads})"
            )
        if not self.num_experts_per_tok <= self.num_local_experts <= _MAX_EXPERTS:
            raise ConfigError(
                f"num_experts_per_tok ({self.num_experts_per_tok}) <= num_local_experts ({self.num_local_experts}) "
                f"<= {_MAX_EXPERTS} is required"
            )
