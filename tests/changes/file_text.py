"""A change kind that needs no cloud."""

import time
from pathlib import Path

from blackstart.changes.compare import CompareAndRestore
from blackstart.errors import NotYet


class FileText(CompareAndRestore):
    """The text of a file. Beside it may be: a lid, which keeps it from being written; busy: it is to be tried again;
    slow: it is written only once that is gone."""

    name = "test.file"
    permissions = ("files:read", "files:write")

    def read(self, changes, clients):
        paths = {change.id: Path(change.target.id) for change in changes}
        return {key: {"text": path.read_text()} if path.exists() else None for key, path in paths.items()}

    def write(self, wanted, clients):
        for item in wanted:
            path = Path(item.change.target.id)
            if path.with_suffix(".lid").exists():
                raise OSError(f"there is a lid on {path.name}")
            if path.with_suffix(".busy").exists():
                raise NotYet(path.name, "being edited")
            while path.with_suffix(".slow").exists():
                time.sleep(0.02)
            path.write_text(item.fields["text"])
