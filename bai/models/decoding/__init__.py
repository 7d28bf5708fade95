"""Batched sampling from a causal language model: one prefill a prompt, log-probabilities as drawn."""

from bai.models.decoding.loop import Decoder, Sample
from bai.models.decoding.sampling import Drawn, draw, row_uniforms
from bai.models.decoding.stops import StopFinder

__all__ = ["Decoder", "Drawn", "Sample", "StopFinder", "draw", "row_uniforms"]
