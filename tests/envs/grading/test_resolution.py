"""Resolution is decided as swebench decides it, and stricter where its rules can be turned against it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bai.envs.grading.logs import LogReader, LogReading, output_of_tests
from bai.envs.grading.resolution import examine, resolve
from bai.envs.tasks.repair import RepairTask, TestRun
from bai.envs.tasks.swebench import load_repair_set
from bai.errors import TaskNotFound

# Names that begin alike, some of them cut within their parameters.
TESTS = st.sampled_from(["a", "b", "a[1]", "a[1-x]", "a[", "a[1", "c[[x]", "c[[", "c", "d]"])
KNOWN = st.sampled_from(["PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL"])


@given(
    statuses=st.dictionaries(TESTS, KNOWN),
    fail_to_pass=st.lists(TESTS, max_size=4),
    pass_to_pass=st.lists(TESTS, max_size=4),
    kind=st.sampled_from(["pass_and_fail", "fail_only"]),
)
def test_resolution_is_that_of_swebench(
    statuses: dict[str, str], fail_to_pass: list[str], pass_to_pass: list[str], kind: Any, upstream: Any
) -> None:
    """Test by test and as a whole, cut names and skipped tests and the other way of counting included."""
    ours = resolve(statuses, fail_to_pass, pass_to_pass, kind)
    expected = {"FAIL_TO_PASS": fail_to_pass, "PASS_TO_PASS": pass_to_pass}
    report = upstream.get_eval_tests_report(statuses, expected, eval_type=upstream.EvalType(kind))
    assert {test for test, good in ours.fail_to_pass.items() if good} == set(report["FAIL_TO_PASS"]["success"])
    assert {test for test, good in ours.pass_to_pass.items() if good} == set(report["PASS_TO_PASS"]["success"])
    assert ours.resolved == (upstream.get_resolution_status(report) == "RESOLVED_FULL")


@pytest.mark.parametrize("status", ["PASSEDX", "XPASS", "FAILED:", ""])
def test_an_unknown_status_is_a_failure(status: str, upstream: Any) -> None:
    """Swebench drops a test of such a status from both counts; a line ``FAILED: a`` would then make it vanish."""
    report = upstream.get_eval_tests_report(
        {"a": "PASSED", "b": status}, {"FAIL_TO_PASS": ["a", "b"], "PASS_TO_PASS": []}
    )
    assert upstream.get_resolution_status(report) == "RESOLVED_FULL"
    ours = resolve({"a": "PASSED", "b": status}, ["a", "b"], [])
    assert not ours.resolved
    assert ours.fraction == 0.5


def test_the_fraction_counts_repairs_only_where_nothing_broke() -> None:
    """Half of the repair with everything kept is worth half; with a test broken, nothing."""
    statuses = {"a": "PASSED", "b": "FAILED", "c": "SKIPPED"}
    assert resolve(statuses, ["a", "b"], ["c"]).fraction == 0.5
    assert resolve(statuses, ["a"], ["c"]).fraction == 1.0
    assert resolve(statuses, ["a"], ["c", "d"]).fraction == 0.0
    assert resolve(statuses, ["a"], ["c", "d"]).missing == {"d"}
    assert resolve({}, [], []).fraction == 1.0


def test_what_has_failed_stays_failed() -> None:
    """A test that is known to have failed by other means cannot be talked up."""
    assert resolve({"a": "PASSED"}, ["a"], []).resolved
    assert not resolve({"a": "PASSED"}, ["a"], [], failed={"a"}).resolved


WORD = "k3x9"
GOOD = {"t::a": "PASSED", "t::b": "PASSED", f"t::test_{WORD}": "FAILED"}


def task(parser: str = "parse_log_pytest") -> RepairTask:
    """A task of two tests."""
    return RepairTask(
        task_id="t", prompt="", repo="library/t", base_commit="0", version="1", problem_statement="", patch="",
        test_patch="", fail_to_pass=("t::a", "t::c[x"), pass_to_pass=("t::b",), log_parser=parser,
        run=TestRun(command="pytest", targets=()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "conflicts", "exit_code", "resolved", "signs"),
    [
        ({}, (), 1, True, []),
        ({"t::a": "FAILED"}, (), 1, False, []),
        ({"t::a": None}, (), 1, False, []),
        ({}, (), 0, False, ["reported success"]),
        ({f"t::test_{WORD}": "PASSED"}, (), 1, False, ["that must fail did not"]),
        ({f"t::test_{WORD}": "SKIPPED"}, (), 0, False, ["reported success", "that must fail did not"]),
        ({f"t::test_{WORD}": None}, (), 1, False, ["was not run though all others were"]),
        ({f"t::test_{WORD}": None, "t::a": None}, (), 2, False, []),  # the candidate cannot be imported
        ({f"t::test_{WORD} again": "PASSED"}, (), 1, False, ["that must fail did not"]),
        ({}, ("t::a",), 1, False, ["said to have failed and not"]),
        ({}, ("t::c[x",), 1, False, []),  # a name that several tests share
        ({}, ("t::z",), 1, True, []),  # a test that nobody asked for
        ({}, (), None, False, []),  # a limit ended the runner
        ({}, (), -11, False, []),  # a signal did
        ({}, (), 139, False, []),
        ({}, (), 2, True, []),
    ],
)
def test_a_run_counts_only_if_what_must_fail_did(
    changes: dict[str, str | None], conflicts: tuple[str, ...], exit_code: int | None, resolved: bool, signs: list[str]
) -> None:
    """Sentinel, exit code and conflicts; a run that merely failed is not accused."""
    said = {**GOOD, "t::c[x": "PASSED", **changes}
    statuses = {test: status for test, status in said.items() if status is not None}
    reading = LogReading(statuses=statuses, conflicts=frozenset(conflicts))
    examined = examine(task(), reading, exit_code=exit_code, sentinel=WORD)
    assert examined.resolved == resolved
    assert len(examined.tampering) == len(signs)
    assert all(sign in said for sign, said in zip(signs, examined.tampering, strict=True))
    assert not any(test in sign for sign in examined.tampering for test in (*task().fail_to_pass, "t::b"))


@pytest.mark.parametrize(("status", "accused"), [("PASSED", True), ("FAILED", False), ("ERROR", False)])
def test_a_copy_may_pass_by_chance_where_its_test_fails(status: str, accused: bool) -> None:
    """Code that is wrong may come to just the value that the copy expects; it resolves nothing, and is not accused."""
    said = {**GOOD, "t::c[x": "PASSED", f"t::test_{WORD}": "PASSED", "t::a": status}
    examined = examine(task(), LogReading(statuses=said), exit_code=1, sentinel=WORD, twin="t::a")
    assert not examined.resolved
    assert bool(examined.tampering) is accused


def test_names_that_tests_may_share_fail_without_an_accusation() -> None:
    """Django and sympy name tests by descriptions or by functions, so an honest log can say both of one name."""
    reading = LogReading(statuses={**GOOD, "t::c[x": "PASSED"}, conflicts=frozenset({"t::a"}))
    for parser in ("parse_log_django", "parse_log_sympy"):
        examined = examine(task(parser), reading, exit_code=1, sentinel=WORD)
        assert not examined.resolved
        assert not examined.tampering


def test_a_log_that_could_not_be_read_resolves_nothing() -> None:
    """Nor is it a sign of tampering by itself."""
    examined = examine(task(), LogReading(problem="timeout"), exit_code=1, sentinel=WORD)
    assert not examined.resolved
    assert not examined.tampering
    assert examined.resolution.missing == {"t::a", "t::b", "t::c[x"}


EXPLAINED = {
    "django__django-11039": False,  # a race over a .pyc file made one pass-to-pass test an error
    "matplotlib__matplotlib-25311": False,  # collection failed: nothing ran
    "matplotlib__matplotlib-25433": False,
    "matplotlib__matplotlib-25498": False,
    "psf__requests-2317": False,  # the run took over 900 s: nothing was printed
    "django__django-13660": True,  # every test passed, one with output before its "ok"
    "sympy__sympy-13177": True,  # two errors in tests that the row does not list
}
"""Logs of which our verdict is not the recorded one, with ours; ``docs/repair_tasks.md`` has the reasons."""


@pytest.mark.data
def test_verdicts_on_published_logs_are_the_recorded_ones(
    data_dir: Path, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each log of a gold patch on Lite, but for seven that are explained; none holds a conflict."""
    logs = data_dir / "swebench" / "golden_logs_half.jsonl.gz"
    if not logs.exists() or not (data_dir / "swebench" / "lite_v5.parquet").exists():
        pytest.skip("needs swebench/golden_logs_half.jsonl.gz and swebench/lite_v5.parquet in BAI_DATA_DIR")
    monkeypatch.setenv("BAI_DATA_DIR", str(data_dir))
    tasks, compared, differing = load_repair_set("swebench_lite"), 0, {}
    for line in gzip.decompress(logs.read_bytes()).split(b"\n")[:-1]:
        row = json.loads(line)
        try:
            known = tasks.get(row["instance_id"])
        except TaskNotFound:
            continue
        reading = reader.read_log(known.log_parser, output_of_tests(row["log"]))
        ours = resolve(
            reading.statuses, known.fail_to_pass, known.pass_to_pass, known.eval_type, failed=reading.conflicts
        )
        assert reading.problem is None
        assert not reading.conflicts
        compared += 1
        if ours.resolved != row["resolved"]:
            differing[known.task_id] = ours.resolved
            print(
                f"{known.task_id}: recorded {row['resolved']}, ours {ours.resolved}, {len(reading.statuses)} statuses"
            )
    print(f"{compared} logs, {compared - len(differing)} verdicts as recorded")
    assert compared == 149
    assert differing == EXPLAINED
