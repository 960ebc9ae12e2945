"""Checks of single configuration values: text in, typed value out, or `Invalid` with what is allowed.

Owns the grammar of each kind of value and the characters that the Jitsi images can carry. Does not own which
key has which check, nor rules between keys (`settings`, `rules`). Pure: no Pulumi, no network, no file but the
system's time zone list.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Final
from urllib.parse import SplitResult, urlsplit

from components.config.addresses import HostAddress, IpAddress, PublicUrl, is_host, parse_ip, unmapped

JWT_SECRET_MIN_BYTES: Final = 32
"""HS256 needs a key at least as long as its hash (RFC 7518, 3.2)."""
PASSWORD_MIN_LENGTH: Final = 12
PASSWORD_MAX_LENGTH: Final = 256
SUPPORTED_RELEASE: Final = 11146
"""First release whose images run without root, with ports 8000/8443 and /storage inside."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Invalid(Exception):
    """A value that its key does not take.

    `allowed` completes the sentence "allowed: …"; `given` replaces the value in the message where the value
    itself must not be shown; `example` is what was meant, where that is plain.
    """

    def __init__(self, allowed: str, *, given: str | None = None, example: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.given = given
        self.example = example


def boolean(text: str) -> bool:
    """`true` or `false`; `1` and `0` as in an .env file are taken too."""
    value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if value is None:
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        raise Invalid("true or false", example=meant.get(text.lower(), ""))
    return value


def integer(text: str, low: int, high: int) -> int:
    """A whole number of ASCII digits within bounds."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise Invalid(f"a whole number from {low} to {high}")
    return int(text)


def port(text: str) -> int:
    """A TCP or UDP port."""
    return integer(text, 1, 65535)


def _one_of(text: str, *choices: str) -> str:
    if text not in choices:
        raise Invalid(", ".join(choices[:-1]) + " or " + choices[-1])
    return text


def _split_url(text: str, allowed: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL and its port; a URL with credentials is refused without being repeated."""
    if "@" in text:
        raise Invalid(f"{allowed}; no user name or password", given="a URL with credentials")
    if _CONTROL.search(text) or any(char.isspace() for char in text):
        raise Invalid(allowed)
    try:
        url = urlsplit(text)
        return url, url.port
    except ValueError:
        raise Invalid(allowed) from None


def public_url(text: str) -> PublicUrl:
    """An https origin such as `https://video.example.org:8443`; a bare trailing slash is taken."""
    allowed = "https://HOST or https://HOST:PORT, nothing behind it"
    url, url_port = _split_url(text, allowed)
    if url.scheme == "http":
        raise Invalid(f"{allowed}; browsers give camera and microphone to https pages only")
    host = (url.hostname or "").lower()
    if url.scheme != "https" or not host or url_port == 0 or url.netloc.endswith(":"):
        raise Invalid(allowed)
    if url.path not in ("", "/") or url.query or url.fragment or text.endswith(("?", "#")):
        raise Invalid(f"{allowed}: no path, query or fragment")
    if not is_host(host):
        raise Invalid(
            f"{allowed}; HOST is an IP address or a name of letters, digits, dots and hyphens{_punycode(host)}"
        )
    address = parse_ip(host)
    if address is not None and _is_nobodys(address):
        raise Invalid(f"{allowed}; HOST is a name or address that browsers can reach")
    return PublicUrl(host=host, port=url_port or 443)


def _punycode(host: str) -> str:
    if host.isascii():
        return ""
    try:
        return f" (this name is spelled {host.encode('idna').decode()})"
    except UnicodeError:
        return ""


def host_addresses(text: str) -> tuple[HostAddress, ...]:
    """Comma list of `IP` or `IP#PORT`, as JVB_ADVERTISE_IPS takes it."""
    return tuple(_host_address(item) for item in _items(text, "addresses, such as 192.0.2.10 or 192.0.2.10#10001"))


def _host_address(text: str) -> HostAddress:
    ip_text, hash_sign, port_text = text.partition("#")
    ip = parse_ip(ip_text)
    if ip is None:
        raise Invalid("IP addresses, each with #PORT where a router forwards another port; no host names")
    plain = unmapped(ip)
    if plain.is_loopback or _is_nobodys(plain):
        raise Invalid(
            "addresses that other machines can reach; not loopback (127.0.0.1), 0.0.0.0, multicast or reserved"
        )
    if plain.version == 6 and plain.is_link_local:
        raise Invalid("addresses that browsers can use; a link-local one (fe80::) needs the name of a network card")
    try:
        return HostAddress(ip=ip, port=port(port_text) if hash_sign else None)
    except Invalid:
        raise Invalid("IP#PORT with a port from 1 to 65535") from None


def _is_nobodys(ip: IpAddress) -> bool:
    """True for an address that no single machine has."""
    return ip.is_unspecified or ip.is_multicast or (ip.is_reserved and not ip.is_loopback)


def _items(text: str, what: str) -> tuple[str, ...]:
    """The items of a comma list; the images do not trim spaces, so none may be there."""
    items = text.split(",")
    if any(item != item.strip() or not item for item in items):
        raise Invalid(f"a comma separated list of {what}; no spaces and no empty items")
    if len(set(items)) != len(items):
        raise Invalid(f"a comma separated list of {what}; each one once")
    return tuple(items)


def modules(text: str) -> tuple[str, ...]:
    """Comma list of Prosody module names."""
    items = _items(text, "module names")
    if not all(re.fullmatch(r"(?!mod_)[a-z0-9_]+", item) for item in items):
        raise Invalid("module names of lower-case letters, digits and _, without the prefix mod_")
    return items


def jwt_names(text: str) -> tuple[str, ...]:
    """Comma list of issuers or audiences."""
    return tuple(jwt_name(item) for item in _items(text, "names"))


def jwt_name(text: str) -> str:
    """A name that the prosody image puts unescaped between Lua double quotes."""
    if not text or len(text) > 255 or text != text.strip() or re.search(r'["\\,]', text) or _CONTROL.search(text):
        raise Invalid('1 to 255 characters without ", \\, comma, line break or space at an end')
    return text


def jwt_secret(text: str) -> str:
    """A shared HS256 key; the prosody image puts it unescaped between Lua double quotes."""
    if _CONTROL.search(text) or re.search(r'["\\]', text) or text != text.strip():
        raise Invalid('no ", \\, line break, or space at an end: the prosody image cannot carry them')
    if len(text.encode()) < JWT_SECRET_MIN_BYTES:
        raise Invalid(f"at least {JWT_SECRET_MIN_BYTES} bytes (256 bits); this one has {len(text.encode())}")
    return text


def password(text: str) -> str:
    """A password of an XMPP account: it passes unquoted through a shell and quoted through HOCON and Lua."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/=:@%,-]*", text) or text.startswith("-"):
        raise Invalid("letters, digits and . _ ~ + / = : @ % , - (not first): the images pass it through a shell")
    if not PASSWORD_MIN_LENGTH <= len(text) <= PASSWORD_MAX_LENGTH:
        raise Invalid(f"{PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_LENGTH} characters; this one has {len(text)}")
    return text


def rabbit_url(text: str) -> str:
    """The publish URL of RabbitMQ's management API."""
    allowed = "http(s)://HOST:15672/api/exchanges/VHOST/EXCHANGE/publish (the vhost / is written %2F)"
    url, url_port = _split_url(text, allowed)
    if url_port == 0 or url.netloc.endswith(":"):
        raise Invalid(allowed)
    if url.scheme not in ("http", "https") or not is_host((url.hostname or "").lower()):
        raise Invalid(allowed)
    if url.query or url.fragment or not re.fullmatch(r"/api/exchanges/[^/]+/[^/]+/publish", url.path):
        raise Invalid(allowed)
    return text


def rabbit_mq(text: str) -> str:
    """Where the broker comes from."""
    if text != "embedded":
        raise Invalid("embedded, for a broker to try things out; unset for a broker of your own (rabbitUrl)")
    return text


def rabbit_username(text: str) -> str:
    """A user name that HTTP basic authentication can carry (RFC 7617: no colon)."""
    if not text or ":" in text or _CONTROL.search(text):
        raise Invalid("a user name without colon or control character")
    return text


def rabbit_password(text: str) -> str:
    """Any password that a line of text can hold."""
    if not text or _CONTROL.search(text):
        raise Invalid("a password without control characters")
    return text


def turn(text: str) -> str:
    """Where the TURN server comes from."""
    return _one_of(text, "embedded", "external")


def turn_host(text: str) -> str:
    """A host name or IPv4 address: the front end puts it into a URL without brackets."""
    if ":" in text or not is_host(text.lower()):
        raise Invalid("a host name or an IPv4 address, without port")
    return text.lower()


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


TLS_MODES: Final = ("local-ca", "own", "letsencrypt", "proxy", "self-signed")


def tls(text: str) -> str:
    """Where web's certificate comes from."""
    return _one_of(text, *TLS_MODES)


def pem(text: str) -> str:
    """One or more PEM blocks; what is in them is checked by `certificate`."""
    if not re.fullmatch(r"\s*(-----BEGIN [A-Z ]+-----[A-Za-z0-9+/=\s]+-----END [A-Z ]+-----\s*)+", text):
        raise Invalid("PEM text, from -----BEGIN to -----END, without a passphrase")
    return text.strip() + "\n"


def email(text: str) -> str:
    """An e-mail address, as far as acme.sh, which gets it unquoted from a shell, must take it."""
    if not re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text) or text.startswith("-"):
        raise Invalid("an e-mail address")
    return text


