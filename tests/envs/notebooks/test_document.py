"""Saved episodes: valid notebooks, which nbclient runs again with ipykernel to the same outputs."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from bai.envs.notebook import NotebookEnv
from bai.errors import ConfigError

CellOf = Callable[[str], str]

AGAIN = """
import asyncio, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
CELLS = (
    "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')})\ndf",
    "print('one'); print('two')\nimport sys\nprint('three', file=sys.stderr)\ndf['a'].sum()",
    "from IPython.display import HTML, Markdown, display\ndisplay(HTML('<b>x</b>'), Markdown('*y*'))\nHTML('<i>z</i>')",
    "import matplotlib.pyplot as plt\nplt.plot(df['a'])\nplt.title('line')\nplt.show()\nprint('after')",
    "fig, axes = plt.subplots(1, 2)\naxes[0].hist([1, 2, 2])",
    "%precision 3\n3.14159265",
    "!echo from a shell",
    "import os\nos.system('echo from a program');",
    "handle = display('first', display_id='d')\nhandle.update('second')",
    "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "_, __, Out[1].shape, In[1][:6]",
    "%%timeit -n1 -r1 -q\npass",
)
"""What cells put out in every way there is."""


def run_again(path: Path) -> Any:
    """Runs a saved notebook with Jupyter's own means; gives it as it is then."""
    done = path.with_suffix(".again.ipynb")
    # With that variable, ipykernel leaves alone what programs write.
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-c", AGAIN, path.name, done.name]
    subprocess.run(command, cwd=path.parent, env=variables, check=True, timeout=250)
    return nbformat.read(done, as_version=4)


def plain(output: Any) -> Any:
    """What is compared of an output: all but escapes for colours and the ends of lines."""
    kept = json.loads(json.dumps(output))
    if kept["output_type"] == "error":
        text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(kept.pop("traceback")))
        kept["text"] = re.sub(r"\s+", " ", text)
    if kept["output_type"] == "stream":
        # Commands of the shell get a terminal there, and none here.
        kept["text"] = kept["text"].replace("\r\n", "\n")
    for mime in [mime for mime in kept.get("data", ()) if mime.startswith("image/")]:
        kept["data"][mime] = base64.b64decode(kept["data"][mime])
    return kept


def outputs_of(notebook: Any) -> list[Any]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [(cell["source"], cell["execution_count"], [plain(output) for output in cell["outputs"]]) for cell in cells]


@pytest.fixture(scope="module")
def saved(env: NotebookEnv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an episode with every kind of output."""
    path = tmp_path_factory.mktemp("notebooks") / "episode.ipynb"
    env.reset(seed=3)
    for code in CELLS:
        env.step(f"<step><thought>*Look.*</thought><action_input>{code}</action_input></step>")
    env.step("<stop_analysis><answer>@x[1]</answer></stop_analysis>")
    return env.save(path, tables=True)


class TestDocument:
    """What Jupyter gets."""

    def test_is_valid(self, saved: Path) -> None:
        """For nbformat, which also finds nothing to repair."""
        notebook = nbformat.read(saved, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook, relax_add_props=False)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)

    def test_holds_the_episode(self, saved: Path, env: NotebookEnv) -> None:
        """The task first, thoughts before their cells, the answer last."""
        cells = json.loads(saved.read_text())["cells"]
        assert env.task is not None and cells[0]["source"] == env.task.prompt
        assert [cell["source"] for cell in cells[1:5:2]] == ["*Look.*", "*Look.*"]
        assert [cell["source"] for cell in cells if cell["cell_type"] == "code"] == list(CELLS)
        assert cells[-1]["source"].endswith("@x[1]")

    def test_runs_again_to_the_same_outputs(self, saved: Path) -> None:
        """In ipykernel: numbers of cells, streams, rich output and every byte of the pictures."""
        expected, found = outputs_of(nbformat.read(saved, as_version=4)), outputs_of(run_again(saved))
        assert len(found) == len(CELLS)
        for before, after in zip(expected, found, strict=True):
            assert before == after

    def test_needs_an_episode(self, env_options: dict[str, Any]) -> None:
        """There is nothing to save before the first."""
        with pytest.raises(ConfigError, match="reset"):
            NotebookEnv(**env_options).notebook()


class TestFailures:
    """Cells that failed."""

    CODE = ("x = 2", "print('before')\nx / 0", "int('one')", "x / 4", "def f(:", "undefined_name")

    @pytest.fixture
    def failed(self, env: NotebookEnv, cell: CellOf) -> NotebookEnv:
        env.reset(seed=3)
        for code in self.CODE:
            env.step(cell(code))
        return env

    def test_are_rewritten(self, failed: NotebookEnv, tmp_path: Path) -> None:
        """What took their place has their number, and runs again to the same outputs; one at the end stays."""
        path = failed.save(tmp_path / "rewritten.ipynb")
        expected, found = outputs_of(nbformat.read(path, as_version=4)), outputs_of(run_again(path))
        assert [(source, count) for source, count, _ in expected] == [("x = 2", 1), ("x / 4", 2), ("undefined_name", 3)]
        assert expected == found

    def test_can_be_kept(self, failed: NotebookEnv, tmp_path: Path) -> None:
        """Tagged, so that Jupyter runs past them; with the tracebacks that Jupyter gives."""
        path = failed.save(tmp_path / "kept.ipynb", failures=True)
        again = outputs_of(run_again(path))
        assert [source for source, _, _ in again] == list(self.CODE)
        for before, after in zip(outputs_of(nbformat.read(path, as_version=4)), again, strict=True):
            names = [[output.get("ename") for output in outputs] for _, _, outputs in (before, after)]
            assert names[0] == names[1]
