"""House rules that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(
    path
    for folder in ("src/blackstart", "actions", "probes", "hypotheses")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_symlink() and not any(parent.is_symlink() for parent in path.parents)
)
FILE_LIMIT, FUNCTION_LIMIT = 300, 40
READS_TIME = {("time", "time"), ("time", "monotonic"), ("time", "perf_counter"), ("datetime", "now"), ("time", "sleep")}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_file_is_one_thing_and_short(path):
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= FILE_LIMIT
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LIMIT, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_only_the_clock_reads_the_time_and_only_the_command_line_exits(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not isinstance(node.func.value, ast.Name):
            continue
        called = (node.func.value.id, node.func.attr)
        if path.name != "clock.py":
            assert called not in READS_TIME, f"line {node.lineno}: {'.'.join(called)}"
        if path.name != "cli.py":
            assert called not in {("sys", "exit"), ("os", "_exit")}, f"line {node.lineno}"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_no_module_keeps_state(path):
    for node in ast.parse(path.read_text()).body:
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.List | ast.Dict | ast.Set):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            label = ast.unparse(target)
            assert label.isupper() or label.strip("_").isupper() or label == "__all__", f"{label} can be changed"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text())), "no docstring"
