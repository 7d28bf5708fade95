"""An episode in a live notebook, played by the oracle, branched half-way, and saved for Jupyter.

    python examples/notebook.py [episode.ipynb]

Needs: pip install 'bai-rl[notebook]'
"""

from __future__ import annotations

import sys

import gymnasium as gym

import bai  # noqa: F401  (registers the ids)

STEP = "<step><thought>{}</thought><action>python_executor</action><action_input>\n{}\n</action_input></step>"


def main(path: str) -> None:
    env = gym.make("bai/Notebook-v0", family="plot", difficulty=2).unwrapped
    question, _ = env.reset(seed=7)
    print(question)

    look = "from pathlib import Path\nname = next(Path().glob('*.csv'))\nprint(name.read_text()[:120])"
    print(env.step(STEP.format("What is in the table?", look))[0])

    twin = env.fork()
    print(twin.step(STEP.format("Variables are there in the branch.", "name.stem"))[0])
    twin.close()

    for action in env.oracle():
        observation, reward, _, _, info = env.step(action)
        print(observation)
    print(f"reward {reward}: {info['verdict']['detail']}")
    print(f"saved {env.save(path, tables=True)}; open it with: jupyter lab {path}")
    env.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "episode.ipynb")
