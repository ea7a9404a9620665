"""Everybody whom ``[publish]`` names, and how each is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from blackstart.journal_settings import (
    CloudWatchTarget,
    Grafana,
    OpenTelemetry,
    Publish,
    Pushgateway,
    Slack,
    Textfile,
    Webhook,
)
from blackstart.monitoring.web import redacted
from blackstart.publish import cloudwatch, grafana, prometheus, slack, traces, webhook
from blackstart.publish.facts import STARTED, Facts
from blackstart.publish.sending import Sender, secret, secrets_in

NAMES = ("grafana", "textfile", "pushgateway", "cloudwatch", "opentelemetry", "webhook", "slack")
"""The tables, as ``--to`` names them."""
SECRET_LENGTH = 8
"""A part of a path that is no shorter may be a secret by itself."""
Tell = Callable[[Facts, Sender], None]


@dataclass(frozen=True)
class Party:
    """``to``: its table; ``who``: for sentences, without secrets. ``tell`` raises NotTold if it did not work."""

    to: str
    who: str
    tell: Tell


def of(publish: Publish, moment: str) -> Iterator[Party]:
    """Those who are told at ``moment``: ``started`` or a verdict. Pure."""
    if publish.grafana is not None:
        yield Party("grafana", f"Grafana at {redacted(publish.grafana.url)}", partial(_grafana, publish.grafana))
    if moment != STARTED:
        yield from _at_the_end(publish)
    for hook in publish.webhook:
        if moment in hook.on:
            yield Party("webhook", f"The webhook {hook.name}", partial(_webhook, hook))
    for channel in publish.slack:
        if moment in channel.on:
            yield Party("slack", f"Slack ({channel.name})", partial(_slack, channel))


def _at_the_end(publish: Publish) -> Iterator[Party]:
    if (file := publish.textfile) is not None:
        yield Party("textfile", f"The folder {file.folder}", partial(_textfile, file))
    if (gateway := publish.pushgateway) is not None:
        yield Party("pushgateway", f"The Pushgateway at {redacted(gateway.url)}", partial(_pushgateway, gateway))
    if (target := publish.cloudwatch) is not None:
        yield Party("cloudwatch", f"CloudWatch of {target.region}", partial(_cloudwatch, target))
    if (collector := publish.opentelemetry) is not None:
        yield Party("opentelemetry", f"OpenTelemetry at {redacted(collector.url)}", partial(_traces, collector))


def _grafana(settings: Grafana, facts: Facts, sender: Sender) -> None:
    token = secret(sender.to, settings.token_file, settings.token_env)
    grafana.tell(facts, settings, _hiding(sender, token, *secrets_in(settings.url)), token)


def _textfile(settings: Textfile, facts: Facts, sender: Sender) -> None:
    prometheus.write(facts, settings)


def _pushgateway(settings: Pushgateway, facts: Facts, sender: Sender) -> None:
    token = secret(sender.to, settings.token_file, settings.token_env)
    prometheus.push(facts, settings, _hiding(sender, token, *secrets_in(settings.url)), token)


def _cloudwatch(settings: CloudWatchTarget, facts: Facts, sender: Sender) -> None:
    cloudwatch.tell(facts, settings, sender.limits)


def _traces(settings: OpenTelemetry, facts: Facts, sender: Sender) -> None:
    token = secret(sender.to, settings.token_file, settings.token_env)
    hidden = (token, *settings.headers.values(), *secrets_in(settings.url))
    traces.tell(facts, settings, _hiding(sender, *hidden), token)


def _webhook(settings: Webhook, facts: Facts, sender: Sender) -> None:
    url = settings.url or secret(sender.to, settings.url_file, settings.url_env)
    key = secret(sender.to, settings.secret_file, settings.secret_env)
    webhook.tell(facts, url, _hiding(sender, key, *_of_address(url)), key)


def _slack(settings: Slack, facts: Facts, sender: Sender) -> None:
    url = secret(sender.to, settings.url_file, settings.url_env)
    slack.tell(facts, url, _hiding(sender, *_of_address(url)))


def _hiding(sender: Sender, *secrets: str) -> Sender:
    return replace(sender, secrets=tuple(filter(None, secrets)))


def _of_address(url: str) -> tuple[str, ...]:
    """Of an address that may be a secret as a whole, what an error could say of it."""
    try:
        parts = urlsplit(url)
        long = (part for part in parts.path.split("/") if len(part) >= SECRET_LENGTH)
        return (url, parts.path.strip("/"), *long, parts.query, *secrets_in(url))
    except ValueError:
        return (url,)
