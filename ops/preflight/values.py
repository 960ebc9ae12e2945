"""Whether the values of a stack file are the operator's own: sound, decryptable, and no example of the documentation."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from components.config.load import load_all
from components.config.problems import Problem
from components.config.settings import Settings
from ops.project import stackfile

_EXAMPLE_NAME: Final = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org|edu))?|invalid)", re.IGNORECASE)
"""RFC 2606, RFC 6761."""
_EXAMPLE_NETWORKS: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)
"""RFC 5737, RFC 3849, RFC 9637."""
_EXAMPLE_ID: Final = "0123456789abcdef0123456789abcdef"


def check_settings(stack: str, content: Mapping[str, Any], root: Path) -> Settings:
    """The stack's settings, encrypted values aside. Raises SettingsError with every problem."""
    project = stackfile.read_project(root)
    config = stackfile.engine_config(content, project)
    return load_all(config.values, stack=stack, secret_keys=config.secret_keys, project=project["name"])


def placeholders(config: Mapping[str, Any], project: str) -> list[Problem]:
    """Encrypted values that no engine could decrypt: its own message would not name the key."""
    reason = "a placeholder, or cut short: no engine can decrypt it"
    return [
        Problem(key.removeprefix(f"{project}:"), None, "an encrypted value", secret=True, reason=reason)
        for key, value in config.items()
        if isinstance(value, dict) and set(value) == {"secure"} and not stackfile.is_ciphertext(value["secure"])
    ]


def examples(settings: Settings) -> list[Problem]:
    """Values of the documentation, which lead nowhere: fit for a plan, not for an `up`."""
    reason = "an example of the documentation, which leads nowhere"
    return [Problem(key, repr(value), reason=reason) for key, value in _values(settings) if _is_example(value)]


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    """What leads somewhere, by key."""
    yield "publicUrl", settings.public_url.origin
    for address in settings.advertised_addresses:
        yield "dockerHostAddress", str(address)
    named = {
        "letsencryptEmail": settings.letsencrypt_email,
        "letsencryptAcmeServer": settings.letsencrypt_acme_server,
        "turnHost": settings.turn_host,
        "rabbitUrl": settings.rabbit_url,
        "dnsZone": settings.dns_zone,
        "dnsZoneId": settings.dns_zone_id,
        "imageRegistry": settings.image_registry,
    }
    yield from ((key, value) for key, value in named.items() if value)
    yield from (("stunServers", server) for server in settings.stun_servers or ())


def _is_example(value: str) -> bool:
    if value == _EXAMPLE_ID:
        return True
    url = value if "://" in value else f"any://{value.rpartition('@')[2].partition('#')[0]}"
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    for text in (host, value.partition("#")[0]):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        return any(address in network for network in _EXAMPLE_NETWORKS if network.version == address.version)
    return _EXAMPLE_NAME.fullmatch(host) is not None
