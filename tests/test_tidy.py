"""House rules that no linter knows."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = sorted(
    path
    for folder in ("src/blackstart", "actions", "probes", "hypotheses")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_symlink() and not any(parent.is_symlink() for parent in path.parents)
)
FILE_LIMIT, FUNCTION_LIMIT = 300, 40
EXITS = {("sys", "exit"), ("os", "_exit")}
READS_TIME = {("time", "time"), ("time", "monotonic"), ("time", "perf_counter"), ("datetime", "now"), ("time", "sleep")}


PARSED = {str(path.relative_to(ROOT)): (path.name, ast.parse(path.read_text())) for path in CODE}


def test_files_and_functions_are_short():
    long = []
    for path in CODE:
        label = str(path.relative_to(ROOT))
        lines = len(path.read_text().splitlines())
        if lines > FILE_LIMIT:
            long.append(f"{label}: {lines} lines")
        for node in ast.walk(PARSED[label][1]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LIMIT:
                    long.append(f"{label}: {node.name} has {length} lines")
    assert long == []


def test_only_the_clock_reads_the_time_and_only_the_command_line_exits():
    found = []
    for label, (name, tree) in PARSED.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not isinstance(node.func.value, ast.Name):
                continue
            called = (node.func.value.id, node.func.attr)
            if (called in READS_TIME and name != "clock.py") or (called in EXITS and name != "cli.py"):
                found.append(f"{label}:{node.lineno}: {'.'.join(called)}")
    assert found == []


def test_no_module_keeps_state():
    found = []
    for label, (_, tree) in PARSED.items():
        for node in tree.body:
            value = getattr(node, "value", None)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.List | ast.Dict | ast.Set):
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                if not (target.strip("_").isupper() or target == "__all__"):
                    found.append(f"{label}: {target} can be changed")
    assert found == []


def test_every_module_says_what_it_is_for():
    assert [label for label, (_, tree) in PARSED.items() if not ast.get_docstring(tree)] == []
