"""Runs krkn's own HTTP health check, with krkn's Python: ``truth_krkn.py SOURCE URL INTERVAL``, until end of input.

Prints its telemetry as JSON: ``[[ok, began, ended], …]``, seconds of the machine's monotonic clock.
"""

import json
import queue
import sys
import threading
import time
from datetime import datetime


def main(source: str, url: str, interval: str) -> None:
    sys.path.insert(0, source)
    from krkn.health_checks.http_health_check_plugin import HttpHealthCheckPlugin

    plugin, told = HttpHealthCheckPlugin(), queue.Queue()
    config = {"interval": float(interval), "config": [{"url": url}]}
    checking = threading.Thread(target=plugin.run_health_check, args=(config, told))
    checking.start()
    sys.stdin.read()
    plugin.stop()
    checking.join()
    wall_ahead = time.time() - time.monotonic()

    def monotonic(iso: object) -> float:
        moment = iso if isinstance(iso, datetime) else datetime.fromisoformat(str(iso))
        return moment.timestamp() - wall_ahead

    rows = [(each.status, monotonic(each.start_timestamp), monotonic(each.end_timestamp)) for each in told.get()]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
