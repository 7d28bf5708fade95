"""The local policy: token in, token out."""

from __future__ import annotations

import json
import pickle

import pytest
import torch

from bai.agents.policies.cut import cut_after_stop
from bai.agents.policies.local import LocalPolicy
from bai.errors import CheckpointError, ContextOverflow, PrefixMismatch
from bai.policy import Sampling
from bai.types import Message

SAMPLING = Sampling(max_new_tokens=16)


@pytest.fixture(scope="module")
def policy(tiny_model, tokenizer):
    return LocalPolicy(tiny_model, tokenizer)


def ask(policy, text="sort xs"):
    return policy.begin([Message(role="user", content=text)])


def test_several_turns_keep_the_sampled_tokens(policy):
    """After two turns every sampled token and its log-probability is where it was sampled."""
    context = ask(policy)
    sampled = []
    for turn in range(2):
        (completion,) = policy.generate([context], 1, SAMPLING, [turn])[0]
        start = len(context.token_ids)
        context = context.append(completion)
        sampled.append((start, completion))
        longer = policy.extend(context, "wrong, <|end|> again")
        longer.check_prefix(context)
        context = longer
    trace = context.trace()
    for start, completion in sampled:
        stop = start + len(completion.token_ids)
        assert tuple(trace.token_ids[start:stop]) == completion.token_ids
        assert trace.loss_mask[start:stop].all()
        assert trace.logprobs[start:stop] == pytest.approx(completion.logprobs)
    assert trace.loss_mask.sum() == sum(len(c.token_ids) for _, c in sampled)
    assert (trace.logprobs[~trace.loss_mask] == 0).all()


def test_second_turn_logprobs_equal_a_teacher_forced_forward(policy, tiny_model):
    """What a learner will compute on the whole trajectory is what was sampled, to 1e-4; routes too."""
    contexts = [ask(policy, text) for text in ("sort xs", "sort ys and xs")] * 3
    for turn in range(2):
        groups = policy.generate(contexts, 1, SAMPLING, [10 * turn + i for i in range(6)])
        contexts = [context.append(group[0]) for context, group in zip(contexts, groups, strict=True)]
        if turn == 0:
            contexts = [policy.extend(context, "no, try again") for context in contexts]
    for context in contexts:
        trace = context.trace()
        ids = torch.tensor(trace.token_ids)[None]
        with torch.no_grad():
            output = tiny_model(ids, record_routes=True)
        table = output.logits[0].log_softmax(-1)
        forced = table[:-1].gather(1, ids[0, 1:, None]).squeeze(1)
        mask = torch.tensor(trace.loss_mask[1:])
        torch.testing.assert_close(torch.tensor(trace.logprobs[1:])[mask], forced[mask], atol=1e-4, rtol=0)
        assert (trace.routes[:-1] == output.routes[0, :-1].numpy()).mean() > 0.99


def test_text_is_the_tokens_without_the_end(policy, tokenizer):
    """Control tokens stay in the text, the end token does not."""
    for completion in policy.generate([ask(policy)], 24, Sampling(max_new_tokens=40), [5])[0]:
        ids = completion.token_ids[:-1] if completion.stop_reason == "eos" else completion.token_ids
        assert completion.text == tokenizer.decode(ids, skip_special_tokens=False)
        assert (completion.token_ids[-1] == tokenizer.eos_token_id) == (completion.stop_reason == "eos")


def test_stop_strings_stay_and_end_the_text(policy):
    """The text ends with the stop string; tokens are all that was sampled."""
    sampling = Sampling(max_new_tokens=60, stop=("e", "\n"))
    stopped = [c for c in policy.generate([ask(policy)], 24, sampling, [5])[0] if c.stop_reason == "stop"]
    assert stopped
    for completion in stopped:
        assert completion.text.endswith(("e", "\n"))
        assert sum(completion.text.count(word) for word in sampling.stop) == 1
        assert len(completion.logprobs) == len(completion.token_ids)


def test_cut_takes_the_stop_that_completes_first():
    """Not the first in the list, and not the one that begins first."""
    assert cut_after_stop("abcdef", ("abcdef", "cd")) == "abcd"
    assert cut_after_stop("abc", ("x",)) == cut_after_stop("abc", ()) == "abc"


def test_a_full_window_is_refused(policy):
    """A context that leaves no room raises, and says how long it is."""
    with pytest.raises(ContextOverflow, match="window of 256"):
        policy.generate([ask(policy, "x " * 400)], 1, SAMPLING, [0])


def test_a_changed_context_is_found(policy):
    """The prefix property is asserted, not assumed."""
    context = ask(policy)
    with pytest.raises(PrefixMismatch):
        policy.extend(context, "x").check_prefix(ask(policy, "something else"))


def test_contexts_and_completions_pickle(policy):
    """They cross processes."""
    context = ask(policy)
    completion = policy.generate([context], 1, SAMPLING, [0])[0][0]
    assert pickle.loads(pickle.dumps(context.append(completion))).token_ids == context.append(completion).token_ids


def test_a_saved_directory_samples_the_same(policy, model_dir):
    """Loaded from disk, the policy draws the same tokens."""
    loaded = LocalPolicy.from_directory(model_dir)
    assert loaded.name == str(model_dir)
    one, other = (p.generate([ask(p)], 2, SAMPLING, [3])[0] for p in (policy, loaded))
    assert [c.token_ids for c in one] == [c.token_ids for c in other]


def test_bfloat16_weights_are_sampled_from(model_dir):
    """Half precision works, and its numbers are finite."""
    policy = LocalPolicy.from_directory(model_dir, dtype="bfloat16")
    completion = policy.generate([ask(policy)], 2, SAMPLING, [3])[0][0]
    assert all(value <= 0 for value in completion.logprobs)


def test_a_broken_directory_is_refused(tmp_path, model_dir):
    """Absent, truncated or foreign: one sentence that names the directory."""
    with pytest.raises(CheckpointError, match="device"):
        LocalPolicy.from_directory(model_dir, device="abacus")
    with pytest.raises(CheckpointError, match="is no directory"):
        LocalPolicy.from_directory(tmp_path / "nowhere")
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model_dir.iterdir():
        data = file.read_bytes()
        (broken / file.name).write_bytes(data[: len(data) // 2] if file.suffix == ".safetensors" else data)
    with pytest.raises(CheckpointError, match="broken"):
        LocalPolicy.from_directory(broken)
    (broken / "config.json").write_text(json.dumps({"model_type": "no such type"}))
    with pytest.raises(CheckpointError, match="broken"):
        LocalPolicy.from_directory(broken)
