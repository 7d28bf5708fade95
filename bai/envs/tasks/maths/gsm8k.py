"""GSM8K: 7,473 questions of grade-school arithmetic in words, with solutions of two to nine lines.

Source: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems" (arXiv:2110.14168); file
``gsm8k_train.jsonl`` with ``question`` and ``answer``, whose last line is ``#### `` and the final answer. What differs:
the calculator annotations ``<<48/2=24>>`` are taken out of the solutions, and one question in ten, told by a hash of
its text, is split off as ``heldout``. Ids count the lines of the file. Difficulty is the number of
lines of the solution.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from bai.envs.tasks.files import Row, locate, read_rows
from bai.envs.tasks.finite import FiniteTaskSet
from bai.envs.tasks.maths.task import MathTask

__all__ = ["load_gsm8k"]

HELD_OUT = 10
"""One question in this many is held out."""
_NOTE = re.compile(r"<<[^<>\n]{0,200}>>")


def load_gsm8k(path: Path | None = None) -> FiniteTaskSet[MathTask]:
    """Loads GSM8K's training questions.

    Raises:
        TaskSetNotFound: The file is not on this machine.
        MalformedRow: A row breaks the format.
    """
    path = path or locate("gsm8k", "gsm8k_train.jsonl", kind="math")
    return FiniteTaskSet("gsm8k", (_task(row) for row in read_rows(path)))


def _task(row: Row) -> MathTask:
    question, solution = row.text("question"), row.text("answer")
    lines, mark, gold = solution.rpartition("\n#### ")
    if not mark or not gold.strip():
        raise row.malformed("answer", "expected a last line of '#### ' and the final answer")
    digest = hashlib.blake2b(question.encode(), digest_size=8).digest()
    return MathTask(
        task_id=f"gsm8k/{row.line}",
        prompt=question,
        metadata={
            "source": "gsm8k",
            "split": "train" if int.from_bytes(digest, "big") % HELD_OUT else "heldout",
            "difficulty": lines.count("\n") + 1,
        },
        gold=gold.strip(),
        solution=_NOTE.sub("", lines),
    )
