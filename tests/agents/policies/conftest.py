"""A tokenizer and a tiny model of ours, random but fixed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bai.models import BaiMoeForCausalLM, preset, train_tokenizer

TEXT = "def solve(xs):\n    return sorted(xs)\n" * 20 + "user says naïve things, 漢字 🙂 and <b>html</b>\n" * 5


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return train_tokenizer([TEXT], 340)


@pytest.fixture(scope="session")
def tiny_model(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    config = preset(
        "nano",
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        max_position_embeddings=256,
        initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BaiMoeForCausalLM(config).eval()


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any, tiny_model: Any) -> Any:
    """A directory as ``save_pretrained`` writes it."""
    path = tmp_path_factory.mktemp("model")
    tiny_model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
