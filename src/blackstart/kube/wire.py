"""HTTP to one API server: kept connections, logging in, and trying again what may be tried again."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, urlencode, urlsplit

from blackstart.clock import Clock
from blackstart.errors import BlackstartError, ServiceUnreachable
from blackstart.kube.connection import Connection, Head, Place, proxy_authorization
from blackstart.kube.kubeconfig import Access
from blackstart.kube.login import Credentials

ATTEMPTS, LOST_ATTEMPTS = 5, 3
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
JITTER = 0.25
UNAUTHORIZED, TOO_MANY = 401, 429
BUSY = frozenset({TOO_MANY, 500, 502, 503, 504})
REPEATABLE = frozenset({"GET", "DELETE"})
EVICTION = "/eviction"
LONGEST_PROBLEM = 500
SAFE = "/:@!$&'()*+,;=~"
"""What may be in a path as it is; names that people give may hold anything."""


@dataclass
class KubeRefused(BlackstartError):
    """The API server answered ``wanted`` with ``status`` (an HTTP status) and ``problem``."""

    wanted: str
    status: int
    problem: str

    def __str__(self) -> str:
        return f"could not {self.wanted}: the Kubernetes API answered {self.status}: {self.problem}"


class NotConnected(OSError):
    """There was no connection, so nothing can have been done."""


@dataclass(frozen=True)
class Request:
    """``body`` is JSON already. ``wanted`` names it in errors."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    content: str = "application/json"

    @property
    def wanted(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def target(self) -> str:
        path = quote(self.path, SAFE)
        return f"{path}?{urlencode(self.query)}" if self.query else path


@dataclass(frozen=True)
class Answer:
    head: Head
    body: bytes


class Wire:
    """Sends requests from any number of threads, up to ``threads`` at once; ``timeouts`` to connect and to read.

    Reads and deletions are tried again a few times while the server is too busy, fails or does not answer. All else is
    tried again only where it cannot have been done: the server was too busy for it, or there was no connection. An
    eviction is not, when there is too much of it: that is what a disruption budget answers.
    """

    def __init__(
        self, access: Access, threads: int, timeouts: tuple[float, float], clock: Clock, random: Random
    ) -> None:
        self.cluster = access.cluster
        self.access = access
        self.timeouts = timeouts
        self._clock = clock
        self._random = random
        self._closed = False
        self._slots = threading.Semaphore(threads)
        self._lock = threading.Lock()
        self._lines: dict[bytes, tuple[Place, deque[Connection]]] = {}  # by client certificate
        self._prefix, self._host, self._headers = _addressed(access)

    def ask(self, request: Request) -> bytes:
        """The body of the answer; KubeRefused unless it is 2xx, ServiceUnreachable if there is none."""
        again = _Again(request, self._random)
        while True:
            try:
                with self._slots:
                    answer = self._tried(request)
            except OSError as error:
                pause = again.unanswered(error)
                if pause is None:
                    raise ServiceUnreachable(request.wanted, self.cluster, f"did not answer: {error}") from error
            else:
                if answer.head.status < 300:
                    return answer.body
                pause = again.refused(answer.head)
                if pause is None:
                    raise refusal(request, answer)
            self._clock.sleep(pause)

    def stream(self, request: Request, silence_seconds: float) -> Stream:
        """An answer whose body is still coming; it fails if nothing comes for ``silence_seconds``. One attempt."""
        credentials: Credentials | None = self.access.login.credentials()
        try:
            while credentials is not None:
                connection = self._line(credentials)[0].open(self.timeouts[0], silence_seconds)
                with ExitStack() as unless_it_flows:
                    unless_it_flows.callback(connection.close)
                    head = connection.send(self._packed(request, credentials))
                    if head.status < 300:
                        unless_it_flows.pop_all()
                        return Stream(connection, head)
                    answer = Answer(head, b"".join(connection.body(head)))
                credentials = self.access.login.renew(credentials) if head.status == UNAUTHORIZED else None
        except OSError as error:
            raise ServiceUnreachable(request.wanted, self.cluster, f"did not answer: {error}") from error
        raise refusal(request, answer)

    def close(self) -> None:
        """Close what is kept, and keep nothing from now on."""
        self._closed = True
        with self._lock:
            for _, idle in self._lines.values():
                while idle:
                    idle.pop().close()

    def _tried(self, request: Request) -> Answer:
        """One attempt, and a second one with new credentials if the server does not take the ones that we have."""
        credentials = self.access.login.credentials()
        answer = self._sent(request, credentials)
        if answer.head.status == UNAUTHORIZED:
            others = self.access.login.renew(credentials)
            if others is not None:
                return self._sent(request, others)
        return answer

    def _sent(self, request: Request, credentials: Credentials) -> Answer:
        place, idle = self._lines.get(credentials.certificate) or self._line(credentials)
        connection = self._kept(idle)
        if connection is None:
            try:
                connection = place.open(*self.timeouts)
            except OSError as error:
                raise NotConnected(str(error) or repr(error)) from error
        try:
            head = connection.send(self._packed(request, credentials))
            return Answer(head, b"".join(connection.body(head)))
        finally:
            if connection.reusable and not self._closed:
                idle.append(connection)
            else:
                connection.close()

    def _kept(self, idle: deque[Connection]) -> Connection | None:
        """The connection that was in use last: the others may rest until the server ends them."""
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                return None
            if not connection.dropped():
                return connection
            connection.close()

    def _packed(self, request: Request, credentials: Credentials) -> bytes:
        headers = {**self._headers, **credentials.headers}
        if request.body is not None:
            headers |= {"Content-Type": request.content, "Content-Length": str(len(request.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{request.method} {self._prefix}{request.target} HTTP/1.1\r\nHost: {self._host}\r\n{lines}\r\n"
        return head.encode() + (request.body or b"")

    def _line(self, credentials: Credentials) -> tuple[Place, deque[Connection]]:
        """Where to connect as who we are, and the connections that are kept for it."""
        with self._lock:
            found = self._lines.get(credentials.certificate)
            if found is None:
                access = self.access
                tls = access.trust.context(credentials) if access.server.startswith("https:") else None
                found = Place(access.server, access.proxy, tls, access.trust.name), deque()
                self._lines[credentials.certificate] = found
            return found


class Stream:
    """The body of an answer as it comes, to be read by one thread and closed by any."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._head = head

    def pieces(self) -> Iterator[bytes]:
        """OSError if the connection is lost."""
        return self._connection.body(self._head)

    def hang_up(self) -> None:
        self._connection.hang_up()

    def close(self) -> None:
        self._connection.close()


def _addressed(access: Access) -> tuple[str, str, dict[str, str]]:
    """What comes before each path, the Host, and the headers of every request."""
    place, headers = urlsplit(access.server), {"Accept": "application/json", "User-Agent": "blackstart"}
    host = place.netloc.rpartition("@")[2]
    if access.proxy and place.scheme == "http":  # then the proxy is told the whole address
        return access.server, host, headers | proxy_authorization(urlsplit(access.proxy))
    return place.path, host, headers


class _Again:
    """Whether, and after how many seconds, one request is tried again."""

    def __init__(self, request: Request, random: Random) -> None:
        self._request = request
        self._random = random
        self._tries = 0
        self._lost = 0

    def unanswered(self, error: Exception) -> float | None:
        if isinstance(error, NotConnected):
            return None if isinstance(error.__cause__, ssl.SSLCertVerificationError) else self._next()
        self._lost += 1  # it may have been done, and have taken all the time that there is
        return self._next() if self._request.method in REPEATABLE and self._lost < LOST_ATTEMPTS else None

    def refused(self, head: Head) -> float | None:
        not_done = head.status == TOO_MANY and not self._request.path.endswith(EVICTION)
        if not not_done and not (head.status in BUSY and self._request.method in REPEATABLE):
            return None
        pause = self._next()
        return pause if pause is None else max(pause, self._asked(head.headers.get("retry-after", "")))

    def _next(self) -> float | None:
        self._tries += 1
        if self._tries >= ATTEMPTS:
            return None
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * float(2 ** (self._tries - 1)))
        return pause * self._random.uniform(1 - JITTER, 1)

    def _asked(self, wish: str) -> float:
        """The pause that a Retry-After asks for, as far as we have it, spread so that not all come back at once."""
        try:
            seconds = float(wish)
        except ValueError:
            return 0.0
        return min(LONGEST_PAUSE, seconds * self._random.uniform(1, 1 + JITTER))


def refusal(request: Request, answer: Answer) -> KubeRefused:
    return KubeRefused(request.wanted, answer.head.status, problem(answer.body) or answer.head.reason)


def problem(body: bytes) -> str:
    """What a Status object says, with the budget that forbids an eviction; an error need not come with one."""
    try:
        status = json.loads(body)
        message = str(status["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:LONGEST_PROBLEM]
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    budgets = [str(each.get("message")) for each in causes or () if each.get("reason") == "DisruptionBudget"]
    return " ".join([message, *budgets])
