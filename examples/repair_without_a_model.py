"""A repair without a model: where the fault probably lies, and the candidate that a search over templates finds.

Then that candidate is handed in as the agent ``repair`` would do it, and the hidden tests decide. The search runs the
visible tests over hundreds of edits: it takes a minute or two.
"""

from __future__ import annotations

import time

import gymnasium as gym

import bai  # noqa: F401 - registers the environments
from bai.agents.repair.agent import answers
from bai.agents.repair.environment import surroundings_of
from bai.agents.repair.pipeline import RepairPipeline


def main() -> None:
    env = gym.make("bai/SWEBench-v0", mode="patch", context="none")
    prompt, info = env.reset(seed=3)
    print(prompt)

    seen = surroundings_of(env)  # the files, the machine and the words that any agent gets
    pipeline = RepairPipeline()
    print("Where the coverage of the visible tests points:", flush=True)
    for unit in pipeline.localise(seen.tree, seen.machine, seen.statement).top_units(3, "function"):
        print(f"  {unit.path}:{unit.first} {unit.name}")

    print("Trying edits there, which takes a minute or two ...", flush=True)
    began = time.monotonic()
    solution = pipeline.solve(seen.tree, seen.machine, seen.statement)
    print(f"Probably at fault, after {time.monotonic() - began:.0f} s:")
    for unit in solution.ranking.top_units(3, "function"):
        print(f"  {unit.path}:{unit.first} {unit.name}")
    for candidate in solution.candidates[:3]:
        print(
            f"{candidate.source}: {candidate.reproduced} of {candidate.wanted} mended, {candidate.regressions} broken"
        )

    (answer,) = answers(seen, solution.candidates[0].changes)
    _, reward, _, _, judged = env.step(answer)
    print(f"{answer}\n-> {judged['verdict']['status']}, reward {reward} on {info['task_id']}")
    env.close()


if __name__ == "__main__":
    main()
