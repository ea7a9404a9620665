"""What an observer is told by the drill that starts it, as one line of JSON. Loads nothing of the observer itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blackstart.settings import Settings


@dataclass(frozen=True)
class Spec:
    """What an observer is told. ``origin_monotonic`` of the drill, in seconds of the machine's monotonic clock;
    ``grace_seconds``: how long it goes on once the drill's process is gone."""

    folder: Path
    drill: str
    settings: Settings
    origin_monotonic: float
    grace_seconds: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder), "settings": self.settings.model_dump(mode="json")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Spec:
        parts = {**data, "folder": Path(data["folder"]), "settings": Settings.model_validate(data["settings"])}
        return cls(**parts)
