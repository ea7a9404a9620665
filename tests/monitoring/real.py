"""A real Prometheus and a real Alertmanager, quick ones, and a service whose counters a test turns as it likes."""

import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

SCRAPE_SECONDS = 0.2
RULE = """
groups:
- name: users
  interval: 200ms
  rules:
  - alert: OrdersFailing
    expr: orders_failing_share > 0.05
  - alert: OrdersPending
    expr: orders_failing_share > 0.05
    for: 1h
"""


def program(*names):
    """The first of ``names`` that is installed."""
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def metrics():
    """Yields what it serves as (name, value) at ``/metrics``, and its port in ``port``."""
    values = {"orders_failing_share": 0.0}

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self):
            body = "".join(f"{name} {value}\n" for name, value in values.items() if value is not None).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield values, server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(folder, name, command, ready):
    """The program ``command``; waits until ``ready`` answers."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: answers(ready), f"{name} did not come up")
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def alertmanager(folder):
    """Its URL."""
    binary, at = program("prometheus-alertmanager", "alertmanager"), port()
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n")
    command = [
        binary, f"--config.file={config}", f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{at}", "--cluster.listen-address=",
    ]  # fmt: skip
    with running(folder, "alertmanager", command, f"http://127.0.0.1:{at}/-/ready"):
        yield f"http://127.0.0.1:{at}"


@contextmanager
def prometheus(folder, target, alerting):
    """Its URL; it scrapes the port ``target`` and tells the Alertmanager at ``alerting``."""
    binary, at = program("prometheus"), port()
    (folder / "rules.yml").write_text(RULE)
    (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alerting.removeprefix("http://")}']}}]}}]}}
scrape_configs: [{{job_name: orders, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]
""")
    command = [
        binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{at}", "--rules.alert.resend-delay=500ms",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{at}"
    with running(folder, "prometheus", command, f"{url}/-/ready"):
        until(lambda: b'"1"' in said(f"{url}/api/v1/query?query=up"), "it scraped nothing")
        yield url


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def said(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def until(true, otherwise, seconds=20.0):
    """Wait until ``true()``; what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(otherwise)
