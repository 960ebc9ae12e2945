"""URLs, hosts, addresses and ports, each in the form in which it is passed on.

Owns their grammar and what their consumers make of them: browsers of publicUrl, the bridge of addresses, Docker of
published ports, Prosody of the broker's URL. docs/values.md lists the consumers of every key.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from components.config.addresses import (
    HostAddress,
    IpAddress,
    PublicUrl,
    ascii_name,
    is_host,
    is_loopback_name,
    is_nobodys,
    parse_ip,
)
from components.config.checks.text import CONTROL, Invalid, example_from, integer, items
from components.config.tables import ports as port_table

_HOST_AND_PORT: Final = re.compile(
    r"\s*(?:(?:https?|wss?|ftp|amqps?|turns?|stuns?):/*|//)?(?:[^/?#@\s]*@)?"
    r"(\[[0-9A-Fa-f:.]+\]|[^/?#:@\s\[\]]+)(?::([0-9]{1,5}))?(?::?(?=[/?#\s])[^@]*|:)?",
    re.IGNORECASE,
)


def port(text: str) -> int:
    """A TCP or UDP port."""
    return integer(text, 1, 65535)


def turn_port(text: str) -> int:
    """A port at which browsers open TURN."""
    number = port(text)
    privileged = number < port_table.LOWEST_FOR_TURN and number not in port_table.ALLOWED_FOR_TURN
    if privileged or (number > port_table.LOWEST_FOR_TURN and number in port_table.BLOCKED_FOR_PAGES):
        others = ", ".join(map(str, port_table.ALLOWED_FOR_TURN))
        raise Invalid(f"{others} or a port from {port_table.LOWEST_FOR_TURN} on that browsers do not block")
    return number


def _host_and_port(text: str) -> tuple[str, str]:
    """Host and port that `text` has, whatever is wrong with it; empty where that is not plain.

    What stands before an @ is passed over; where a password might reach into the host, there is none.
    """
    found = _HOST_AND_PORT.fullmatch(text)
    host = ascii_name(found[1]) if found else None
    return (host, found[2] or "") if found and host else ("", "")


def _host_alone(text: str) -> list[str]:
    return [_host_and_port(text)[0].strip("[]")]


def _split_url(text: str, allowed: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL and its port; a URL with credentials is refused."""
    if "@" in text:
        raise Invalid(f"{allowed}; no user name or password", given="a URL with credentials")
    if CONTROL.search(text) or any(char.isspace() for char in text):
        raise Invalid(allowed)
    try:
        url = urlsplit(text)
        url_port = url.port
    except ValueError:
        raise Invalid(allowed) from None
    if url_port == 0 or url.netloc.endswith(":"):
        raise Invalid(allowed)
    return url, url_port


def _in_normal_form(host: str, url_port: int | None) -> str:
    """Host and port as they stand in a URL."""
    address = parse_ip(host)
    name = host if address is None else f"[{address}]" if address.version == 6 else str(address)
    return name if url_port is None else f"{name}:{url_port}"


def _origins(text: str) -> list[str]:
    host, port_text = _host_and_port(text)
    with_port = [f"https://{host}:{port_text}"] if port_text not in ("", "80", "443") else []
    return [*with_port, f"https://{host}"]


@example_from(_origins, "https://HOST")
def public_url(text: str) -> PublicUrl:
    """An https origin such as `https://video.example.org:8443`; a bare trailing slash is taken."""
    allowed = "https://HOST or https://HOST:PORT, nothing behind it"
    url, url_port = _split_url(text, allowed)
    if url.scheme == "http":
        raise Invalid(f"{allowed}; browsers give camera and microphone to https pages only")
    host = (url.hostname or "").lower()
    if url.scheme != "https" or not host:
        raise Invalid(allowed)
    if url.path not in ("", "/") or url.query or url.fragment or text.endswith(("?", "#")):
        given = "a link with a token" if "jwt=" in text else None
        raise Invalid(f"{allowed}: no path, query or fragment", given=given)
    if not is_host(host):
        name = _spelled(host)
        raise Invalid(f"{allowed}; HOST is an IP address or a name of letters, digits, dots and hyphens{name}")
    address = parse_ip(host)
    if address is not None and is_nobodys(address):
        raise Invalid(f"{allowed}; HOST is a name or address that browsers can reach")
    if url_port in port_table.BLOCKED_FOR_PAGES:
        raise Invalid(f"{allowed}; PORT is one that browsers open: they block {url_port}")
    return PublicUrl(host=host if address is None else str(address), port=url_port or 443)


def _spelled(host: str) -> str:
    name = None if host.isascii() else ascii_name(host)
    return f" (this name is spelled {name})" if name else ""


