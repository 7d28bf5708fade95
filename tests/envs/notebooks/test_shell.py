"""Live shells: IPython with a kernel's semantics, which branch, and end in a typed way whatever a cell does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.notebooks.outputs import Output, pictures, read_outputs, tell
from bai.envs.notebooks.shell import Nursery, Shell
from bai.errors import CannotFork


def out(shell: Shell, source: str, count: int = 1) -> str:
    """What a cell that must succeed puts out, in words."""
    result = shell.run(source, count)
    assert result.status == "ok", result
    return tell(result.outputs, 10_000)


class TestKernel:
    """What a kernel does."""

    def test_keeps_its_state(self, shell: Shell) -> None:
        """Variables, imports, the numbered results, and the workspace as the directory."""
        out(shell, "import pandas as pd\ndf = pd.read_csv('t.csv')", 1)
        assert out(shell, "len(df)", 2) == "2"
        assert out(shell, "Out[2], _, In[2], __name__", 3) == "(2, 2, 'len(df)', '__main__')"

    def test_gives_rich_output(self, shell: Shell) -> None:
        """HTML beside the plain form, and the picture of a figure as PNG."""
        frame = shell.run("import pandas as pd\npd.DataFrame({'a': [1]})", 1).outputs[0]
        assert frame["output_type"] == "execute_result" and frame["execution_count"] == 1
        assert "<table" in frame["data"]["text/html"] and "a" in frame["data"]["text/plain"]
        outputs = shell.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", 2).outputs
        assert pictures(outputs) == 1 and outputs[0]["data"]["image/png"].startswith("iVBOR")
        assert "[image/png]" in tell(outputs, 1000)
        assert out(shell, "plt.get_fignums()", 3) == "[]"

    def test_gives_tracebacks_without_escapes(self, shell: Shell) -> None:
        """With the cell's number and line; the shell goes on."""
        result = shell.run("x = 1\nx / 0", 7)
        assert result.status == "error" and result.outputs[-1]["ename"] == "ZeroDivisionError"
        told = tell(result.outputs, 10_000)
        assert "Cell In[7], line 2" in told and "\x1b" not in told
        assert out(shell, "x", 8) == "1"

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("def f(:", "SyntaxError"),
            ("input('name? ')", "StdinNotImplementedError"),
            ("import getpass; getpass.getpass()", "StdinNotImplementedError"),
            ("import sys; sys.exit(3)", "SystemExit"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("%cd /nowhere/at/all\n1 / 0", "ZeroDivisionError"),
            ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "ValueError"),
        ],
    )
    def test_fails_and_goes_on(self, shell: Shell, source: str, name: str) -> None:
        """Whatever is raised."""
        result = shell.run(source, 1)
        assert result.status == "error" and result.outputs
        assert any(output.get("ename") == name for output in result.outputs), result.outputs
        assert out(shell, "1 + 1") == "2"

    def test_magics_and_commands_work(self, shell: Shell) -> None:
        """Those that need no kernel."""
        assert out(shell, "!cat t.csv | head -1") == "a,b"
        assert out(shell, "names = !ls\nlist(names)") == "['t.csv']"
        assert "1 loop" in out(shell, "%timeit -n1 -r1 1")
        assert out(shell, "%%writefile made.py\nx = 5") == "Writing made.py"
        assert out(shell, "import made; made.x") == "5"
        assert "Return the absolute value" in out(shell, "help(abs)")
        assert out(shell, "import os; os.makedirs('d')\n%cd -q d\nos.path.basename(os.getcwd())") == "'d'"
        assert out(shell, "%xmode Plain") == "Exception reporting mode: Plain"

    def test_programs_are_heard_in_order(self, shell: Shell) -> None:
        """What they write to their standard output comes between what Python prints."""
        code = "import os, subprocess\nprint(1)\nos.system('echo 2')\nprint(3)\nsubprocess.run(['echo', '4']);"
        assert out(shell, code).split() == ["1", "2", "3", "4"]


