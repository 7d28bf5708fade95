"""Decoding: our sampling loop against ``generate(num_return_sequences=16)`` of transformers.

Both sample 16 completions of one 512-token prompt from the same model, in turns within one
process, each to its full length (no end token can be drawn). Ours also records the
log-probability and the entropy of every token and, for a model of ours, expert routes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from bai.models import BaiMoeForCausalLM, preset
from bai.models.decoding import Decoder
from bai.policy import Sampling

PROMPT = 512
GROUP = 16
LENGTHS = (32, 64, 256)
REPEATS = 5
TARGETS = {32: 2.0, 64: 1.6, 256: 1.0}


def run(*, repeats: int = REPEATS, threads: int = 2, lengths: tuple[int, ...] = LENGTHS) -> dict[str, Any]:
    """Gives, for each model and length, median tokens per second of both and their ratio."""
    torch.set_num_threads(threads)
    models = {"bai nano": _nano(), "llama": _llama(), "mixtral": _mixtral()}
    rows = []
    for name, model in models.items():
        for length in lengths:
            rows.append({"model": name, "new_tokens": length, **_compare(model, length, repeats)})
    return {
        "name": "decoding",
        "unit": "tokens/s",
        "prompt": PROMPT,
        "group": GROUP,
        "threads": threads,
        "rows": rows,
        "passed": all(row["ratio"] >= TARGETS[row["new_tokens"]] for row in rows),
    }


def _compare(model: Any, length: int, repeats: int) -> dict[str, float]:
    prompt = torch.randint(8, model.config.vocab_size, (PROMPT,), generator=torch.Generator().manual_seed(0))
    decoder = Decoder(model, eos_ids=())
    sampling = Sampling(max_new_tokens=length)

    def ours() -> None:
        decoder.sample([prompt.tolist()], GROUP, sampling, [0])

    def theirs() -> None:
        model.generate(
            prompt[None],
            attention_mask=torch.ones(1, PROMPT, dtype=torch.long),
            do_sample=True,
            num_return_sequences=GROUP,
            min_new_tokens=length,
            max_new_tokens=length,
            top_k=0,
        )

    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for run_once in (ours, theirs):
        _time(run_once)  # warm
    for _ in range(repeats):
        times["ours"].append(_time(ours))
        times["theirs"].append(_time(theirs))
    rates = {name: GROUP * length / statistics.median(seconds) for name, seconds in times.items()}
    ratios = [theirs / ours for ours, theirs in zip(times["ours"], times["theirs"], strict=True)]
    return {**rates, "ratio": statistics.median(ratios), "target": TARGETS.get(length, 0.0)}


def _time(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _nano() -> Any:
    torch.manual_seed(0)
    return BaiMoeForCausalLM(preset("nano")).eval()


def _llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**_SHAPE)).eval()


def _mixtral() -> Any:
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    return MixtralForCausalLM(MixtralConfig(**_SHAPE, num_local_experts=4, num_experts_per_tok=2)).eval()


_SHAPE = {
    "vocab_size": 1280,
    "hidden_size": 192,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
"""As of our ``nano`` preset."""


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=2))