def acme_server(text: str) -> str:
    """The directory URL of an ACME server."""
    allowed = "the https URL of an ACME directory"
    url, _ = _split_url(text, allowed)
    if (
        url.scheme != "https"
        or not is_host((url.hostname or "").lower())
        or not re.fullmatch(r"[A-Za-z0-9._~:/?=&%-]+", text)
    ):
        raise Invalid(allowed)
    return text


def time_zone(text: str) -> str:
    """A name of the IANA time zone database, such as Europe/Berlin."""
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", text) or not _is_time_zone(text):
        raise Invalid("a name of the IANA time zone database, such as Europe/Berlin or UTC")
    return text


def _is_time_zone(text: str) -> bool:
    """Whether this system knows the zone; True where it knows none. (`available_timezones` would read them all.)"""
    if text.startswith(("posix", "right/")):
        return False
    return _loads(text) or not _loads("UTC")


def _loads(text: str) -> bool:
    try:
        zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return True


def restart_policy(text: str) -> str:
    """Docker's `--restart`."""
    return _one_of(text, "no", "on-failure", "always", "unless-stopped")


def auth_type(text: str) -> str:
    """How users sign in; the images know more ways, whose own settings this program does not carry."""
    return _one_of(text, "jwt", "internal")


def image_registry(text: str) -> str:
    """Registry and path in front of /web, /prosody, /jicofo and /jvb."""
    if (
        not re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", text)
        or len(text) > 200
    ):
        raise Invalid("a registry and path in lower case, such as ghcr.io/jitsi, without tag or trailing slash")
    return text


