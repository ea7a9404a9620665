"""A real Envoy that answers by itself, over HTTP/2 and TLS, for tests of what connects to it."""

import json
import socket
import subprocess
from pathlib import Path

import certificates
import postgres_pair

from blackstart.lab.binaries import envoy

HOST = "orders.shop.test"
REGION = "us-east-1"
TYPES = "type.googleapis.com/envoy.extensions."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def route(prefix: str, status: int, method: str = "GET") -> dict:
    matched = {"prefix": prefix, "headers": [{"name": ":method", "string_match": {"exact": method}}]}
    answer = {"status": status, "body": {"inline_string": "{}"}}
    return {"match": matched, "direct_response": answer}


def listener(port: int, codec: str, files: tuple[Path, Path] | None) -> dict:
    routes = [route("/products", 200), route("/orders", 201, "POST"), route("/broken", 503)]
    manager = {
        "@type": TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "codec_type": codec,
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
            "response_headers_to_add": [{"header": {"key": "x-region", "value": REGION}}],
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": TYPES + "filters.http.router.v3.Router"},
            }
        ],
    }
    chain: dict = {"filters": [{"name": "http", "typed_config": manager}]}
    if files:
        shown = {"certificate_chain": {"filename": str(files[0])}, "private_key": {"filename": str(files[1])}}
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": TYPES + "transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {"tls_certificates": [shown], "alpn_protocols": ["h2", "http/1.1"]},
            },
        }
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}, "filter_chains": [chain]}


class Front:
    """A running Envoy: ``plain`` speaks HTTP/2 without TLS, ``good`` and ``over`` both versions with it, ``over`` with
    a certificate whose time is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = certificates.authority(folder)
        self.plain, self.good, self.over = free_port(), free_port(), free_port()
        listeners = [
            listener(self.plain, "HTTP2", None),
            listener(self.good, "AUTO", self.authority.server("good", HOST)),
            listener(self.over, "AUTO", self.authority.server("over", HOST, days=-1)),
        ]
        config = folder / "envoy.json"
        config.write_text(json.dumps({"static_resources": {"listeners": listeners}}))
        quiet = ["--log-level", "warning", "--disable-hot-restart", "--concurrency", "1"]
        with (folder / "envoy.log").open("wb") as log:
            command = [str(envoy()), "--config-path", str(config), *quiet]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        postgres_pair.until(lambda: all(accepts(each) for each in (self.plain, self.good, self.over)), 30)
