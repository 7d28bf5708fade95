"""Tiny models of three families, random but fixed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from bai.models import BaiMoeForCausalLM, preset

SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}


def _make(name: str) -> Any:
    torch.manual_seed(0)
    if name == "llama":
        return LlamaForCausalLM(LlamaConfig(**SHAPE))
    if name == "mixtral":
        return MixtralForCausalLM(MixtralConfig(**SHAPE, num_local_experts=4))
    if name == "mistral":
        return MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=12))
    return BaiMoeForCausalLM(preset("nano", **SHAPE))


@pytest.fixture(scope="session", params=["llama", "mixtral", "bai"])
def model(request: pytest.FixtureRequest) -> Any:
    """A Llama, a Mixtral, and ours."""
    return _make(request.param).eval()


@pytest.fixture(scope="session")
def llama() -> Any:
    return _make("llama").eval()


@pytest.fixture(scope="session")
def bai() -> Any:
    return _make("bai").eval()


@pytest.fixture(scope="session")
def windowed() -> Any:
    """A Mistral whose attention looks back 12 tokens: its cache cannot be shared."""
    return _make("mistral").eval()
