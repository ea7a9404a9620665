"""Putting back."""

from typing import Any, Dict

from blackstart import drill as drills

__all__ = ["undo"]


def undo(configuration: Dict[str, Any] = None) -> Dict[str, Any]:  # type: ignore[assignment]
    """Undo every change of this drill, last first, and read each target again.

    Gives ``restored`` and ``verified`` (change ids). Raises UndoIncomplete if something is left or in conflict; the
    reverter then goes on trying.
    """
    report = drills.undo_all(drills.of(configuration, "undoing"))
    report.require()
    return {"restored": list(report.restored), "verified": list(report.verified)}
