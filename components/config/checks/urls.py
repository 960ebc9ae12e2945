"""URLs as operators write them: taken apart strictly for a check, and leniently for what was meant."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from components.config.addresses import ascii_name, parse_ip
from components.config.checks.text import CONTROL, Invalid

_SCHEMES: Final = r"https?|wss?|ftp|amqps?|turns?|stuns?"
_SCHEME: Final = rf"(?:(?:{_SCHEMES})(?::/*|/{{2,}})|[a-z][a-z0-9+.-]*:/+|//)"
_HOST_AND_PORT: Final = re.compile(
    rf"\s*{_SCHEME}*(?:[^/?#@\s]*@)?"
    r"(\[[0-9A-Fa-f:.]+\]|[^/?#:@\s\[\]]+)(?::([0-9]{1,5})(?![^/?#:\s]))?(?::[^/?#@\s]*)?(?:[/?#][^@]*)?\s*",
    re.IGNORECASE,
)


def host_and_port(text: str) -> tuple[str, str]:
    """Host and port that `text` has, whatever is wrong with it; empty where that is not plain.

    What stands before an @ is passed over; where a password might reach into the host, there is none.
    """
    found = None if "%40" in text else _HOST_AND_PORT.fullmatch(text)
    host = ascii_name(found[1].strip("\"'").removesuffix(".")) if found else None
    if found is None or not host or re.fullmatch(_SCHEMES, host):
        return "", ""
    if "/" not in text and "." not in host and re.search(r":(?![0-9]+(/|$))", text.strip()):
        return "", ""  # USER:PASSWORD as likely as HOST:PORT
    return host, found[2] or ""


def host_alone(text: str) -> list[str]:
    """The host that `text` has, as the only candidate for what was meant."""
    return [host_and_port(text)[0].strip("[]")]


def split_url(text: str, allowed: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL and its port; a URL with credentials is refused."""
    if "@" in text:
        raise Invalid(f"{allowed}; no user name or password", given="a URL with credentials")
    if CONTROL.search(text) or any(char.isspace() for char in text):
        raise Invalid(allowed)
    if "${" in text or "$(" in text:
        raise Invalid(f"{allowed}; no variables here: nothing replaces them")
    try:
        url = urlsplit(text)
        url_port = url.port
    except ValueError:
        raise Invalid(allowed) from None
    if url_port == 0 or url.netloc.endswith(":"):
        raise Invalid(allowed)
    return url, url_port


def in_normal_form(host: str, url_port: int | None) -> str:
    """Host and port as they stand in a URL."""
    address = parse_ip(host)
    name = host if address is None else f"[{address}]" if address.version == 6 else str(address)
    return name if url_port is None else f"{name}:{url_port}"


def spelled(host: str) -> str:
    """How browsers spell a name that is not ASCII, in words for a message; empty for any other."""
    name = None if host.isascii() else ascii_name(host)
    return f" (this name is spelled {name})" if name else ""
