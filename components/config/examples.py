"""Values of the documentation, such as example.org and 203.0.113.10: fit for a plan or a preview, not for an `up`.

Owns what such a value is, and in which keys it leads nowhere. Who refuses it, and when, is `source`'s business and that
of the tools beside Pulumi.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from components.config.problems import Problem
from components.config.secret import ENCRYPTED, ENCRYPTED_URL
from components.config.tables.special_addresses import DOCUMENTATION

_NAME: Final = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org|edu))?|invalid)", re.IGNORECASE)
"""RFC 2606, RFC 6761."""
_NETWORKS: Final = tuple(map(ipaddress.ip_network, DOCUMENTATION))
"""RFC 5737, RFC 3849, RFC 9637."""
_LEADING: Final = (
    "publicUrl",
    "dockerHostAddress",
    "letsencryptEmail",
    "letsencryptAcmeServer",
    "turnHost",
    "rabbitUrl",
    "videoServiceUrl",
    "keycloakUrl",
    "dnsZone",
    "dnsZoneId",
    "imageRegistry",
    "stunServers",
    "docker:host",
)
"""Keys of values that lead somewhere."""
_ID: Final = "0123456789abcdef0123456789abcdef"
_ALLOWED: Final = "your own: this is an example of the documentation, which leads nowhere"


def examples(values: Mapping[str, str], project: str, secret_keys: Collection[str] = ()) -> list[Problem]:
    """The problem of each such value.

    Args:
        values: configuration values by key with namespace, as text.
        project: namespace of the project's keys.
        secret_keys: keys whose value is encrypted: what cannot be seen is none, what can is not shown.
    """
    found = []
    for key in _LEADING:
        full = key if ":" in key else f"{project}:{key}"
        given = values.get(full, "")
        for part in [] if given in (ENCRYPTED, ENCRYPTED_URL) else map(str.strip, given.split(",")):
            if _is_example(part):
                found.append(Problem(key, None if full in secret_keys else repr(part), _ALLOWED))
    return found


def warning(problem: Problem) -> str:
    """What is said of it where nothing is made."""
    given = f"is {problem.given}," if problem.given is not None else "is"
    return f"{problem.key} {given} an example of the documentation: up refuses it"


def _is_example(value: str) -> bool:
    if value == _ID:
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
        return any(address in network for network in _NETWORKS if network.version == address.version)
    return _NAME.fullmatch(host) is not None
