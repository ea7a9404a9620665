"""Monitoring for planted journals: what it kept, and what was seen of its alerts."""

from blackstart.clock import iso
from blackstart.journals import folder as folders
from blackstart.monitoring.alerts import Alert, Seen
from blackstart.monitoring.model import Firing, Record, Signal, points


class Log:
    """Stands where the observer's log does, at any moment that is set."""

    def __init__(self, folder):
        self.at = 0.0
        self._folder = folder

    def now(self):
        return self.at

    def add(self, kind, **fields):
        folders.append(self._folder, folders.EVENTS, {"at": self.at + 0.01, "kind": kind, **fields})


def looks(folder, states, end, *, name="OrdersFailing", source="alertmanager", every=1.0):
    """Look at one alert every second until ``end``; ``states``: (from when, state, the service's own since)."""
    log = Log(folder)
    alert, number = Alert(name, source, log), 0
    while number * every <= end:
        log.at = number * every
        current = [(state, since) for begin, state, since in states if begin <= log.at]
        state, since = current[-1] if current else ("inactive", None)
        alert.see(Seen(state, since, "it did not answer" if state == "unknown" else ""), log.at)
        number += 1
    alert.close()


def keep(folder, values, expected=(("OrdersFailing", "alertmanager"),), step=5.0, **more):
    """``monitoring.json`` with one share of requests served, a value every ``step`` seconds."""
    moments = [step * (index + 1) for index in range(len(values))]
    signal = Signal(
        "availability", "Prometheus at http://prometheus.shop.test", more.pop("means", "served"), "1 - errors", step,
        points(moments, values, step), more.pop("problem", ""),
    )  # fmt: skip
    more.setdefault("problems", {})
    record = Record(0.0, moments[-1], (signal,), expected=tuple(expected), **more)
    folders.write_json(folder / folders.MONITORING, record.to_json())


__all__ = ["Firing", "iso", "keep", "looks"]
