"""ministack, as one part of the lab: RDS with global fail-over, S3 with replication, SQS, SNS, KMS.

It is a program of its own (``python -m ministack``). It answers GET /_ministack/health with 200 when it is ready.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from blackstart.lab.aws.signature import ACCOUNT

HEALTH_PATH = "/_ministack/health"


def command(host: str, port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Its argument list and whole environment; it writes only below ``folder``, which must exist."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DOCKER_"))}
    environment |= {
        "BIND_HOST": host,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "HOME": str(folder),
        # It would start a database container for each RDS instance if it found a Docker daemon.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_WORKER_THREADS": "8",
    }
    return [sys.executable, "-m", "ministack"], environment
