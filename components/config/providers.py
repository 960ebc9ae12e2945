"""Configuration of the providers: which Docker host, and whether Cloudflare's token is there.

Owns what this program looks up in the `docker:` and `cloudflare:` namespaces. Does not read the
configuration itself: `load` hands it over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from components.config.addresses import is_docker_url
from components.config.masking import has_password
from components.config.problems import Problem
from components.config.secret import ENCRYPTED
from components.config.suggestions import nearest

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
_REGISTRY: Final = ("address", "username", "password", "authDisabled", "configFile", "configFileContent")
_REGISTRY_SECRETS: Final = ("password", "configFileContent")
CLOUDFLARE_TOKEN: Final = "cloudflare:apiToken"
_SECRETS: Final = (
    "docker:keyMaterial",
    CLOUDFLARE_TOKEN,
    "cloudflare:apiKey",
    "cloudflare:apiUserServiceKey",
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What fits into the header `Authorization: Bearer` as Cloudflare makes them."""
_TOKEN_VARIABLE: Final = "CLOUDFLARE_API_TOKEN"


_KEYS: Final[Mapping[str, Collection[str]]] = {
    "docker": tuple(_DOCKER),
    "cloudflare": ("apiToken", "apiKey", "apiUserServiceKey", "baseUrl", "email", "userAgentOperatorSuffix"),
}
_NAMESPACES: Final = (*_KEYS, "random", "tls", "pulumi")
"""Those of the providers in use, and the engine's own."""


