"""The metrics of a drill for Prometheus: a file that node_exporter reads, or pushed to a Pushgateway."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import quote

from blackstart.errors import JournalUnwritable, NotTold
from blackstart.journal_settings import Pushgateway, Textfile
from blackstart.journals.folder import write_text
from blackstart.publish import metrics
from blackstart.publish.facts import Facts
from blackstart.publish.sending import Sender, bearer

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def write(facts: Facts, settings: Textfile) -> Path:
    """Replace the experiment's file as a whole; gives its path. NotTold if it cannot be written.

    The folder is not made: a wrong one should be noticed, not written to.
    """
    of = metrics.labels(facts)
    name = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", of[label]) for label in ("experiment", "environment"))
    path = Path(settings.folder) / f"blackstart_{name}.prom"
    try:
        write_text(path, metrics.text(facts))
    except JournalUnwritable as error:
        raise NotTold(f"The folder {settings.folder}", f"{path.name} could not be written ({error.problem})") from error
    return path


def push(facts: Facts, settings: Pushgateway, sender: Sender, token: str) -> None:
    """Replace all that the drill before it, of the same experiment, had there; NotTold if that fails."""
    body = metrics.text(facts).encode()
    sender.send("PUT", group_url(facts, settings), {"Content-Type": TEXT, **bearer(token)}, body)


def group_url(facts: Facts, settings: Pushgateway) -> str:
    """The address of the group that every drill of this experiment shares."""
    parts = [_part("job", settings.job), *(_part(name, value) for name, value in metrics.labels(facts).items())]
    return "/".join((settings.url.rstrip("/"), "metrics", *parts))


def _part(label: str, value: str) -> str:
    """Base64 where a path cannot hold the value."""
    if value and "/" not in value:
        return f"{label}/{quote(value, safe='')}"
    return f"{label}@base64/{base64.urlsafe_b64encode(value.encode()).decode() or '='}"
