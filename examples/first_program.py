"""A first program: one task, a wrong answer and a right one, each judged by hidden tests."""

from __future__ import annotations

import gymnasium as gym

import bai  # noqa: F401 - registers the environments


def main() -> None:
    env = gym.make("bai/Coding-v0", task_set="micro", split="train", difficulty=2)
    prompt, info = env.reset(seed=1)
    print(f"{info['task_id']}\n{prompt}\n")
    gold = next(env.unwrapped.oracle())
    for answer in ("def f(x):\n    return x", gold):
        env.reset(options={"task_id": info["task_id"]})
        _, reward, _, _, judged = env.step(answer)
        print(f"{answer}\n-> {judged['verdict']['status']}, reward {reward}\n")
    env.close()


if __name__ == "__main__":
    main()
