"""The mixture-of-experts language model, its tokenizer and its decoding.

Importing this registers the model with transformers, so that ``AutoConfig``, ``AutoModel`` and
``AutoModelForCausalLM`` load its checkpoints.
"""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from bai.models.config import BaiMoeConfig
from bai.models.modeling import BaiMoeForCausalLM, BaiMoeModel, BaiMoePreTrainedModel
from bai.models.outputs import BaiMoeCausalLMOutput, BaiMoeModelOutput
from bai.models.presets import PRESETS, preset
from bai.models.tokenizer import encode_messages, encode_text, train_tokenizer

__all__ = [
    "PRESETS",
    "BaiMoeCausalLMOutput",
    "BaiMoeConfig",
    "BaiMoeForCausalLM",
    "BaiMoeModel",
    "BaiMoeModelOutput",
    "BaiMoePreTrainedModel",
    "encode_messages",
    "encode_text",
    "preset",
    "train_tokenizer",
]

AutoConfig.register(BaiMoeConfig.model_type, BaiMoeConfig, exist_ok=True)
AutoModel.register(BaiMoeConfig, BaiMoeModel, exist_ok=True)
AutoModelForCausalLM.register(BaiMoeConfig, BaiMoeForCausalLM, exist_ok=True)
