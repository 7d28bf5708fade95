"""From what an agent said to the source that is judged.

Everything here works on hostile text of up to a mebibyte, so it scans lines and never parses: Python's
parser can be crashed by nesting, and it would crash the judge's process.
"""

from __future__ import annotations

import re
import textwrap

from bai.envs.tasks.coding import CodingTask

__all__ = ["assemble", "extract_code", "fenced_python", "with_adapter"]

# Possessive throughout: a line of a mebibyte must not be tried at every split.
_FENCE = re.compile(r"^ {0,3}(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)[^`]*+$")
_PYTHON = ("python", "py", "python3")
_FUTURE = re.compile(r"^from __future__ import [^\n]*$", re.MULTILINE)


def extract_code(answer: str) -> str:
    """Gives the last fenced Python block; else the last block without a language; else the whole text.

    A block that is never closed runs to the end.
    """
    blocks = _blocks(answer.replace("\r\n", "\n").split("\n"))
    for languages in (_PYTHON, ("",)):
        for language, block in reversed(blocks):
            if language in languages:
                return block
    return answer


def fenced_python(answer: str) -> str | None:
    """Gives the last fenced block marked as Python; None where there is none."""
    blocks = _blocks(answer.replace("\r\n", "\n").split("\n"))
    return next((block for language, block in reversed(blocks) if language in _PYTHON), None)


def _blocks(lines: list[str]) -> list[tuple[str, str]]:
    blocks: list[tuple[str, str]] = []
    fence, language, start = "", "", 0
    for number, line in enumerate(lines):
        match = _FENCE.match(line) if line.lstrip(" ")[:1] in ("`", "~") else None
        if match is None:
            continue
        if not fence:
            fence, language, start = match[1], match[2].lower(), number + 1
        elif match[1].startswith(fence) and not match[2]:
            blocks.append((language, "\n".join(lines[start:number])))
            fence = ""
    if fence:
        blocks.append((language, "\n".join(lines[start:])))
    return blocks


def assemble(task: CodingTask, answer: str) -> str:
    """Gives the source to load: the prelude and the answer's code, or the prompt and the body that continues it.

    For a task of style ``completion``, code that does not define the entry point at its top level is taken
    as the body; where its first line has lost its indentation, all of it is indented.
    """
    code = extract_code(answer)
    if task.answer_style == "completion" and not _defines(code, task.entry_point):
        return task.prompt.rstrip("\n") + "\n" + _as_body(code)
    futures = _FUTURE.findall(code)
    if futures and task.prelude:
        return "\n".join([*futures, task.prelude, _FUTURE.sub("", code)])
    return f"{task.prelude}\n{code}" if task.prelude else code


def with_adapter(source: str, adapter: str) -> str:
    """Places a test's adapter after the candidate's source."""
    return f"{source}\n\n{adapter}" if adapter else source


def _defines(code: str, name: str) -> bool:
    return re.search(rf"^(?:(?:async\s+)?def|class)\s+{name}\b|^{name}\s*[:=]", code, re.MULTILINE) is not None


def _as_body(code: str) -> str:
    first = next((line for line in code.split("\n") if line.strip()), "")
    return code if first[:1].isspace() else textwrap.indent(code, "    ")
