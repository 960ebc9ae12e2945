"""URLs, hosts, addresses and ports, each in the form in which it is passed on.

Owns their grammar and what their consumers make of them: browsers of publicUrl, the bridge of addresses, Docker of
published ports. docs/values.md lists the consumers of every key.
"""

from __future__ import annotations

import re
from typing import Final

from components.config.addresses import (
    HostAddress,
    IpAddress,
    PublicUrl,
    is_host,
    is_loopback_name,
    is_nobodys,
    parse_ip,
)
from components.config.checks.text import (
    Invalid,
    example_from,
    integer,
    is_off,
    items,
    proposed,
    removable,
    seconds_meant,
    unquoted,
)
from components.config.checks.urls import host_alone, host_and_port, in_normal_form, spelled, split_url
from components.config.tables import ports as port_table


def _published(text: str) -> list[str]:
    """The Docker host's port of `443/tcp`, `8443:443` and `0.0.0.0:8443:443`."""
    found = re.fullmatch(
        r"\s*(?:(?:[0-9]+\.){3}[0-9]+:)?:?([0-9]{1,5})(?::[0-9]{1,5})?(?:/(?:tcp|udp))?\s*", text, re.ASCII
    )
    return [found[1]] if found else []


@example_from(_published)
def port(text: str) -> int:
    """A TCP or UDP port."""
    return integer(text, 1, 65535)


@example_from(_published)
def turn_port(text: str) -> int:
    """A port at which browsers open TURN."""
    number = port(text)
    privileged = number < port_table.LOWEST_FOR_WEBRTC and number not in port_table.ALLOWED_FOR_TURN
    if privileged or number in port_table.BLOCKED_FOR_STUN:
        others = ", ".join(map(str, port_table.ALLOWED_FOR_TURN))
        raise Invalid(f"{others} or a port from {port_table.LOWEST_FOR_WEBRTC} on that browsers do not block")
    return number


_MEDIA_PORTS: Final = (
    f"{', '.join(map(str, port_table.ALLOWED_FOR_MEDIA))} or from {port_table.LOWEST_FOR_WEBRTC} to 65535"
)


@example_from(_published)
def media_port(text: str) -> int:
    """A port at which browsers take the bridge's media."""
    number = port(text)
    if number < port_table.LOWEST_FOR_WEBRTC and number not in port_table.ALLOWED_FOR_MEDIA:
        raise Invalid(f"a port: {_MEDIA_PORTS}", reason=f"Chrome takes no media from port {number}")
    return number


def _origins(text: str) -> list[str]:
    host, port_text = host_and_port(text)
    of_https = port_text not in ("", "443") and (not re.match(r"\s*http:", text, re.I) or port_text == "8443")
    with_port = [f"https://{host}:{port_text}"] if of_https and port_text != "80" else []
    return [*with_port, f"https://{host}"]


@example_from(_origins, "https://HOST")
def public_url(text: str) -> PublicUrl:
    """An https origin such as `https://video.example.org:8443`; a bare trailing slash is taken."""
    allowed = "https://HOST or https://HOST:PORT, nothing behind it"
    url, url_port = split_url(text, allowed)
    if url.scheme == "http":
        raise Invalid(f"{allowed}; browsers give camera and microphone to https pages only")
    host = (url.hostname or "").lower()
    if url.scheme != "https" or not host:
        raise Invalid(allowed)
    if url.path not in ("", "/") or url.query or url.fragment or text.endswith(("?", "#")):
        raise Invalid(f"{allowed}: no path, query or fragment")
    if not is_host(host):
        name = spelled(host)
        raise Invalid(f"{allowed}; HOST is an IP address or a name of letters, digits, dots and hyphens{name}")
    address = parse_ip(host)
    if address is not None and (is_nobodys(address) or address.is_link_local):
        raise Invalid(f"{allowed}; HOST is a name or address that browsers can reach")
    if host == "meet.jitsi" or host.endswith(".meet.jitsi"):
        raise Invalid(f"{allowed}; HOST is your own name: meet.jitsi is XMPP's within the stack")
    if url_port in port_table.BLOCKED_FOR_PAGES:
        raise Invalid(f"{allowed}; PORT is one that browsers open: they block {url_port}")
    return PublicUrl(host=host if address is None else str(address), port=url_port or 443)


