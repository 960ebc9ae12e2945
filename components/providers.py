"""Configuration of the providers: which Docker host, and whether Cloudflare's token is there.

Owns what this program looks up in the `docker:` and `cloudflare:` namespaces. Does not read the
configuration itself: `settings` hands it over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pulumi

from components.problems import Problem

_DOCKER: Final = {
    "host": "host",
    "context": "context",
    "sshOpts": "ssh_opts",
    "certPath": "cert_path",
    "caMaterial": "ca_material",
    "certMaterial": "cert_material",
    "keyMaterial": "key_material",
    "registryAuth": "registry_auth",
}
_STRUCTURED: Final = ("sshOpts", "registryAuth")
CLOUDFLARE_TOKEN: Final = "cloudflare:apiToken"
_TOKEN_VARIABLE: Final = "CLOUDFLARE_API_TOKEN"


def docker_options(stored: Mapping[str, Any], is_secret: Callable[[str], bool]) -> dict[str, Any]:
    """Arguments of docker.Provider from the `docker:` namespace; secret values as secret Outputs.

    `host` stays plain text even where it is stored encrypted: the hints that `up` prints need it.
    """
    options: dict[str, Any] = {}
    for key, argument in _DOCKER.items():
        text = stored.get(f"docker:{key}")
        if text is None:
            continue
        value = json.loads(text) if key in _STRUCTURED else text
        options[argument] = pulumi.Output.secret(value) if key != "host" and is_secret(f"docker:{key}") else value
    return options


def docker_problems(stored: Mapping[str, Any]) -> list[Problem]:
    """What docker.Provider could not use."""
    found = []
    host = stored.get("docker:host")
    if host is not None and not re.fullmatch(r"(unix://|npipe://|tcp://|ssh://)\S+", host):
        allowed = "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"
        given = "a URL with credentials" if re.search(r":[^/]*@", host) else repr(host)
        found.append(Problem("docker:host", given, allowed, example="ssh://USER@HOST"))
    for key in _STRUCTURED:
        try:
            json.loads(stored.get(f"docker:{key}", "[]"))
        except ValueError:
            found.append(Problem(f"docker:{key}", None, "a list, as `pulumi config set --path` makes it", remove=True))
    return found


def cloudflare_problems(stored: Mapping[str, Any], is_secret: Callable[[str], bool]) -> list[Problem]:
    """Whether the Cloudflare provider will find its token, encrypted or in the environment."""
    if CLOUDFLARE_TOKEN in stored:
        if is_secret(CLOUDFLARE_TOKEN):
            return []
        return [Problem(CLOUDFLARE_TOKEN, None, "an encrypted value: here it stands in plain text", secret=True)]
    if os.environ.get(_TOKEN_VARIABLE):
        return []
    allowed = f"required because dnsZone is set: a token that may edit the zone's DNS, here or as {_TOKEN_VARIABLE}"
    return [Problem(CLOUDFLARE_TOKEN, None, allowed, secret=True)]
