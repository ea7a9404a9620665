"""Text for terminals of any kind: how wide it may be, and what to write where only ASCII is known."""

from __future__ import annotations

from rich.console import Console

from blackstart.journals import numbers

WIDTH = 80


def speaks_unicode(console: Console) -> bool:
    """Whether the terminal shows more than ASCII."""
    return console.encoding.lower().startswith("utf") and not console.is_dumb_terminal


_ASCII = str.maketrans(
    {"✓": "+", "✕": "x", "≤": "<=", "≥": ">=", "±": "+-", "−": "-", "–": "-", "·": "|", "→": "->", "…": "...",
     "“": '"', "”": '"', "’": "'", "▸": ">", numbers.NBSP: " "}
)  # fmt: skip


def ascii_text(line: str, ascii_only: bool) -> str:
    """``line`` for a terminal: ASCII where it knows no more, and ordinary spaces in any case."""
    return line.translate(_ASCII) if ascii_only else line.replace(numbers.NBSP, " ")
