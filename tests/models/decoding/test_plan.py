"""Every completion is decoded once, with its whole prompt, within the budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bai.models.decoding.plan import plan_batches

prompt_lists = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=12)


@given(prompt_lists, st.integers(1, 3), st.integers(1, 60), st.booleans())
def test_each_row_once_with_its_prompt(prompts, n, budget, share):
    """Prefix and remainder make the prompt; no row is lost or drawn twice."""
    seen = []
    for batch in plan_batches(prompts, n, room=4, budget=budget, share=share):
        for family in batch:
            assert family.prefix and family.rows
            for row in family.rows:
                assert family.prefix + row.remainder == prompts[row.prompt]
                seen.append((row.prompt, row.member))
    assert sorted(seen) == [(index, member) for index in range(len(prompts)) for member in range(n)]


@given(prompt_lists, st.integers(1, 3), st.integers(1, 200), st.booleans())
def test_budget_is_kept(prompts, n, budget, share):
    """A batch of several rows caches at most the budget, padding included."""
    for batch in plan_batches(prompts, n, room=4, budget=budget, share=share):
        width, rest = max(len(f.prefix) for f in batch), max(f.rest for f in batch)
        rows = sum(len(f.rows) for f in batch)
        cached = len(batch) * width + rows * (rest + 4) if share else rows * (width + 4)
        assert rows == 1 or cached <= budget


@given(prompt_lists, st.integers(1, 3))
def test_remainders_are_all_or_none(prompts, n):
    """Rows with and without remainders don't meet: they draw their first token at different moments."""
    for batch in plan_batches(prompts, n, room=4, budget=10_000, share=True):
        rests = {bool(row.remainder) for family in batch for row in family.rows}
        assert len(rests) == 1


@given(prompt_lists)
def test_sharing_never_computes_more(prompts):
    """Tokens fed before the first draw are at most those of the distinct prompts."""
    fed = 0
    for batch in plan_batches(prompts, 2, room=4, budget=10_000, share=True):
        for family in batch:
            fed += len(family.prefix) + sum(len(row.remainder) for row in family.rows)
    assert fed <= sum(len(prompt) for prompt in set(prompts))


def test_equal_prompts_are_prefilled_once():
    """Prompts that come twice are one family without remainders."""
    (batch,) = plan_batches([(1, 2, 3), (1, 2, 3)], 2, room=4, budget=1000, share=True)
    assert [(f.prefix, len(f.rows), f.rest) for f in batch] == [((1, 2, 3), 4, 0)]


def test_long_common_prefix_is_shared():
    """Conversations that begin alike compute their beginning once."""
    head = tuple(range(50))
    (batch,) = plan_batches([(*head, 100), (*head, 101, 102)], 1, room=4, budget=1000, share=True)
    assert [(f.prefix, f.rest) for f in batch] == [(head, 2)]