@removable
def host_addresses(text: str) -> tuple[HostAddress, ...]:
    """Comma list of `IP` or `IP#PORT`, as JVB_ADVERTISE_IPS takes it."""
    what = "addresses, such as 192.0.2.10 or 192.0.2.10#10001"
    return items(text, what, _host_address, placeholder="ADDRESS")


def _with_hash_sign(text: str) -> list[str]:
    """`192.0.2.10:10001` is meant as `192.0.2.10#10001`, and `[2001:db8::1]` as it stands within.

    A number with zeros in front is taken as the decimal one, unless it might be an octal one of another value.
    """
    decimal = re.sub(r"(?<![0-9A-Fa-f:])0+(?=[0-7](?![0-9])|[1-9]*[89])", "", text.partition("#")[0])
    hashed = re.sub(r"^\[?([^\[\]]+?)\]?[:#]([0-9]+)$", r"\1#\2", text)
    return [hashed, text.strip("[]"), decimal + "".join(text.partition("#")[1:]), text.rpartition("#")[0]]


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
    if ip.is_link_local:
        raise Invalid("addresses that browsers can use; not a link-local one (fe80::, 169.254.0.0/16)")
    try:
        return HostAddress(ip=ip, port=media_port(port_text) if hash_sign else None)
    except Invalid as refused:
        raise Invalid(f"IP#PORT with port {_MEDIA_PORTS}", reason=refused.reason) from None


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
    if ip.is_link_local:
        raise Invalid("addresses without the name of a network card, so none that is link-local")
    return ip


@removable
def stun_servers(text: str) -> tuple[str, ...]:
    """Comma list of HOST:PORT, in lower case."""
    return items(text, "servers, such as stun.example.org:3478", _stun_server, placeholder="HOST:3478")


def _stun_server_meant(text: str) -> list[str]:
    host, port_text = host_and_port(text.removeprefix("stun:"))
    return [f"{host}:{port_text or 3478}"]


@example_from(_stun_server_meant, "HOST:3478")
@removable
def _stun_server(text: str) -> str:
    host, _, port_text = text.rpartition(":")
    try:
        number = port(port_text)
    except Invalid:
        raise Invalid("HOST:PORT, such as stun.example.org:3478") from None
    address = parse_ip(host)
    if is_off(host):
        raise Invalid("HOST:PORT, such as stun.example.org:3478")
    if number in port_table.BLOCKED_FOR_STUN:
        raise Invalid(f"HOST:PORT with a port that browsers open: they block {number}")
    if is_loopback_name(host.lower()) or (address is not None and address.is_loopback):
        raise Invalid("HOST:PORT with a host that bridge and participants reach")
    if not is_host(host.lower()) or (address is not None and (address.version == 6 or is_nobodys(address))):
        # Neither the bridge nor the page puts brackets around an IPv6 address.
        raise Invalid("HOST:PORT with a host name or IPv4 address")
    return in_normal_form(host.lower(), number)


@example_from(host_alone, "HOST")
@removable
def turn_host(text: str) -> str:
    """A host name or IPv4 address that participants reach: the front end puts it into a URL without brackets."""
    host = text.lower()
    address = parse_ip(host)
    allowed = "a host name or an IPv4 address, without port"
    if not is_host(host) or (address is not None and address.version == 6):
        raise Invalid(f"{allowed}{spelled(host)}")
    if is_loopback_name(host) or (address is not None and (address.is_loopback or is_nobodys(address))):
        raise Invalid(f"{allowed}; one that participants reach")
    return host if address is None else str(address)


_ACME_WORDS: Final = {"zerossl": "https://acme.zerossl.com/v2/DV90"}
"""acme.sh's short word for another authority (https://github.com/acmesh-official/acme.sh/wiki/Server) that asks for
no account of its own; the web image can give none."""


def _over_https(text: str) -> list[str]:
    return [re.sub(r"^http://", "https://", text, flags=re.IGNORECASE)]


