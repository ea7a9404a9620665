"""Writes samples as requests end. The format is told in `samples`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from blackstart.observer.record import NO_NAME, NO_POD, SAMPLES_FILE, Header, Sample, pack


@dataclass
class _Names:
    """Names by index, as they turn up; more than ``most`` are not told apart."""

    most: int

    def __post_init__(self) -> None:
        self.by_name: dict[str, int] = {}

    def index(self, name: str) -> int:
        if not name:
            return self.most
        known = self.by_name.get(name)
        if known is not None:
            return known
        if len(self.by_name) >= self.most:
            return self.most
        return self.by_name.setdefault(name, len(self.by_name))


class Recorder:
    """Buffers records; `flush` puts them on disk, after the header that explains them."""

    def __init__(self, folder: Path, header: Header) -> None:
        self._folder = folder
        self._header = header
        self._regions, self._zones, self._addresses = _Names(NO_NAME), _Names(NO_NAME), _Names(NO_NAME)
        self._pods = _Names(NO_POD)
        self._journeys = {journey.name: index for index, journey in enumerate(header.journeys)}
        self._buffer = bytearray()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(folder / SAMPLES_FILE, flags, 0o644)
        header.write(folder)

    def add(self, sample: Sample) -> None:
        """Keep ``sample`` for the next `flush`."""
        self._buffer += pack(
            sample,
            self._pods.index(sample.pod),
            self._regions.index(sample.region),
            self._zones.index(sample.zone),
            self._addresses.index(sample.address),
            self._journeys.get(sample.journey, 0),
        )

    def flush(self) -> None:
        """Hand everything so far to the system; it survives the end of this process. OSError when the disk refuses."""
        header = self._named(self._header)
        if header != self._header:
            header.write(self._folder)
            self._header = header
        while self._buffer:
            del self._buffer[: os.write(self._descriptor, self._buffer)]

    def close(self, ended: float) -> None:
        """Flush, and say in the header that the schedule ended at ``ended``, seconds since the origin."""
        self.flush()
        self._header = replace(self._header, ended=ended)
        self._header.write(self._folder)
        os.close(self._descriptor)

    def _named(self, header: Header) -> Header:
        return replace(
            header,
            regions=tuple(self._regions.by_name),
            zones=tuple(self._zones.by_name),
            pods=tuple(self._pods.by_name),
            addresses=tuple(self._addresses.by_name),
        )
