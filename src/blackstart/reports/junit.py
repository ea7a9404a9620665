"""The outcome of a drill as JUnit XML, for CI: each objective a test case. Pure.

Nothing unproven passes: a missed objective is a failure, an inconclusive one an error. Two more cases stand for what
no objective says: the verdict as a whole, and that everything was put back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from blackstart.journals import reasons
from blackstart.journals.measure import Measured
from blackstart.journals.objectives import Result
from blackstart.journals.verdict import Verdict, Word
from blackstart.reports import proof, sentences, tables

# What XML 1.0 has no way to say, not even escaped.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """``fault`` is "" for a case that passed, else "failure" or "error"; ``words`` say what was seen."""

    name: str
    words: str
    fault: str = ""
    kind: str = ""


def document(measured: Measured, verdict: Verdict) -> str:
    """The whole file, one test suite of it."""
    cases = list(_cases(measured, verdict))
    counted = {
        "tests": str(len(cases)),
        "failures": str(sum(case.fault == "failure" for case in cases)),
        "errors": str(sum(case.fault == "error" for case in cases)),
    }
    drill, seconds = measured.drill, measured.users.end if measured.users else 0.0
    root = ElementTree.Element("testsuites", {"name": "blackstart", **counted, "time": f"{seconds:.3f}"})
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": _sayable(drill.experiment),
            **counted,
            "skipped": "0",
            "time": f"{seconds:.3f}",
            "timestamp": f"{measured.wall(0.0):%Y-%m-%dT%H:%M:%S}",
        },
    )
    _properties(suite, measured, verdict)
    for case in cases:
        _add(suite, drill.experiment, case, seconds)
    ElementTree.SubElement(suite, "system-out").text = _sayable(f"{verdict.word.upper()}: {verdict.reason}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _properties(suite: ElementTree.Element, measured: Measured, verdict: Verdict) -> None:
    drill = measured.drill
    told = {
        "verdict": verdict.word,
        "exit_code": str(verdict.exit_code),
        "drill": drill.drill,
        "service": measured.service.name,
        "environment": drill.environment,
        "fault": drill.fault,
        "experiment_file": drill.file,
        "experiment_sha256": drill.sha256,
        "seed": "" if drill.seed is None else str(drill.seed),
    }
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": _sayable(str(value))})


def _cases(measured: Measured, verdict: Verdict) -> Iterator[Case]:
    faults = {Result.MET: "", Result.MISSED: "failure", Result.INCONCLUSIVE: "error"}
    for objective in verdict.objectives:
        seen = tables.measured_words(measured, objective)
        sign = "≤" if objective.at_most else "≥"
        words = f"{seen}, required {sign} {reasons.target_text(objective)}: {tables.margin_words(objective)}"
        yield Case(objective.title, words, faults[objective.result], objective.result)
    said = {Word.PASSED: "", Word.FAILED: "failure", Word.INCONCLUSIVE: "error"}[verdict.word]
    doubts = "\n".join(each for each in verdict.doubts if each != verdict.reason)
    yield Case("verdict", f"{verdict.reason}\n{doubts}".strip(), said, verdict.word)
    left = sentences.leftover_warning(measured)
    ways = "\n".join(f"{words} {command}" for words, command in proof.ways_out(measured))
    yield Case(
        "everything put back", f"{left}\n{ways}".strip(), "failure" if verdict.leftovers else "", "left in place"
    )


def _add(suite: ElementTree.Element, experiment: str, case: Case, seconds: float) -> None:
    place = {"classname": _sayable(f"blackstart.{experiment}"), "name": _sayable(case.name), "time": f"{seconds:.3f}"}
    element = ElementTree.SubElement(suite, "testcase", place)
    words = _sayable(case.words)
    if case.fault:
        first = words.partition("\n")[0]
        ElementTree.SubElement(element, case.fault, {"message": first, "type": case.kind}).text = words
    elif words:
        ElementTree.SubElement(element, "system-out").text = words


def _sayable(text: str) -> str:
    return _UNSAYABLE.sub("\ufffd", text)
