"""The history of all drills as one HTML page without any other, readable without a network and without script."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from blackstart.journals.coverage import Catalogue
from blackstart.journals.folder import REPORT
from blackstart.journals.index import Row
from blackstart.reports.history_view import Link, view


def page(rows: Sequence[Row], catalogue: Catalogue | None, now: datetime, link: Link) -> str:
    """The page as text. ``rows`` as ``index.read`` gives them; ``catalogue``: what must be drilled, if anybody said so;
    ``link``: the address of a drill's report, "" for none. Pure, but for the template that comes with this package."""
    style = _resource("report.css") + _resource("history.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_resource("history.html.j2")).render(
        view=view(rows, catalogue, now, link),
        svg=Markup,  # pictures are made by this package, which escapes what comes from outside
        style=Markup(style),
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def beside(root: Path, folder: Path) -> Link:
    """Links to the reports under ``root`` from a page in ``folder``, for those that are there."""
    way = os.path.relpath(root.absolute(), folder.absolute())

    def link(row: Row) -> str:
        if not os.path.isfile(root / row.folder / REPORT):
            return ""
        return quote(os.path.join(way, row.folder, REPORT).replace(os.sep, "/"), errors="surrogateescape")

    return link


def _resource(name: str) -> str:
    return files("blackstart.reports").joinpath(name).read_text(encoding="utf-8")