def jitsi_release(text: str) -> str:
    """A release tag of the Jitsi images, `stable-NNNNN` or `stable-NNNNN-N`."""
    match = re.fullmatch(r"stable-([0-9]{1,9})(-[0-9]{1,9})?", text)
    if match is None:
        raise Invalid("a release tag such as stable-11146-2; no moving tag such as stable, latest or unstable")
    if int(match[1]) < SUPPORTED_RELEASE:
        raise Invalid(f"stable-{SUPPORTED_RELEASE} or newer: older images expect other ports, volumes and variables")
    return text


def log_size(text: str) -> str:
    """max-size of Docker's json-file log driver."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}[kmg]", text):
        raise Invalid("a size with its unit, such as 500k, 10m or 1g")
    return text


def log_files(text: str) -> int:
    """max-file of Docker's json-file log driver."""
    return integer(text, 1, 100)


def stun_servers(text: str) -> tuple[str, ...]:
    """Comma list of HOST:PORT."""
    items = _items(text, "servers, such as stun.example.org:3478")
    for item in items:
        host, _, port_text = item.rpartition(":")
        try:
            port(port_text)
        except Invalid:
            raise Invalid("HOST:PORT, such as stun.example.org:3478") from None
        if not is_host(host.lower()):
            raise Invalid("HOST:PORT with a host name or IPv4 address")
    return items


def bind_addresses(text: str) -> tuple[IpAddress, ...]:
    """Comma list of addresses of the Docker host at which a port is published."""
    addresses = tuple(parse_ip(item) for item in _items(text, "addresses"))
    known = tuple(address for address in addresses if address is not None and not address.is_multicast)
    if len(known) < len(addresses):
        raise Invalid("IP addresses of the Docker host; 0.0.0.0 for all of IPv4, :: for all of IPv6")
    return known


def dns_zone(text: str) -> str:
    """A DNS zone's name, in lower case, without the final dot."""
    name = text.lower().rstrip(".")
    if "." not in name or parse_ip(name) or not is_host(name):
        raise Invalid("a zone's name, such as example.org")
    return name


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


def branding_dir(text: str) -> str:
    """A path; what lies there is checked by `branding`."""
    if _CONTROL.search(text):
        raise Invalid("the path of a directory, from the project's directory on")
    return text


def conference_timeout(text: str) -> int:
    """Seconds that a room lives on after its last moderator left."""
    return integer(text, 0, 3600)