class TestBounds:
    """Cells that put out too much."""

    def test_a_hundred_megabytes_are_cut(self, shell: Shell) -> None:
        """A mebibyte is kept, and how much is left out is said, inside the document and to the agent."""
        result = shell.run("for _ in range(1000): print('x' * 99_999)", 1)
        assert result.status == "ok" and len(result.outputs[0]["text"]) == 1 << 20
        assert "[98951424 characters of text left out]" in result.outputs[-1]["text"]
        told = tell(result.outputs, 1000)
        assert len(told) < 1100 and "characters left out here]" in told

    def test_a_thousand_pictures_are_cut(self, shell: Shell) -> None:
        """Twenty are drawn; the rest are closed undrawn, and counted."""
        code = "import matplotlib.pyplot as plt\nfrom matplotlib.lines import Line2D\n"
        code += "plt.rcParams['figure.max_open_warning'] = 0\nplt.rcParams['figure.dpi'] = 10\n"
        result = shell.run(code + "for _ in range(1000): plt.figure().lines.append(Line2D([0], [0]))", 1)
        assert pictures(result.outputs) == 20
        assert "980 pictures left out" in result.outputs[-1]["text"]
        assert out(shell, "plt.get_fignums()", 2) == "[]"

    def test_a_thousand_outputs_are_cut(self, shell: Shell) -> None:
        """And large ones."""
        code = "from IPython.display import HTML, display\n"
        many = shell.run(f"{code}for _ in range(2000): display(HTML('x'))", 1)
        assert len(many.outputs) == 1001 and "1000 outputs left out" in many.outputs[-1]["text"]
        large = shell.run(f"{code}display(HTML('x' * 50_000_000))", 1)
        assert "1 outputs left out" in large.outputs[-1]["text"]


class TestEnds:
    """Cells that end the shell: typed, at once, and the next shell is clean (see the fixture)."""

    @pytest.mark.parametrize(
        ("source", "status"),
        [
            ("exit", "crashed"),
            ("quit()", "crashed"),
            ("get_ipython().ask_exit()", "crashed"),
            ("import os; os._exit(0)", "crashed"),
            ("import os; os.kill(os.getpid(), 9)", "crashed"),
            ("import ctypes; ctypes.string_at(0)", "crashed"),
            ("import os; os.close(3); os.close(4)", "crashed"),
            ("bytearray(1 << 36)", "memory"),
            ("import numpy; numpy.ones((1 << 20, 1 << 20))", "memory"),
            ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
        ],
    )
    def test_is_typed(self, shell: Shell, source: str, status: str) -> None:
        """And later cells answer the same."""
        result = shell.run(source, 1)
        assert (result.status, result.is_gone) == (status, True) and result.detail
        assert shell.run("1", 2).is_gone

    def test_a_hang_is_a_timeout(self, shell: Shell) -> None:
        """Also one that ignores what can be ignored."""
        code = (
            "import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n  except OSError: pass\n"
        )
        result = shell.run(
            code + "while True:\n  try:\n    while True: pass\n  except BaseException: pass", 1, wall_s=1.0
        )
        assert result.status == "timeout"

    @pytest.mark.parametrize(
        "source",
        [
            "get_ipython().__dict__.clear()",
            "import sys; sys.modules['solution'].__dict__.clear()",
            "import sys; sys.modules['solution']._shell = None",
            "import sys; sys.modules['solution'].run_cell = lambda *a: 'forged'",
            "import sys; sys.modules['solution'].run_cell = lambda *a: '{\"failed\": false, \"outputs\": [[]]}'",
            "get_ipython().run_cell = None",
        ],
    )
    def test_a_broken_shell_is_a_crash(self, shell: Shell, source: str) -> None:
        """At the cell that breaks it, or at the next."""
        assert "crashed" in [shell.run(code, 1).status for code in (source, "1")]

    @pytest.mark.parametrize(
        "source",
        [
            "del get_ipython, In, Out, _ih, _oh, _dh",
            "print = display = input = get_ipython = exit = None",
            "import builtins; builtins.print = builtins.input = builtins.open = None",
            "import sys; sys.stdout = sys.stderr = None",
            "import sys; sys.stdout.close(); sys.stderr.close()",
            "import sys; sys.displayhook = None; sys.excepthook = None",
            "import sys; sys.modules.clear()",
            "ip = get_ipython(); ip.display_pub = ip.displayhook = ip.events = None",
            "get_ipython().set_custom_exc((Exception,), lambda *a, **k: 1 / 0)\n1 / 0",
            "import os; os.close(1); os.close(2)",
            "import os; os.makedirs('d'); os.chdir('d'); os.rmdir('../d')",
            "%reset -f",
            "import gc; gc.disable(); import signal; signal.alarm(0)",
            "import sys; sys.settrace(lambda *a: None); sys.setrecursionlimit(60)",
        ],
    )
    def test_a_vandal_harms_nobody_else(self, shell: Shell, source: str) -> None:
        """Whatever it comes to is typed, and the next episode's shell is as good as ever."""
        for code in (source, "print(1)\n1"):
            assert shell.run(code, 1).status in ("ok", "error", "crashed")


class TestFork:
    """Branches of live state."""

    def test_branches_everything(self, shell: Shell) -> None:
        """Variables, figures, random state, open files and the workspace; then each goes its own way."""
        out(shell, "import random, matplotlib.pyplot as plt\nfile = open('t.csv'); file.readline()")
        out(shell, "from matplotlib_inline.config import InlineBackend; InlineBackend.instance().close_figures = False")
        out(shell, "figure = plt.figure(); plt.plot([3, 4]); x = [1]")
        twin = shell.fork()
        for one, value in ((shell, "2"), (twin, "3")):
            out(one, f"x.append({value}); open('made', 'w').write('{value}');")
        assert [out(one, "x, open('made').read()") for one in (shell, twin)] == ["([1, 2], '2')", "([1, 3], '3')"]
        assert out(shell, "random.random()") == out(twin, "random.random()")
        assert out(shell, "file.readline()") == out(twin, "file.readline()") == "'1,2\\n'"
        assert out(twin, "plt.gcf() is figure, len(figure.axes[0].lines)") == "(True, 1)"
        assert pictures(twin.run("figure", 1).outputs) == 1
        twin.close()
        assert out(shell, "x") == "[1, 2]"

    @pytest.mark.parametrize(
        ("source", "why"),
        [
            (
                "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
                "threads",
            ),
            ("import subprocess\nchild = subprocess.Popen(['sleep', '600'])", "child process"),
            ("import os\npipe = os.pipe()", "pipe"),
        ],
    )
    def test_says_what_is_in_the_way(self, shell: Shell, source: str, why: str) -> None:
        """A thread that outlives its cell, a child, a pipe; the shell goes on."""
        out(shell, source)
        with pytest.raises(CannotFork, match=why):
            shell.fork()
        assert out(shell, "1") == "1"

    def test_awaiting_leaves_nothing_behind(self, shell: Shell) -> None:
        """The loop of a cell with top-level await is closed with its sockets."""
        assert out(shell, "import asyncio\nawait asyncio.sleep(0)\n5") == "5"
        shell.fork().close()


@pytest.mark.parametrize("backend", ["process", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def test_a_nursery_survives_its_runner(backend: str, make_nursery: Callable[[str], Nursery]) -> None:
    """On each backend: where what serves all shells is lost, the next shell comes from a new one, and forks too."""
    nursery = make_nursery(backend)
    shell = nursery.open({"t.csv": b"a\n1\n"})
    assert out(shell, "import pandas as pd\nx = pd.read_csv('t.csv')['a'].sum(); int(x)") == "1"
    shell.close()
    assert nursery._sandbox is not None
    nursery._sandbox.close()
    again = nursery.open({"f": b"1"})
    twin = again.fork()
    assert out(twin, "open('f').read()") == "'1'"
    twin.close()
    again.close()


TEXTS = st.text(st.characters(codec=None), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["output_type", "name", "text", "data", "metadata", "ename", "evalue", "traceback"])
            | TEXTS,
            inner | st.sampled_from(["stream", "stdout", "error", "display_data", "execute_result"]),
            max_size=6,
        )
    ),
    max_leaves=12,
)


class TestReading:
    """What a shell answers is checked before it is used."""

    @given(VALUES)
    def test_nonsense_is_refused_or_sound(self, value: object) -> None:
        """Whatever is answered, what gets through can be written to a document."""
        try:
            _, outputs = read_outputs(json.dumps({"failed": False, "outputs": [value]}))
        except ValueError:
            return
        json.dumps(outputs, allow_nan=False).encode()
        tell(outputs, 100).encode()

    @pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"failed": 1, "outputs": []}', "[" * 100_000, "9" * 5000])
    def test_other_shapes_are_refused(self, text: object) -> None:
        """With one kind of error."""
        with pytest.raises(ValueError):
            read_outputs(text)

    def test_lone_surrogates_are_escaped(self) -> None:
        """No tokenizer takes them."""
        stream: Output = {"output_type": "stream", "name": "stdout", "text": "\ud800"}
        _, outputs = read_outputs(json.dumps({"failed": False, "outputs": [stream]}))
        assert outputs[0]["text"] == "\\ud800"
