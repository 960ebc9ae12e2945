"""The broker's URL, as Prosody posts to it and RabbitMQ's management API takes it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from components.config.addresses import is_host, is_nobodys, parse_ip
from components.config.checks.text import Invalid, example_from, removable
from components.config.checks.urls import host_and_port, in_normal_form, spelled, split_url

_AMQP_PORTS: Final = ("5671", "5672", "61613", "61614")
"""Of AMQP and STOMP (https://www.rabbitmq.com/docs/networking#ports)."""


_PUBLISH: Final = "/api/exchanges/%2F/statistics.topic/publish"


def _publish_urls(text: str) -> list[str]:
    """The URL with what was given of host, port, vhost and exchange; of another scheme with the management API's port."""
    host, port_text = host_and_port(text)
    scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):/", text, re.IGNORECASE)
    name = scheme[1].lower() if scheme else ""
    secure = name == "https" or name.endswith("s")
    if port_text in _AMQP_PORTS or (not port_text and name not in ("http", "https")):
        port_text = "15671" if secure else "15672"
    origin = f"{'https' if secure else 'http'}://{host}{':' if port_text else ''}{port_text}"
    return [origin + path for path in _publish_paths(text, http=name in ("", "http", "https"))] if host else []


def _publish_paths(text: str, *, http: bool) -> list[str]:
    """The path with the vhost and exchange that were given, capitals standing for what was not.

    A path of AMQP's own URL is the vhost (https://www.rabbitmq.com/docs/uri-spec).
    """
    path = re.sub(r"^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?/*[^/?#]*", "", text, count=1)
    path = quote(re.split(r"[?#]", path)[0].strip(), errors="replace", safe="/%~!$&'()*+,;=:@-._").replace(
        "%252F", "%2F"
    )
    plain = path.strip("/")
    if not plain or plain in ("api", "api/exchanges"):
        return [_PUBLISH]
    if not http:
        return [f"/api/exchanges/{plain}/statistics.topic/publish"]
    names = re.fullmatch(
        r"(?P<before>(?:/[^/]+)*?/api/exchanges)/(?P<vhost>[^/]+|/?)/(?P<exchange>[^/]+)(?:/publish)?/*", path
    )
    if names is None:
        return ["/api/exchanges/VHOST/EXCHANGE/publish"]
    vhost = names["vhost"] if names["vhost"] not in ("", "/") else "%2F"
    return [f"{names['before']}/{vhost}/{names['exchange']}/publish"]


@example_from(_publish_urls, f"http://HOST:15672{_PUBLISH}")
@removable
def rabbit_url(text: str) -> str:
    """The publish URL of RabbitMQ's management API, scheme and host in lower case: Prosody takes them to the letter."""
    allowed = "http(s)://HOST:15672/api/exchanges/VHOST/EXCHANGE/publish (the vhost / is written %2F)"
    url, url_port = split_url(text, allowed)
    host = (url.hostname or "").lower()
    address = parse_ip(host)
    if url.scheme not in ("http", "https") or not is_host(host):
        raise Invalid(f"{allowed}{spelled(host)}")
    if address is not None and address.version == 6:
        # Prosody's `Host:` has an IPv6 address without brackets, which RabbitMQ answers with 400.
        raise Invalid(f"{allowed}; HOST is a name or an IPv4 address")
    if address is not None and is_nobodys(address):
        raise Invalid(f"{allowed}; HOST is a name or address that prosody can reach")
    if url.query or url.fragment or text.endswith(("?", "#")):
        raise Invalid(allowed)
    if str(url_port) in _AMQP_PORTS:
        raise Invalid(f"{allowed}; port {url_port} is AMQP's or STOMP's, and the management API has another")
    names = re.fullmatch(r"(?:/[^/]+)*/api/exchanges/([^/]+)/([^/]+)/publish", url.path)
    if names is None or not re.fullmatch(r"(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})+", url.path):
        raise Invalid(allowed)
    if names[1].upper() == "%252F":
        raise Invalid(f"{allowed}; %252F is the vhost %2F and not /")
    if any(unquote(name) in (".", "..") for name in url.path.split("/")):
        raise Invalid(f"{allowed}; neither VHOST nor EXCHANGE is . or .., which mean another path")
    return f"{url.scheme}://{in_normal_form(host, url_port)}{url.path}"