@example_from(_over_https, "https://HOST/directory")
@removable
def acme_server(text: str) -> str:
    """The directory URL of an ACME server, scheme and host in lower case."""
    allowed = "the https URL of an ACME directory"
    if text.lower() == "letsencrypt":
        raise Invalid(f"{allowed}; unset for Let's Encrypt", remove=True)
    if text.lower() in ("letsencrypt_test", "letsencrypttest", "staging"):
        raise Invalid(f"{allowed}; unset for Let's Encrypt, whose staging is letsencryptUseStaging", remove=True)
    if directory := _ACME_WORDS.get(unquoted(text).lower().replace(".", "")):
        raise Invalid(allowed, example=directory)
    url, url_port = split_url(text, allowed)
    host = (url.hostname or "").lower()
    if host.startswith(("acme-v01.", "acme-staging.")) and host.endswith(".letsencrypt.org"):
        raise Invalid(f"{allowed}; unset for Let's Encrypt", reason="version 1 of ACME ended in 2021", remove=True)
    if url.scheme != "https" or not is_host(host) or not re.fullmatch(r"[A-Za-z0-9._~:/?=&%\[\]-]+", text):
        raise Invalid(f"{allowed}{spelled(host)}")
    rest = text.partition("://")[2][len(url.netloc) :]
    return f"https://{in_normal_form(host, url_port)}{rest}"


def embedding_origins(text: str) -> tuple[str, ...]:
    """Comma list of origins in their normal form; `self` alone stands for none but the page's own.

    They stand in a header that nginx reads between double quotes, so nothing else passes.
    """
    if text == "self":
        return ()
    word = unquoted(text).lower()
    if word in ("*", "any", "all", "https://*", "http://*"):
        raise Invalid("self, or origins such as https://app.example.org; unset for any", remove=True)
    if word == "self" or is_off(text):
        raise Invalid("self, or origins such as https://app.example.org", example="self")
    others = [item for item in text.split(",") if unquoted(item).lower() != "self"]
    if len(others) < text.count(",") + 1:
        allowed = "self, or origins such as https://app.example.org; the page's own is always among them"
        raise Invalid(allowed, example=proposed(embedding_origins, ",".join(others)))
    return items(text, "origins, such as https://app.example.org", _embedding_origin, placeholder="https://HOST")


def _origin_meant(text: str) -> list[str]:
    """The origin of a link, over https where the name is a public one."""
    host, port_text = host_and_port(text)
    number = f":{port_text}" if port_text not in ("", "80", "443") else ""
    scheme = re.match(r"\s*([a-z]+):/", text, re.IGNORECASE)
    schemes = ["https", "http"] if scheme is None or scheme[1].lower() != "http" else ["https"]
    return [f"{one}://{host}{number}" for one in schemes] if "*" not in host else []


@example_from(_origin_meant, "https://HOST")
def _embedding_origin(text: str) -> str:
    allowed = "self, or origins such as https://app.example.org (http for a local name or an address alone)"
    url, url_port = split_url(text, allowed)
    host = (url.hostname or "").lower()
    if url.path not in ("", "/") or url.query or url.fragment or not is_host(host):
        raise Invalid(f"{allowed}: no path, query or fragment{spelled(host)}")
    public = PublicUrl(host=host, port=443).is_public_name
    if url.scheme != "https" and (url.scheme != "http" or public):
        raise Invalid(allowed)
    return f"{url.scheme}://{in_normal_form(host, url_port)}"


@example_from(host_alone, "ZONE")
@removable
def dns_zone(text: str) -> str:
    """A DNS zone's name, in lower case, without the final dot."""
    name = text.lower().removesuffix(".")
    if "." not in name or parse_ip(name) or not is_host(name):
        raise Invalid(f"a zone's name, such as example.org{spelled(name)}")
    return name


@example_from(placeholder="ZONE_ID")
@removable
def dns_zone_id(text: str) -> str:
    """Cloudflare's identifier of a zone."""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise Invalid("32 hexadecimal digits, as on the zone's overview page at Cloudflare")
    return text


@example_from(lambda text: ["1"] if unquoted(text).lower() in ("auto", "automatic") else seconds_meant(text))
def dns_ttl(text: str) -> int:
    """Seconds; 1 means automatic."""
    if text == "1":
        return 1
    try:
        return integer(text, 60, 86400)
    except Invalid:
        raise Invalid("1 (automatic) or 60 to 86400 seconds") from None


def _range_meant(text: str) -> list[str]:
    numbers = re.fullmatch(r"\s*([0-9]{4,5})\s*(?:[-:,\u2013]|\.\.|\bto\b)\s*([0-9]{4,5})\s*(?:/udp)?\s*", text)
    return [f"{numbers[1]}-{numbers[2]}"] if numbers else []


@example_from(_range_meant)
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
