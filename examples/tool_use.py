"""An agent that calls tools: what the user says, what is called, what comes back, and how it is judged."""

from __future__ import annotations

import gymnasium as gym

import bai  # noqa: F401 - registers the environments

EPISODES = 3


def main() -> None:
    env = gym.make("bai/ToolUse-v0", difficulty=[2, 3], uses=["sqlite", "files"], prompt="short")
    for seed in range(EPISODES):
        observation, _ = env.reset(seed=seed)
        print(f"user: {observation}")
        # A policy would read what came back; here the gold answers are as good.
        for action in env.unwrapped.oracle():
            observation, reward, terminated, _, info = env.step(action)
            print(f"agent: {action}")
            print(f"environment: {observation}" if not terminated else f"reward {reward}, {info['reward_terms']}\n")
    env.close()


if __name__ == "__main__":
    main()
