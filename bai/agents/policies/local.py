"""A policy that is a transformers model in this process: ours, or any causal language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bai.agents.policies.chat import ChatFormat
from bai.agents.policies.cut import cut_after_stop
from bai.agents.policies.factory import expect_model
from bai.errors import CheckpointError, ContextOverflow
from bai.models.decoding import Decoder, Sample, StopFinder
from bai.policy import Completion, Context, Policy, Sampling
from bai.types import Message

__all__ = ["LocalPolicy"]


class LocalPolicy(Policy):
    """Samples from a causal language model; token in, token out.

    The model is used as it is, so that a learner that updates its weights in place is sampled from at
    once.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, with a chat template or without (see :class:`ChatFormat`).
        name: For reports.
        max_context: Most tokens of context and completion, or None for the model's own window.
        max_batch_tokens: Most cached tokens decoded at a time (memory).
        record_routes: Whether completions carry the experts that each token was sent to, where the
            model can tell.
    """

    is_trainable = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "local",
        max_context: int | None = None,
        max_batch_tokens: int = 131_072,
        record_routes: bool = True,
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.format = ChatFormat(tokenizer)
        self._end_ids = frozenset((*self.format.end_ids, *_generation_ends(model)))
        self._decoder = Decoder(
            model,
            eos_ids=tuple(self._end_ids),
            stop_finder=StopFinder(tokenizer),
            max_context=max_context,
            max_batch_tokens=max_batch_tokens,
            record_routes=record_routes,
        )
        self.max_context = self._decoder.max_context

    @classmethod
    def from_directory(
        cls, path: str | Path, *, device: str = "cpu", dtype: str = "float32", name: str | None = None, **options: Any
    ) -> Self:
        """Loads a directory that ``save_pretrained`` wrote, model and tokenizer; never from a network.

        Args:
            path: The directory.
            device: Where the model is to run.
            dtype: ``float32``, ``bfloat16``, ``float16`` or ``auto`` (as stored).
            name: For reports; None for the path.
            options: Passed on to the constructor.

        Raises:
            CheckpointError: The directory is absent or cannot be read, or there is no such device.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        import bai.models  # noqa: F401 - registers our model types

        folder = expect_model(Path(path))
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype).to(device).eval()
        except Exception as error:  # what a broken directory raises has no common class
            raise CheckpointError(f"cannot load a model from {folder}: {type(error).__name__}: {error}") from error
        return cls(model, tokenizer, name=name or str(path), **options)

    def begin(self, messages: Sequence[Message]) -> Context:
        ids = self.format.begin(messages)
        blank = (0.0,) * len(ids)
        return Context(
            messages=tuple(messages),
            token_ids=tuple(ids),
            loss_mask=(False,) * len(ids),
            logprobs=blank,
            entropies=blank,
        )

    def extend(self, context: Context, observation: str) -> Context:
        ids = self.format.extend(context.token_ids[-1], observation)
        longer = context.observe(Message(role="user", content=observation), ids)
        longer.check_prefix(context)
        return longer

    def generate(
        self, contexts: Sequence[Context], n: int, sampling: Sampling, seeds: Sequence[int]
    ) -> list[list[Completion]]:
        for context in contexts:
            if self.max_context is not None and len(context.token_ids) >= self.max_context:
                raise ContextOverflow(
                    f"a context of {len(context.token_ids)} tokens leaves no room in a window of {self.max_context}"
                )
        groups = self._decoder.sample([context.token_ids for context in contexts], n, sampling, seeds)
        return [[self._complete(sample, sampling) for sample in group] for group in groups]

    def _complete(self, sample: Sample, sampling: Sampling) -> Completion:
        ids = sample.token_ids[:-1] if sample.stop_reason == "eos" else sample.token_ids
        text = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if sample.stop_reason == "stop":
            text = cut_after_stop(text, sampling.stop)
        return Completion(
            text=text,
            stop_reason=sample.stop_reason,
            token_ids=sample.token_ids,
            logprobs=sample.logprobs,
            entropies=sample.entropies,
            routes=sample.routes,
        )


def _generation_ends(model: Any) -> tuple[int, ...]:
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if ends is None:
        return ()
    return tuple(ends) if isinstance(ends, list | tuple) else (int(ends),)
