"""The URLs of services that Prosody asks over HTTP: the VideoService and Keycloak."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from components.config.addresses import is_host, is_nobodys, parse_ip
from components.config.checks.text import CONTROL, Invalid, example_from, removable
from components.config.checks.urls import host_and_port, in_normal_form, spelled, split_url

_ALLOWED: Final = "http(s)://HOST[:PORT][/PATH], up to where /videocalls or /realms begins"
_APPENDED: Final = re.compile(r"/(?:videocalls|realms)(?:/.*)?$", re.IGNORECASE)
_PATH: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})*")


def _bases(text: str) -> list[str]:
    """The URL with what was given of scheme, host, port and path, as far as the path is the base."""
    host, port_text = host_and_port(text)
    if not host:
        return []
    plain = re.match(r"\s*http:/", text, re.IGNORECASE) is not None
    path = re.sub(r"^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?/*[^/?#]*", "", text, count=1)
    path = re.sub(r"/{2,}", "/", _APPENDED.sub("", re.split(r"[?#]", path)[0].strip()).rstrip("/"))
    return [f"{'http' if plain else 'https'}://{host}{':' if port_text else ''}{port_text}{path}"]


@example_from(_bases, "https://HOST")
@removable
def service_url(text: str) -> str:
    """A base URL, scheme and host in lower case, without a slash at its end: Prosody appends the path of what it asks."""
    url, url_port = split_url(text, _ALLOWED)
    host = (url.hostname or "").lower()
    address = parse_ip(host)
    if url.scheme not in ("http", "https") or not is_host(host):
        raise Invalid(f"{_ALLOWED}{spelled(host)}")
    if address is not None and address.version == 6:
        raise Invalid(f"{_ALLOWED}; HOST is a name or an IPv4 address")  # Prosody's `Host:` has no brackets for it
    if address is not None and is_nobodys(address):
        raise Invalid(f"{_ALLOWED}; HOST is a name or address that prosody can reach")
    if address is not None and url.scheme == "https":
        raise Invalid(f"{_ALLOWED}; with https HOST is a name: prosody compares a certificate with names alone")
    if url.query or url.fragment or text.endswith(("?", "#")) or not _PATH.fullmatch(url.path) or "//" in url.path:
        raise Invalid(_ALLOWED)
    if any(unquote(name) in (".", "..") for name in url.path.split("/")):
        raise Invalid(f"{_ALLOWED}; no part of PATH is . or .., which mean another path")
    if _APPENDED.search(url.path):
        raise Invalid(f"{_ALLOWED}; prosody appends the rest by itself")
    return f"{url.scheme}://{in_normal_form(host, url_port)}{url.path.rstrip('/')}"


def keycloak_name(text: str) -> str:
    """A realm, a client's id or a user's name: a line of text that is not taken for another path in a URL."""
    if not text.strip() or text != text.strip() or len(text) > 255 or CONTROL.search(text) or text in (".", ".."):
        raise Invalid("1 to 255 characters, no control characters, no blank first or last, neither . nor ..")
    return text
