"""The AWS and Kubernetes APIs, as the environment names them. Clients are kept, and shared between threads.

Endpoints come from ``AWS_ENDPOINT_URL`` (and its forms by service), credentials from the usual chain, clusters from the
contexts of ``KUBECONFIG``. Botocore is loaded when it is first needed: it is slow.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from blackstart.access import IAM_PREFIXES, Call
from blackstart.errors import ConfigInvalid, Refused, ServiceUnreachable

if TYPE_CHECKING:
    from blackstart.kube.client import Kube

TIMEOUTS, ATTEMPTS = (3.0, 15.0), 8
ONE_OF_SEVERAL = (2.0, 5.0)
"""Time-outs where another endpoint can be asked instead."""
USER_AGENT = "blackstart"
"""In the user agent of every call, so that a log of calls can tell a drill's from the platform's."""
KUBE_THREADS = 64
"""How many calls one cluster may get at once, whatever AWS gets: its API has no rate limit by the account."""


def unrecorded(call: Call) -> None:
    """Nobody keeps a record of calls."""


def unheard(client: Any, service: str, region: str) -> None:
    """Nobody hears how calls end."""


class Clients:
    """``threads`` is how many calls may be under way at once; ``attempts`` bounds each call's tries.
    ``timeouts``: to connect and to read, in seconds. ``read_only``: calls that may change something are refused instead
    of made. ``record`` is told of each other call before it is made, from any thread; tries of one call count once.
    ``listen`` is given each new AWS client, with its service and region, to hear of what becomes of its calls.

    ConfigInvalid from any method if the environment names no usable credentials, region or cluster.
    """

    def __init__(
        self,
        threads: int = 16,
        attempts: int = ATTEMPTS,
        environ: Mapping[str, str] = os.environ,
        timeouts: tuple[float, float] = TIMEOUTS,
        *,
        read_only: bool = False,
        record: Callable[[Call], None] = unrecorded,
        listen: Callable[[Any, str, str], None] = unheard,
    ) -> None:
        self._listen = listen
        self._read_only = read_only
        self._record = record
        self._threads = threads
        self._timeouts = timeouts
        self._attempts = attempts
        self._environ = environ
        self._lock = threading.RLock()
        self._session: Any = None
        self._aws: dict[tuple[str, str, str], Any] = {}
        self._kube: dict[str, Kube] = {}
        self._account = ""

    def aws(self, service: str, region: str = "", endpoint: str = "") -> Any:
        """The boto3 client of ``service`` in ``region`` ("": a service that has none, such as route53).

        ``endpoint``: the URL of one of several endpoints that can stand in for each other: asked once, with little
        patience.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        with self._lock:
            key = (service, region, endpoint)
            if key not in self._aws:
                timeouts = ONE_OF_SEVERAL if endpoint else self._timeouts
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 1 if endpoint else self._attempts},
                    connect_timeout=timeouts[0],
                    read_timeout=timeouts[1],
                    max_pool_connections=self._threads,
                    user_agent_extra=USER_AGENT,
                )
                where = {"region_name": region or None, "endpoint_url": endpoint or None}
                try:
                    client = self._open_session().client(service, config=config, **where)
                except (BotoCoreError, ValueError) as error:
                    raise ConfigInvalid("the AWS environment", f"{service} {region}".strip(), str(error)) from error
                # The first event of every call: nothing has left the process yet, and an error here ends the call.
                client.meta.events.register("provide-client-params", partial(self._aws_call, service, region))
                self._listen(client, service, region)
                self._aws[key] = client
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
        from blackstart.kube.client import connect

        with self._lock:
            if cluster not in self._kube:
                threads = max(self._threads, KUBE_THREADS)
                self._kube[cluster] = connect(cluster, self._environ, threads, self._called, self._timeouts)
            return self._kube[cluster]

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._lock:
            for client in (*self._aws.values(), *self._kube.values()):
                client.close()
            self._aws.clear()
            self._kube.clear()

    def _aws_call(self, service: str, region: str, *, model: Any, params: Any, **_: Any) -> None:
        self._called(Call(f"{IAM_PREFIXES.get(service, service)}:{model.name}", region, dict(params)))

    def _called(self, call: Call) -> None:
        if self._read_only and not call.reads:
            raise Refused(f"calling {call}", "only reading is allowed here")
        self._record(call)

    def _open_session(self) -> Any:
        import boto3.session

        if self._session is None:
            self._session = boto3.session.Session()
        return self._session