def host_addresses(text: str) -> tuple[HostAddress, ...]:
    """Comma list of `IP` or `IP#PORT`, as JVB_ADVERTISE_IPS takes it."""
    what = "addresses, such as 192.0.2.10 or 192.0.2.10#10001"
    return items(text, what, _host_address, placeholder="ADDRESS")


def _with_hash_sign(text: str) -> list[str]:
    """`192.0.2.10:10001` is meant as `192.0.2.10#10001`, and `[2001:db8::1]` as it stands within."""
    return [re.sub(r"^\[?([^\[\]]+?)\]?:([0-9]+)$", r"\1#\2", text), text.strip("[]"), text.rpartition("#")[0]]


@example_from(_with_hash_sign, "ADDRESS")
def _host_address(text: str) -> HostAddress:
    ip_text, hash_sign, port_text = text.partition("#")
    ip = parse_ip(ip_text)
    if ip is None:
        raise Invalid("IP addresses, each with #PORT where a router forwards another port; no host names")
    if ip.is_loopback or is_nobodys(ip):
        raise Invalid(
            "addresses that other machines can reach; not loopback (127.0.0.1), 0.0.0.0, multicast or reserved"
        )
    if ip.version == 6 and ip.is_link_local:
        raise Invalid("addresses that browsers can use; a link-local one (fe80::) needs the name of a network card")
    try:
        return HostAddress(ip=ip, port=port(port_text) if hash_sign else None)
    except Invalid:
        raise Invalid("IP#PORT with a port from 1 to 65535") from None


def bind_addresses(text: str) -> tuple[IpAddress, ...]:
    """Comma list of addresses of the Docker host at which a port is published."""
    found = items(text, "addresses", _bind_address, placeholder="ADDRESS")
    for every in (ip for ip in found if ip.is_unspecified):
        others = [ip for ip in found if ip.version != every.version]
        if len(found) > len(others) + 1:
            example = ",".join(map(str, [every, *others]))
            raise Invalid(f"{every} without another IPv{every.version} address: it is all of them", example=example)
    return found


@example_from(lambda text: [text.strip("[]")], "ADDRESS")
def _bind_address(text: str) -> IpAddress:
    ip = parse_ip(text)
    if ip is None or (is_nobodys(ip) and not ip.is_unspecified):
        raise Invalid("IP addresses of the Docker host; 0.0.0.0 for all of IPv4, :: for all of IPv6")
    if ip.version == 6 and ip.is_link_local:
        raise Invalid("addresses without the name of a network card, so none that is link-local")
    return ip


def stun_servers(text: str) -> tuple[str, ...]:
    """Comma list of HOST:PORT, in lower case."""
    return items(text, "servers, such as stun.example.org:3478", _stun_server, placeholder="HOST:3478")


def _stun_server_meant(text: str) -> list[str]:
    host, port_text = _host_and_port(text.removeprefix("stun:"))
    return [f"{host}:{port_text or 3478}"]


@example_from(_stun_server_meant, "HOST:3478")
def _stun_server(text: str) -> str:
    host, _, port_text = text.rpartition(":")
    try:
        number = port(port_text)
    except Invalid:
        raise Invalid("HOST:PORT, such as stun.example.org:3478") from None
    address = parse_ip(host)
    if not is_host(host.lower()) or (address is not None and (address.version == 6 or is_nobodys(address))):
        # Neither the bridge nor the page puts brackets around an IPv6 address.
        raise Invalid("HOST:PORT with a host name or IPv4 address")
    return _in_normal_form(host.lower(), number)


@example_from(_host_alone, "HOST")
def turn_host(text: str) -> str:
    """A host name or IPv4 address that participants reach: the front end puts it into a URL without brackets."""
    host = text.lower()
    address = parse_ip(host)
    allowed = "a host name or an IPv4 address, without port"
    if not is_host(host) or (address is not None and address.version == 6):
        raise Invalid(f"{allowed}{_spelled(host)}")
    if is_loopback_name(host) or (address is not None and (address.is_loopback or is_nobodys(address))):
        raise Invalid(f"{allowed}; one that participants reach")
    return host if address is None else str(address)


_PUBLISH: Final = "/api/exchanges/%2F/statistics.topic/publish"


def _publish_urls(text: str) -> list[str]:
    host, port_text = _host_and_port(text)
    secure = re.match(r"\s*(https|amqps):", text, re.IGNORECASE)
    management = "15671" if secure else "15672"
    of_amqp = port_text in ("", "5671", "5672")
    return [f"{'https' if secure else 'http'}://{host}:{management if of_amqp else port_text}{_PUBLISH}"]