def docker_options(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of docker.Provider from the `docker:` namespace."""
    given = {
        argument: (key, stored[f"docker:{key}"]) for key, argument in _DOCKER.items() if stored.get(f"docker:{key}")
    }
    return {argument: json.loads(text) if key in _STRUCTURED else text for argument, (key, text) in given.items()}


def docker_secrets(is_secret: Callable[[str], bool]) -> frozenset[str]:
    """Those of them whose value is stored encrypted."""
    return frozenset(argument for key, argument in _DOCKER.items() if is_secret(f"docker:{key}"))


def unknown_keys(names: Collection[str], project: str) -> list[Problem]:
    """Keys that nobody would read: of a namespace that is none here, or that its provider does not know."""
    return [problem for name in sorted(names) for problem in _unknown_key(name, project)]


def _unknown_key(name: str, project: str) -> Iterator[Problem]:
    namespace, _, key = name.partition(":")
    known = _KEYS.get(namespace, ())
    if namespace not in (project, *_NAMESPACES):
        near = nearest(namespace, [project, *_NAMESPACES])
        hint = f"did you mean {near}:{key}?" if near else f"there are {project}, {', '.join(_NAMESPACES)}"
        yield Problem(name, None, reason=f"no such namespace; {hint}", remove=True)
    elif known and key not in known:
        near = nearest(key, known)
        hint = f"did you mean {namespace}:{near}?" if near else f"{namespace} has {', '.join(known)}"
        yield Problem(name, None, reason=f"no such key; {hint}", remove=True)


def plain_secrets(stored: Mapping[str, Any], is_secret: Callable[[str], bool]) -> list[Problem]:
    """Secrets that stand in plain text."""
    problems = [plain_text(key) for key in _SECRETS if stored.get(key) and not is_secret(key)]
    if not is_secret("docker:registryAuth"):
        for number, entry in enumerate(_list(stored.get("docker:registryAuth")) or []):
            names = [name for name in _REGISTRY_SECRETS if isinstance(entry, dict) and entry.get(name)]
            keys = [f"docker:registryAuth[{number}].{name}" for name in names]
            problems += [plain_text(key, path=True) for key in keys]
    return problems


def plain_text(key: str, *, path: bool = False) -> Problem:
    """The problem of a secret in plain text; `path` as in `Problem`."""
    return Problem(key, None, "an encrypted value", secret=True, path=path, reason="a secret in plain text")


def docker_problems(stored: Mapping[str, Any], is_secret: Callable[[str], bool]) -> list[Problem]:
    """What docker.Provider could not use."""
    problems = _host_problems(stored.get("docker:host") or "", encrypted=is_secret("docker:host"))
    options = _list(stored.get("docker:sshOpts"))
    if options is None or not all(isinstance(option, str) for option in options):
        allowed = """a list of texts, in the stack file such as ["-p", "22"]"""
        problems.append(Problem("docker:sshOpts", None, allowed, remove=True))
    elif any(map(has_password, options)):
        allowed = "options without a password: ssh asks its agent or a key file"
        problems.append(Problem("docker:sshOpts", None, allowed, remove=True))
    registries = _list(stored.get("docker:registryAuth"))
    if registries is None or not all(map(_is_registry, registries)):
        allowed = f"a list of maps, each with address and some of {', '.join(_REGISTRY[1:])}"
        problems.append(Problem("docker:registryAuth", None, allowed, remove=True))
        return problems
    for number, entry in enumerate(registries):
        if has_password(entry["address"]) or "@" in entry["address"]:
            allowed = "a registry's address alone; user name and password have keys of their own beside it"
            step = "write address without user name and password, and change the password: it stood in plain text"
            problems.append(Problem(f"docker:registryAuth[{number}].address", None, allowed, path=True, step=step))
    return problems


def _host_problems(host: str, *, encrypted: bool) -> list[Problem]:
    if not host or is_docker_url(host):
        return []
    given = "a list or map" if host[0] in "[{" else repr(host)
    allowed = "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST; no password: ssh asks its agent or a key file"
    meant = "" if encrypted else _docker_url_meant(host)
    return [Problem("docker:host", None if encrypted else given, allowed, example=meant or "ssh://USER@HOST")]


def _docker_url_meant(text: str) -> str:
    """The URL with its third slash, without a password, or with the scheme that belongs there; empty for none."""
    for pattern, replacement in (
        (r"unix:/*(?!~|\.)([^/].*)", r"unix:///\1"),
        (r"(/.+)", r"unix://\1"),
        (r"ssh://([^:@/]+):[^@]*@([^@/]+)/?", r"ssh://\1@\2"),
        (r"(?:ssh://)?([^:@/]+@[^:@/]+)(?:/.*)?", r"ssh://\1"),
        (r"(?:https?|tcp)://(?:[^@/]*@)?([^@/]+:[0-9]+)(?:/.*)?", r"tcp://\1"),
    ):
        candidate = re.sub(f"^{pattern}$", replacement, text)
        if candidate != text and is_docker_url(candidate):
            return candidate
    return ""


def _list(text: str | None) -> list[Any] | None:
    """The list that `text` is in JSON, as the engine hands lists over; None where it is another thing."""
    try:
        value = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _is_registry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("address"), str)
        and set(entry) <= set(_REGISTRY)
        and all(isinstance(value, str | bool) for value in entry.values())
    )


def cloudflare_problems(stored: Mapping[str, Any]) -> list[Problem]:
    """Whether the Cloudflare provider will find its token, here or in the environment, and its API."""
    found = []
    base_url = str(stored.get("cloudflare:baseUrl") or "")
    if base_url and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", base_url):
        allowed = "unset, or the URL of another Cloudflare API; no user name or password"
        found.append(Problem("cloudflare:baseUrl", repr(base_url), allowed, remove=True))
    return found + _token_problems(stored)


def _token_problems(stored: Mapping[str, Any]) -> list[Problem]:
    token = stored.get(CLOUDFLARE_TOKEN)
    if token and token != ENCRYPTED and not _TOKEN.fullmatch(token):
        allowed = "the token alone, of letters, digits, - and _: no word before it, no blank and no line break"
        return [Problem(CLOUDFLARE_TOKEN, None, allowed, secret=True)]
    if token or os.environ.get(_TOKEN_VARIABLE):
        return []
    allowed = f"a token that may edit the zone's DNS, here or as {_TOKEN_VARIABLE}"
    return [Problem(CLOUDFLARE_TOKEN, None, allowed, secret=True, reason="required because dnsZone is set")]
