"""A change kind that needs no cloud. Run as a script: the reverter of drills that use it."""

import argparse
from pathlib import Path

from blackstart.changes import reverter
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore
from blackstart.changes.logs import open_log
from blackstart.changes.mirror import Mirror
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.clock import SystemClock
from blackstart.errors import NotYet


class FileText(CompareAndRestore):
    """The text of a file. A lid (a file beside it) keeps it from being written; a busy file is to be tried again."""

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
            path.write_text(item.fields["text"])


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("log", str), ("drill", str), ("folder", Path), ("pipe", int), ("ready", int)):
        parser.add_argument(f"--{name}", type=kind)
    given = parser.parse_args()
    log, clock = open_log(given.log), SystemClock()
    mirror = Mirror(given.folder, "reverter", clock)
    reach = Reach(log, Kinds([FileText()]), Clients(), clock, mirror, settle_seconds=0.5)
    ending = given.folder / "ending"
    reverter.run(given.drill, reach, given.pipe, given.ready, ending.write_text, give_up_seconds=1.0)
    log.close()


if __name__ == "__main__":
    main()
