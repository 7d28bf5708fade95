"""Solve a problem of mathematics: compute with the Python tool, then answer; the answer is compared as mathematics."""

from __future__ import annotations

import gymnasium as gym

import bai  # noqa: F401 - registers the environments

COMPUTE = """Let me compute it.
```python
from fractions import Fraction
str(Fraction(23 - 7, 2))
```"""


def main() -> None:
    env = gym.make("bai/Mathematics-v0", difficulty=2, tools="python")
    observation, _ = env.reset(options={"task_id": "arithmetic/train/2/000000001"})
    print(observation, "\n")
    observation, *_ = env.step(COMPUTE)
    print(observation)
    answer = next(env.unwrapped.oracle())  # type: ignore[attr-defined]
    print(answer)
    _, reward, *_, info = env.step(answer)
    print(f"reward {reward}: {info['verdict']['detail']}; {len(info['steps'])} steps")
    env.close()


if __name__ == "__main__":
    main()
