"""Where the events of ended calls go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from components.config.addresses import PublicUrl, is_loopback_name, parse_ip
from components.config.problems import Problem
from components.config.settings import Settings


def _embedded(settings: Settings) -> Iterator[Problem]:
    if not settings.embedded_broker:
        return
    own = {
        "rabbitUrl": settings.rabbit_url,
        "rabbitUsername": settings.rabbit_username,
        "rabbitPassword": settings.rabbit_password,
    }
    for key in (key for key, value in own.items() if value is not None):
        reason = "set, though rabbitMq is embedded: the stack's own broker fills it in"
        yield Problem(key, None, "unset", remove=True, reason=reason)


def _required(settings: Settings) -> Iterator[Problem]:
    if settings.embedded_broker or not settings.enable_statistics:
        return
    reason = "required because enableStatistics is true"
    if settings.rabbit_url is None:
        example = "http://HOST:15672/api/exchanges/%2F/statistics.topic/publish"
        yield Problem("rabbitUrl", None, "the publish URL of RabbitMQ's management API", example=example, reason=reason)
    if settings.rabbit_username is None:
        yield Problem("rabbitUsername", None, "a user that may publish to the exchange", reason=reason)
    if settings.rabbit_password is None:
        yield Problem("rabbitPassword", None, "the password of rabbitUsername", secret=True, reason=reason)


def _broker(settings: Settings) -> Iterator[str]:
    statistics = settings.statistics
    if statistics is None or statistics.broker is None:
        return
    url = statistics.broker.url
    if crosses_readable(url):
        yield "rabbitUrl is http: the broker's password crosses the network readable; use https or a private network"
    if is_prosodys_own(url):
        yield "rabbitUrl points to prosody's own container (localhost): give the broker's address as that container sees it"


def crosses_readable(url: str) -> bool:
    """True for http to where it leaves the private network, as far as the host says."""
    parts = urlsplit(url)
    return parts.scheme == "http" and PublicUrl(host=parts.hostname or "", port=443).is_public


def is_prosodys_own(url: str) -> bool:
    """True for a URL that leads from prosody's container back to it."""
    host = urlsplit(url).hostname or ""
    address = parse_ip(host)
    return is_loopback_name(host) or (address is not None and address.is_loopback)


def _unused(settings: Settings) -> Iterator[str]:
    if settings.embedded_broker and settings.statistics is None:
        yield "rabbitMq is embedded and enableStatistics is false: the broker runs and gets no events"


RULES: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (_embedded, _required)
WARNINGS: Final[tuple[Callable[[Settings], Iterator[str]], ...]] = (_broker, _unused)
