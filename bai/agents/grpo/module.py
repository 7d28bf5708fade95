"""The policy as RLlib knows it: a module around a causal language model of transformers.

RLlib moves weights as dictionaries of numpy arrays, and numpy has no bfloat16: such weights
travel as the uint16 of their bits, which no other weight of a language model is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.rllib.core.rl_module.torch.torch_rl_module import TorchRLModule
from torch import Tensor

import bai.models  # noqa: F401 - registers our models with transformers
from bai.agents.grpo import columns
from bai.agents.grpo.forward import can_share_prefix, trajectory_forward
from bai.agents.grpo.method import ModuleOptions
from bai.errors import CheckpointError, ConfigError

__all__ = ["ENTROPIES", "LOGPROBS", "ROUTER_LOSS", "PolicyModule", "load_model", "module_options"]

LOGPROBS = "logprobs"
"""[B, T] in what a forward gives: log-probabilities of the policy's tokens."""
ENTROPIES = "entropies"
"""[B, T] in what a forward gives: entropies where these tokens were sampled."""
ROUTER_LOSS = "router_loss"
"""Scalar in what a forward gives, for models with routers that have losses."""


def load_model(options: ModuleOptions) -> Any:
    """Loads or initialises the causal language model that the options name.

    Raises:
        ConfigError: The directory does not hold a model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    dtype = getattr(torch, options.dtype)
    if options.model is not None:
        if not (Path(options.model) / "config.json").is_file():
            raise ConfigError(f"expected a directory with a transformers model; got {options.model!r}")
        return AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, local_files_only=True)
    fields = dict(options.config)
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        return AutoModelForCausalLM.from_config(config, dtype=dtype)


def module_options(model_config: Mapping[str, Any]) -> ModuleOptions:
    """Reads the options out of RLlib's ``model_config``, where they lie under ``policy``.

    Raises:
        ConfigError: They are not there.
    """
    policy = model_config.get("policy")
    if policy is None:
        raise ConfigError(f"model_config needs the key 'policy', fields of ModuleOptions; got {sorted(model_config)}")
    return policy if isinstance(policy, ModuleOptions) else ModuleOptions(**policy)


class PolicyModule(TorchRLModule):
    """Scores trajectories under a language model.

    ``model`` is the transformers model; samplers use it directly. A reference model is kept out of
    parameters, state and optimizer: it is made from the same directory or seed wherever it is needed.
    """

    model: Any
    options: ModuleOptions

    def setup(self) -> None:
        self.options = module_options(self.model_config)
        self.model = load_model(self.options)
        _check_projection(self.model)
        if self.options.gradient_checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})
        self.shares_prefix = (
            self.options.share_prefix and not self.options.gradient_checkpointing and can_share_prefix(self.model)
        )
        # A list hides the reference from nn.Module, and so from parameters, state and optimizer.
        wants_reference = self.options.reference and not self.inference_only
        self._reference = [copy.deepcopy(self.model).requires_grad_(False).eval()] if wants_reference else []

    def _forward(self, batch: Mapping[str, Tensor], **_: Any) -> dict[str, Tensor]:
        """Scores rows of :mod:`bai.agents.grpo.columns`."""
        return self._score(self.model, batch, router_loss=self.has_router_loss and self.training)

    def _forward_train(self, batch: Mapping[str, Tensor], **_: Any) -> dict[str, Tensor]:
        scores = self._forward(batch)
        if self._reference and columns.REFERENCE_LOGPROBS not in batch:
            scores[columns.REFERENCE_LOGPROBS] = self.reference_logprobs(batch)
        return scores

    @torch.no_grad()
    def reference_logprobs(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Gives [B, T] log-probabilities under the reference model.

        Raises:
            ConfigError: The module has none.
        """
        if not self._reference:
            raise ConfigError("this module was built without a reference model (ModuleOptions.reference)")
        reference = self._reference[0].to(batch[columns.INPUT_IDS].device)
        without_routes = {name: column for name, column in batch.items() if name != columns.ROUTES}
        return self._score(reference, without_routes, router_loss=False)[LOGPROBS]

    @property
    def has_router_loss(self) -> bool:
        """Whether the model's routers have a loss that counts."""
        config = self.model.config
        coefficients = ("router_aux_loss_coef", "router_z_loss_coef")
        return hasattr(self.model, "add_router_losses") and any(getattr(config, name, 0) for name in coefficients)

    def _score(self, model: Any, batch: Mapping[str, Tensor], *, router_loss: bool) -> dict[str, Tensor]:
        result = trajectory_forward(
            model,
            batch,
            temperature=self.options.temperature,
            chunk=self.options.logprob_chunk,
            share_prefix=self.shares_prefix,
            router_loss=router_loss,
        )
        scores = {LOGPROBS: result.logprobs, ENTROPIES: result.entropies}
        return scores if result.router_loss is None else {**scores, ROUTER_LOSS: result.router_loss}

    def get_state(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Gives copies of the weights by the model's own names, tied ones once, as numpy arrays."""
        return {name: _to_numpy(tensor) for name, tensor in self._weights().items()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Copies weights that :meth:`get_state` gave into the model, in place.

        Raises:
            CheckpointError: They are those of another model.
        """
        weights = self._weights()
        if weights.keys() != state.keys():
            differing = sorted(weights.keys() ^ state.keys())
            raise CheckpointError(
                f"the state is another model's: {len(differing)} names differ, first {differing[0]!r}"
            )
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(_from_numpy(state[name], name, tensor.shape))

    def _weights(self) -> dict[str, Tensor]:
        """Parameters and lasting buffers, tied parameters under their first name."""
        lasting = self.model.state_dict(keep_vars=True)
        buffers = {name: buffer for name, buffer in self.model.named_buffers() if name in lasting}
        return {**dict(self.model.named_parameters()), **buffers}


@torch.no_grad()
def _check_projection(model: Any) -> None:
    """Asks whether logits are the product of hidden states and output embeddings, as the chunked way takes them.

    Raises:
        ConfigError: The model does more: a bias, a scale or a soft cap.
    """
    ids, training = torch.arange(2)[None], model.training
    model.eval()
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    product = (hidden @ model.get_output_embeddings().weight.t()).float()
    logits = model(input_ids=ids, use_cache=False).logits.float()
    model.train(training)
    if (product - logits).abs().max() > 1e-2 * (1 + logits.abs().max()):
        raise ConfigError(
            f"{type(model).__name__} changes its logits after the projection (a bias, a scale or a soft cap), "
            "which log-probabilities computed in chunks would miss"
        )


def _to_numpy(tensor: Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()


def _from_numpy(array: Any, name: str, shape: torch.Size) -> Tensor:
    tensor = torch.as_tensor(np.array(array))
    if tensor.shape != shape:
        raise CheckpointError(f"{name} must have the shape {tuple(shape)}; the state's has {tuple(tensor.shape)}")
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor
