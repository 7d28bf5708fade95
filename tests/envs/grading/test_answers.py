"""From what an agent said to source."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bai.envs.grading.answers import assemble, extract_code
from bai.envs.tasks.coding import CodingTask


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("def f(): pass", "def f(): pass"),
        ("Sure:\n```python\na = 1\n```\nDone.", "a = 1"),
        ("```python\na = 1\n```\nBetter:\n```py\na = 2\n```", "a = 2"),
        ("```python\na = 1\n```\n```\noutput\n```", "a = 1"),
        ("```\na = 1\n```", "a = 1"),
        ("```bash\nls\n```\n```\na = 1\n```", "a = 1"),
        ("```python\na = 1", "a = 1"),
        ("~~~python\na = '```'\n~~~", "a = '```'"),
        ("````python\n```\n````", "```"),
        ("```Python\r\na = 1\r\n```", "a = 1"),
        ("", ""),
        ("```python\n```", ""),
    ],
)
def test_the_last_python_block_is_the_code(answer: str, code: str) -> None:
    """A marked block beats an unmarked one, the last beats the first, and no block means the whole text."""
    assert extract_code(answer) == code


def test_a_mebibyte_of_fences_is_read_in_linear_time() -> None:
    """Hostile text costs no more than its length."""
    started = time.process_time()
    one_line = ("~" * 1_000_000 + "`", "~~~" + "a" * 1_000_000 + "`", "```" + " " * 1_000_000 + "`")
    for text in (*one_line, "```\n" * 250_000, "`" * 1_000_000, "```python\n" + "x = 1\n" * 170_000, " " * 1_000_000):
        extract_code(text)
    assert time.process_time() - started < 10


def test_a_body_continues_the_prompt(task_of: Callable[..., CodingTask]) -> None:
    """In style ``completion``, code without the function is its body, indented if it has lost that."""
    task = task_of(prompt='def double(x):\n    """Twice."""\n', answer_style="completion")
    whole = 'def double(x):\n    """Twice."""\n    return 2 * x'
    assert assemble(task, "    return 2 * x") == whole
    assert assemble(task, "return 2 * x") == whole
    assert assemble(task, "```python\n    return 2 * x\n```") == whole
    assert assemble(task, "def double(x): return x + x") == "def double(x): return x + x"
    assert assemble(task, "double = lambda x: x + x") == "double = lambda x: x + x"


def test_the_prelude_comes_first_but_after_future_imports(task_of: Callable[..., CodingTask]) -> None:
    """An answer may start with ``from __future__``, which Python wants before anything else."""
    task = task_of(prelude="import math")
    assert assemble(task, "x = 1") == "import math\nx = 1"
    source = assemble(task, "from __future__ import annotations\nx: no_such_name = math.pi")
    compile(source, "answer", "exec")
    assert source.startswith("from __future__ import annotations\nimport math")
