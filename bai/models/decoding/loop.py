"""The sampling loop: one prefill a prompt, one forward a token, finished rows leave.

Shapes: P prompts of a batch, G completions of each, B = live rows, S longest prompt (the
others are padded on the left), t tokens drawn so far, V vocabulary, L layers, K experts.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bai.errors import ConfigError, ContextOverflow
from bai.models.decoding.cache import Batch, open_batch
from bai.models.decoding.sampling import draw, row_uniforms
from bai.models.decoding.stops import StopFinder
from bai.policy import Sampling, StopReason

__all__ = ["Decoder", "Sample"]

_LEAVE = 8
"""Finished rows are removed once they are one row in this many: each removal copies the cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One completion as tokens."""

    token_ids: tuple[int, ...]
    """[t] all that was drawn, the end token included."""
    logprobs: tuple[float, ...]
    """[t] under the distribution drawn from."""
    entropies: tuple[float, ...]
    """[t] nats."""
    stop_reason: StopReason
    """``eos``, ``stop`` or ``length``."""
    routes: NDArray[np.uint8] | None = None
    """[S + t, L, K] experts of the prompt's and the completion's tokens; the last row repeats the one
    before it (the last token was never fed). None where the model records none."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A run of completions of one prompt."""

    prompt: int
    first: int
    count: int


class Decoder:
    """Samples completions of token prompts from a transformers causal language model.

    Each prompt is prefilled once for all its completions. The j-th completion of a prompt depends on
    the prompt, its seed and j alone: what else is in the batch changes it only where floating-point
    rounding (matrix products over another number of rows) crosses the edge between two tokens.

    Args:
        model: Any causal language model of transformers; left in evaluation mode if it was, and put
            back into training mode if it was in that.
        eos_ids: Tokens that end a completion.
        stop_finder: Finds stop strings; without one, ``Sampling.stop`` must be empty.
        max_context: Most tokens of prompt and completion, or None for the model's
            ``max_position_embeddings``.
        max_batch_tokens: Most cached tokens (rows times prompt plus ``max_new_tokens``) decoded at a
            time; what exceeds it is decoded in turns.
        record_routes: Whether to record expert routes, where the model offers it.
    """

    def __init__(
        self,
        model: Any,
        *,
        eos_ids: Sequence[int],
        stop_finder: StopFinder | None = None,
        max_context: int | None = None,
        max_batch_tokens: int = 131_072,
        record_routes: bool = True,
    ) -> None:
        if max_batch_tokens < 1:
            raise ConfigError(f"max_batch_tokens must be at least 1; got {max_batch_tokens}")
        self.model = model
        self.eos_ids = tuple(sorted(set(eos_ids)))
        self.max_context = max_context or getattr(model.config, "max_position_embeddings", None)
        self._stop_finder = stop_finder
        self._max_batch_tokens = max_batch_tokens
        self._record = record_routes and can_record_routes(model)

    def sample(
        self, prompts: Sequence[Sequence[int]], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Sample]]:
        """Draws ``n`` completions of each prompt.

        Args:
            prompts: P prompts of at least one token each.
            n: Completions of each.
            sampling: How to draw.
            seeds: P seeds.

        Raises:
            ConfigError: The arguments don't fit each other.
            ContextOverflow: A prompt leaves no room for a single token.
        """
        self._check(prompts, n, sampling, seeds)
        results: list[list[Sample]] = [[] for _ in prompts]
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for jobs in self._plan(prompts, n, sampling):
                    for job, samples in zip(jobs, self._run(jobs, prompts, sampling, seeds), strict=True):
                        results[job.prompt] += samples
        finally:
            self.model.train(was_training)
        return results

    def _check(self, prompts: Sequence[Sequence[int]], n: int, sampling: Sampling, seeds: Sequence[int]) -> None:
        if n < 1 or len(seeds) != len(prompts):
            raise ConfigError(f"expected n >= 1 and {len(prompts)} seeds; got n = {n} and {len(seeds)} seeds")
        if sampling.stop and self._stop_finder is None:
            raise ConfigError("stop strings need a decoder made with a stop_finder")
        for prompt in prompts:
            if not prompt:
                raise ConfigError("a prompt needs at least one token; got an empty one")
            if self.max_context is not None and len(prompt) >= self.max_context:
                raise ContextOverflow(f"{len(prompt)} tokens leave no room in a window of {self.max_context}")

    def _plan(self, prompts: Sequence[Sequence[int]], n: int, sampling: Sampling) -> Iterator[list[_Job]]:
        """Cuts the work into batches within the token budget, prompts of like length together."""
        jobs: list[_Job] = []
        rows = 0
        # Longest first: a batch's first prompt is its widest, and memory peaks at the start.
        for index in sorted(range(len(prompts)), key=lambda i: -len(prompts[i])):
            first = 0
            while first < n:
                widest = max([len(prompts[index]), *(len(prompts[job.prompt]) for job in jobs)])
                room = self._max_batch_tokens // (widest + sampling.max_new_tokens) - rows
                if room < 1 and jobs:
                    yield jobs
                    jobs, rows = [], 0
                    continue
                count = min(n - first, max(room, 1))
                jobs.append(_Job(prompt=index, first=first, count=count))
                rows += count
                first += count
        if jobs:
            yield jobs

    def _run(
        self, jobs: list[_Job], prompts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Sample]]:
        batch = open_batch(
            self.model,
            [prompts[job.prompt] for job in jobs],
            [job.count for job in jobs],
            room=sampling.max_new_tokens,
            record=self._record,
        )
        rows = _Rows(self, jobs, prompts, sampling, seeds, batch.device)
        logits = batch.prefill()
        while True:
            tokens = rows.take(logits)
            if rows.all_done:
                break
            kept = rows.thin()
            if kept is not None:
                batch.keep(kept)
                tokens = tokens[kept]
            logits = batch.step(tokens)
        return rows.samples(batch)


