"""``python -m blackstart.load``: the supervising process of a load; see ``supervise``."""

import sys

from blackstart.clock import SystemClock
from blackstart.load.supervise import run

if __name__ == "__main__":
    raise SystemExit(run(sys.stdin.fileno(), SystemClock()))
