"""The AWS and Kubernetes APIs, as the environment names them. Clients are kept, and shared between threads.

Endpoints come from ``AWS_ENDPOINT_URL`` (and its forms by service), credentials from the usual chain, clusters from the
contexts of ``KUBECONFIG``. Botocore and the kubernetes package are loaded when they are first needed: they are slow.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blackstart.errors import ConfigInvalid, ServiceUnreachable

if TYPE_CHECKING:
    from blackstart.changes.kube import Kube

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3.0, 15.0, 8


class Clients:
    """``threads`` is how many calls may be under way at once; ``attempts`` bounds each call's tries.
    ConfigInvalid from any method if the environment names no usable credentials, region or cluster.
    """

    def __init__(self, threads: int = 16, attempts: int = ATTEMPTS, environ: Mapping[str, str] = os.environ) -> None:
        self._threads = threads
        self._attempts = attempts
        self._kubeconfig = environ.get("KUBECONFIG") or None
        self._lock = threading.RLock()
        self._session: Any = None
        self._aws: dict[tuple[str, str], Any] = {}
        self._kube: dict[str, Kube] = {}
        self._account = ""

    def aws(self, service: str, region: str = "") -> Any:
        """The boto3 client of ``service`` in ``region`` ("": a service that has none, such as route53)."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        with self._lock:
            key = (service, region)
            if key not in self._aws:
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": self._attempts},
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    max_pool_connections=self._threads,
                )
                try:
                    self._aws[key] = self._open_session().client(service, region_name=region or None, config=config)
                except (BotoCoreError, ValueError) as error:
                    raise ConfigInvalid("the AWS environment", f"{service} {region}".strip(), str(error)) from error
            return self._aws[key]

    def account(self) -> str:
        """The AWS account that the credentials really reach; ServiceUnreachable if that cannot be told."""
        from botocore.exceptions import BotoCoreError, ClientError

        with self._lock:
            if not self._account:
                region = self._open_session().region_name or "us-east-1"
                try:
                    self._account = str(self.aws("sts", region).get_caller_identity()["Account"])
                except (BotoCoreError, ClientError) as error:
                    raise ServiceUnreachable("tell which AWS account this is", "sts", f"answered: {error}") from error
            return self._account

    def kube(self, cluster: str) -> Kube:
        """The Kubernetes API of ``cluster``: the name of a kubeconfig context, or of the cluster that one names."""
        from blackstart.changes.kube import connect

        with self._lock:
            if cluster not in self._kube:
                self._kube[cluster] = connect(cluster, self._kubeconfig, self._threads)
            return self._kube[cluster]

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._lock:
            for client in (*self._aws.values(), *self._kube.values()):
                client.close()
            self._aws.clear()
            self._kube.clear()

    def _open_session(self) -> Any:
        import boto3.session

        if self._session is None:
            self._session = boto3.session.Session()
        return self._session