@example_from(_publish_urls, f"http://HOST:15672{_PUBLISH}")
def rabbit_url(text: str) -> str:
    """The publish URL of RabbitMQ's management API, scheme and host in lower case: Prosody takes them to the letter."""
    allowed = "http(s)://HOST:15672/api/exchanges/VHOST/EXCHANGE/publish (the vhost / is written %2F)"
    url, url_port = _split_url(text, allowed)
    host = (url.hostname or "").lower()
    address = parse_ip(host)
    if url.scheme not in ("http", "https") or not is_host(host):
        raise Invalid(f"{allowed}{_spelled(host)}")
    if address is not None and address.version == 6:
        # Prosody's `Host:` has an IPv6 address without brackets, which RabbitMQ answers with 400.
        raise Invalid(f"{allowed}; HOST is a name or an IPv4 address")
    if address is not None and is_nobodys(address):
        raise Invalid(f"{allowed}; HOST is a name or address that prosody can reach")
    if url.query or url.fragment or text.endswith(("?", "#")):
        raise Invalid(allowed)
    names = re.fullmatch(r"/api/exchanges/([^/]+)/([^/]+)/publish", url.path)
    if names is None or not re.fullmatch(r"(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})+", url.path):
        raise Invalid(allowed)
    if any(unquote(name) in (".", "..") for name in names.groups()):
        raise Invalid(f"{allowed}; neither VHOST nor EXCHANGE is . or .., which mean another path")
    return f"{url.scheme}://{_in_normal_form(host, url_port)}{url.path}"


def _over_https(text: str) -> list[str]:
    return [re.sub(r"^http://", "https://", text, flags=re.IGNORECASE)]


@example_from(_over_https, "https://HOST/directory")
def acme_server(text: str) -> str:
    """The directory URL of an ACME server, scheme and host in lower case."""
    allowed = "the https URL of an ACME directory"
    if text.lower() == "letsencrypt":
        raise Invalid(f"{allowed}; unset for Let's Encrypt", remove=True)
    if text.lower() in ("letsencrypt_test", "letsencrypttest", "staging"):
        raise Invalid(f"{allowed}; unset for Let's Encrypt, whose staging is letsencryptUseStaging", remove=True)
    url, url_port = _split_url(text, allowed)
    host = (url.hostname or "").lower()
    if url.scheme != "https" or not is_host(host) or not re.fullmatch(r"[A-Za-z0-9._~:/?=&%\[\]-]+", text):
        raise Invalid(f"{allowed}{_spelled(host)}")
    rest = text.partition("://")[2][len(url.netloc) :]
    return f"https://{_in_normal_form(host, url_port)}{rest}"


def embedding_origins(text: str) -> tuple[str, ...]:
    """Comma list of origins in their normal form; `self` alone stands for none but the page's own.

    They stand in a header that nginx reads between double quotes, so nothing else passes.
    """
    if text == "self":
        return ()
    return items(text, "origins, such as https://app.example.org", _embedding_origin, placeholder="https://HOST")


@example_from(_over_https, "https://HOST")
def _embedding_origin(text: str) -> str:
    allowed = "self, or origins such as https://app.example.org (http for a local name or an address alone)"
    url, url_port = _split_url(text, allowed)
    host = (url.hostname or "").lower()
    if url.path not in ("", "/") or url.query or url.fragment or not is_host(host):
        raise Invalid(f"{allowed}: no path, query or fragment{_spelled(host)}")
    public = PublicUrl(host=host, port=443).is_public_name
    if url.scheme != "https" and (url.scheme != "http" or public):
        raise Invalid(allowed)
    return f"{url.scheme}://{_in_normal_form(host, url_port)}"


@example_from(_host_alone, "ZONE")
def dns_zone(text: str) -> str:
    """A DNS zone's name, in lower case, without the final dot."""
    name = text.lower().removesuffix(".")
    if "." not in name or parse_ip(name) or not is_host(name):
        raise Invalid(f"a zone's name, such as example.org{_spelled(name)}")
    return name


@example_from(lambda text: [text.lower()], "ZONE_ID")
def dns_zone_id(text: str) -> str:
    """Cloudflare's identifier of a zone."""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise Invalid("32 hexadecimal digits, as on the zone's overview page at Cloudflare")
    return text


def dns_ttl(text: str) -> int:
    """Seconds; 1 means automatic."""
    if text == "1":
        return 1
    try:
        return integer(text, 60, 86400)
    except Invalid:
        raise Invalid("1 (automatic) or 60 to 86400 seconds") from None


def relay_ports(text: str) -> tuple[int, int]:
    """A range of ports; each costs the Docker host a small process."""
    allowed = "FIRST-LAST from 1024 to 65535, 2 to 500 ports"
    match = re.fullmatch(r"([0-9]{4,5})-([0-9]{4,5})", text)
    if match is None:
        raise Invalid(allowed)
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first < last <= 65535 or last - first >= 500:
        raise Invalid(allowed)
    return first, last
