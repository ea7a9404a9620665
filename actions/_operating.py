"""What the operator's steps need beside changes: asking people, and seeing that a step is really done."""

import asyncio
import select
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Dict

from blackstart.changes.answers import passing
from blackstart.changes.model import Change
from blackstart.clock import Clock
from blackstart.drill import OpenDrill, RunningDrill
from blackstart.errors import BlackstartError, ConfigInvalid, DrillStopped, ServiceUnreachable
from blackstart.observer.dialer import Attempt, Dialer
from blackstart.observer.resolver import Resolver
from blackstart.settings import Service, Stores

LOOK_SECONDS = 0.2
READ_SECONDS = 2.0
READERS = 10
OPERATOR = "operator"
YES, NO = ("y", "yes", "go"), ("n", "no", "stop")


def answered(question: str, drill: RunningDrill, seconds: float) -> str:
    """What somebody at this terminal answered within ``seconds``: "yes" or "no"; "" if nobody did, or there is none.

    DrillStopped as soon as the drill is told to stop.
    """
    ends, listening = drill.clock.monotonic() + seconds, terminal()
    if listening:
        _say(f"\n{question} [yes/no, {seconds:.0f} s] ")
    while (left := ends - drill.clock.monotonic()) > 0:
        if reason := drill.gate.reach.log.stopping(drill.id):
            raise DrillStopped(drill.id, reason)
        if not listening:
            drill.clock.sleep(min(LOOK_SECONDS, left))
        elif select.select([sys.stdin], [], [], min(LOOK_SECONDS, left))[0]:
            line = sys.stdin.readline()
            if word := meant(line):
                return word
            listening = bool(line)  # an empty one is the end of what they will ever say
            _say("please answer yes or no: " if listening else "\n")
    return ""


def terminal() -> bool:
    """Whether there is one at which somebody could answer."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def meant(said: str) -> str:
    """ "yes", "no", or "" for anything else. Pure."""
    word = said.strip().lower()
    return "yes" if word in YES else "no" if word in NO else ""


def _say(words: str) -> None:
    sys.stderr.write(words)
    sys.stderr.flush()


@dataclass(frozen=True)
class Step:
    """What is told once a step is done: an event of ``kind``, with ``reason`` and ``message``. ``what`` is looked for
    ``where`` until then."""

    kind: str
    reason: str
    message: str
    what: str
    where: str


def finish(
    drill: OpenDrill, step: Step, changes: Sequence[Change], done: Callable[[], bool], limit_seconds: float
) -> Dict[str, Any]:
    """Wait until the step is ``done`` and note it; a plan waits for nothing. What the action gives."""
    told: Dict[str, Any] = {"changes": [change.summary for change in changes]}
    if isinstance(drill, RunningDrill):
        told["seconds"] = seen(step.what, step.where, done, drill.clock, limit_seconds)
        drill.note(step.kind, source=OPERATOR, reason=step.reason, message=step.message)
    return told


def stores_of(drill: OpenDrill) -> Stores:
    """The data stores that can be looked into; a plan looks into none."""
    return drill.settings.stores if isinstance(drill, RunningDrill) else Stores()


def seen(what: str, where: str, look: Callable[[], bool], clock: Clock, limit_seconds: float) -> float:
    """Return as soon as ``look`` says so; the seconds that it took. ServiceUnreachable after ``limit_seconds``.

    What cannot be seen just now, because nobody answers, is looked at again.
    """
    began = clock.monotonic()
    problem = ""
    while True:
        try:
            if look():
                return clock.monotonic() - began
        except BlackstartError as error:
            problem = f" ({error})"
        except _aws_errors() as error:
            if not passing(error):
                raise
            problem = f" ({error})"
        if clock.monotonic() - began >= limit_seconds:
            raise ServiceUnreachable(f"see {what}", where, f"does not show it after {limit_seconds:g} s{problem}")
        clock.sleep(LOOK_SECONDS)


def _aws_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


def database_writes(dsn: str) -> bool:
    """Whether the PostgreSQL server at ``dsn`` takes writes; False if it does not answer."""
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=2, autocommit=True) as connection:
            row = connection.execute("SELECT NOT pg_is_in_recovery()").fetchone()
    except psycopg.Error:
        return False
    return bool(row and row[0])


def cache_leads(url: str) -> bool:
    """Whether the Redis server at ``url`` is a primary; False if it does not answer."""
    import redis

    client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        told: Any = client.info("replication")
    except redis.RedisError:
        return False
    finally:
        client.close()
    return bool(told["role"] == "master")


def hit_ratio(drill: OpenDrill, products: int, region: str) -> float:
    """Read each product once, where the service's name points to now: the share that the cache had, 0–1.

    Answers from another region than ``region`` ("": any) do not count. ServiceUnreachable if the name has no address;
    ConfigInvalid if the service's ``read_path`` takes no number.
    """
    if not isinstance(drill, RunningDrill):
        return 0.0
    service, clock = drill.settings.service, drill.clock
    try:
        paths = [service.read_path.format(number=number) for number in range(1, products + 1)]
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigInvalid("settings", "service.read_path", f"may only hold {{number}} ({error!r})") from error
    return asyncio.run(_read(service, paths, region, clock)) / products


async def _read(service: Service, paths: list[str], region: str, clock: Clock) -> int:
    resolver = Resolver(service.host, service.dns, clock.monotonic, lambda change: None)
    dialer, left, hits = Dialer.of(service), iter(paths), 0

    async def reader() -> None:
        nonlocal hits
        for path in left:
            address = (await resolver.addresses())[0]
            try:
                async with asyncio.timeout(READ_SECONDS):
                    reply = await dialer.send(address, "GET", path, Attempt())
            except OSError:
                continue
            here = region in {"", reply.headers.get("x-region", "")}
            hits += here and reply.status == 200 and reply.headers.get("x-cache") == "hit"

    try:
        await asyncio.gather(*(reader() for _ in range(READERS)))
    finally:
        await resolver.close()
        await dialer.close()
    return hits