def can_record_routes(model: Any) -> bool:
    """Whether the model's forward takes ``record_routes``; looks through a PEFT wrapper."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "record_routes" in inspect.signature(inner.forward).parameters


class _Rows:
    """What was drawn so far, and which rows are still live."""

    def __init__(
        self,
        decoder: Decoder,
        jobs: list[_Job],
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        self._jobs = jobs
        self._sampling = sampling
        self._step = 0
        owners = [(job, job.first + j) for job in jobs for j in range(job.count)]
        limit = sampling.max_new_tokens
        window = decoder.max_context or (1 << 62)
        limits = [min(limit, window - len(prompts[job.prompt])) for job, _ in owners]
        uniforms = [row_uniforms(seeds[job.prompt], j, limit) for job, j in owners]
        self._uniforms = torch.from_numpy(np.stack(uniforms, axis=1)).to(device)
        self._limits = torch.tensor(limits, device=device)
        self._eos = torch.tensor(decoder.eos_ids, dtype=torch.long, device=device)
        finder = decoder._stop_finder
        self._tails = [finder.open(sampling.stop) for _ in owners] if finder and sampling.stop else None
        total = len(owners)
        self._row_ids = torch.arange(total, device=device)
        self._live = [True] * total
        self._length = [0] * total
        self._reason: list[StopReason] = ["length"] * total
        self._columns: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    @property
    def all_done(self) -> bool:
        return not any(self._live)

    def take(self, logits: Tensor) -> Tensor:
        """Draws a token for each row of the batch, live or not; [B, V] to [B]."""
        drawn = draw(logits, self._uniforms[self._step, self._row_ids], self._sampling)
        self._columns.append((self._row_ids, drawn.tokens, drawn.logprobs, drawn.entropies))
        self._step += 1
        at_eos = torch.isin(drawn.tokens, self._eos)
        at_limit = self._limits[self._row_ids] <= self._step
        if self._tails is not None:
            self._check_stops(drawn.tokens.tolist(), at_eos.tolist())
        for slot in (at_eos | at_limit).nonzero().flatten().tolist():
            self._finish(int(self._row_ids[slot]), "eos" if at_eos[slot] else "length")
        return drawn.tokens

    def _check_stops(self, tokens: list[int], at_eos: list[bool]) -> None:
        assert self._tails is not None
        for row, token, ended in zip(self._row_ids.tolist(), tokens, at_eos, strict=True):
            if self._live[row] and not ended and self._tails[row].push(token):
                self._finish(row, "stop")

    def _finish(self, row: int, reason: StopReason) -> None:
        if self._live[row]:
            self._live[row], self._length[row], self._reason[row] = False, self._step, reason

    def thin(self) -> Tensor | None:
        """Gives the places of the live rows once enough have finished to be worth a copy, else None."""
        places = [place for place, row in enumerate(self._row_ids.tolist()) if self._live[row]]
        if (len(self._row_ids) - len(places)) * _LEAVE < len(self._row_ids):
            return None
        kept = torch.tensor(places, device=self._row_ids.device)
        self._row_ids = self._row_ids[kept]
        return kept

    def samples(self, batch: Batch) -> list[list[Sample]]:
        """Gives each job's completions, cut to their lengths."""
        total = len(self._live)
        tokens = np.zeros((total, self._step), dtype=np.int64)
        numbers = np.zeros((2, total, self._step), dtype=np.float32)
        for step, (ids, drawn, logprobs, entropies) in enumerate(self._columns):
            places = ids.cpu().numpy()
            tokens[places, step] = drawn.cpu().numpy()
            numbers[0, places, step] = logprobs.cpu().numpy()
            numbers[1, places, step] = entropies.cpu().numpy()
        made = []
        for row in range(total):
            length = self._length[row]
            made.append(
                Sample(
                    token_ids=tuple(tokens[row, :length].tolist()),
                    logprobs=tuple(numbers[0, row, :length].tolist()),
                    entropies=tuple(numbers[1, row, :length].tolist()),
                    stop_reason=self._reason[row],
                    routes=batch.routes(row, length),
                )
            )
        bounds = np.cumsum([0, *(job.count for job in self._jobs)]).tolist()
        return [made[start:end] for start, end in itertools.pairwise(bounds)]
