"""What an import comes to: keys with their values, and a report of what became of each name.

Owns how a value gets to its key, to a container's environment, or to the faults, and the forms that `.env` files and
the images take and this program does not. Which name goes where is `mapping`'s business, what a key takes
`components.config`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from components.config import checks
from components.config.checks import Invalid
from components.config.checks.text import OFF
from components.config.keys import KEYS
from components.config.tables.image_variables import is_secret
from ops.importer import judgement
from ops.importer.source import Fault, Variable

GENERATED: Final = (
    "jicofoComponentSecret",
    "jicofoAuthPassword",
    "jvbAuthPassword",
    "jigasiXmppPassword",
    "jibriRecorderPassword",
    "jibriXmppPassword",
    "jwtAppSecret",
)
"""Secrets that the program makes where they are unset."""
KEY_OF: Final = {
    "JVB_ADVERTISE_IPS": "dockerHostAddress",
    "jitsi_technical_username": "videoServiceUsername",
    "jitsi_technical_password": "videoServicePassword",
    "keycloak_app_client_id": "keycloakClientId",
    "keycloak_auth_server_url": "keycloakUrl",
    "videoserviceurl": "videoServiceUrl",
    "conference_timeout": "conferenceTimeout",
    "bindAddress": "bindAddress",
}
"""Keys of names that no key itself claims. One that does not exist is passed over for `environment`."""
ENVIRONMENT: Final = "environment"
_ON: Final = frozenset(("1", "true", "t", "yes", "y", "on"))


@dataclass
class Outcome:
    """What an import comes to.

    Args:
        config: values by key, without namespace, as `pulumi config set` takes them.
        secrets: the same for what is stored encrypted.
        environment: plain values by service and name.
        environment_secrets: secret ones by `environment.SERVICE.NAME`.
        taken: old name, the key, its value; None for a secret.
        needless: old name and why.
        dead: old name and the release since which no image reads it.
        lost: what there is no place for, and why.
        otherwise: what the new stack does in another way, where the old one was not told.
        faults: what has to change first.
        chosen: values by key, those that are a default too.
    """

    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    environment_secrets: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, str, str | None]] = field(default_factory=list)
    needless: list[tuple[str, str]] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    otherwise: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)


def key_of(name: str) -> str:
    """The key that a variable became; empty where it has none of its own."""
    key = BY_ENV.get(name) or KEY_OF.get(name, "")
    return key if key in KEYS else ""


BY_ENV: Final = {key.env: key.name for key in KEYS.values() if key.env}


def hand_on(result: Outcome, one: Variable, services: Sequence[str]) -> None:
    """To the containers that read it and got it."""
    got = [service for service in services if one.services is None or service in one.services]
    if not got:
        result.needless.append(
            (one.name, f"without effect: read by {' and '.join(services)} alone, which did not get it")
        )
    elif fault := _fault(one, got[0]):
        result.faults.append(fault)
    else:
        secret = is_secret(one.name)
        for service in got:
            if secret:
                result.environment_secrets[f"{ENVIRONMENT}.{service}.{one.name}"] = one.value
            else:
                result.environment.setdefault(service, {})[one.name] = one.value
        where = ", ".join(f"{ENVIRONMENT}.{service}" for service in got)
        result.taken.append((one.name, where, None if secret else one.value))


def _fault(one: Variable, service: str) -> Fault | None:
    """Why the value must not go on, or the images could not carry it; None where it may."""
    change = f"change {one.name} in {one.origin.partition(':')[0] or 'the source'}"
    if is_secret(one.name) and (reason := judgement.secret_fault(one.value)):
        return Fault(_place(one), reason, change)
    if judgement.placeholder(one.value):
        return Fault(_place(one), f"{one.value!r} is a placeholder", change)
    try:
        checks.environment(json.dumps({service: {one.name: one.value}}))
    except Invalid as invalid:
        why = [part.reason or f"allowed: {part.allowed}" for _, part in invalid.parts] or [
            invalid.reason or invalid.allowed
        ]
        return Fault(_place(one), f"not fit for {ENVIRONMENT}; {'; '.join(why)}", change)
    return None


def set_value(result: Outcome, one: Variable, key: str, value: str) -> None:
    """A key's value, unless it is refused, or what it is anyway."""
    about = KEYS[key]
    if about.secret:
        _set_secret(result, one, key, value)
        return
    change = f"change {one.name} in {one.origin.partition(':')[0] or 'the source'}"
    if judgement.placeholder(one.value):
        result.faults.append(Fault(_place(one), f"{one.value!r} is a placeholder", change))
        return
    try:
        checked = about.check(value)
    except Invalid as invalid:
        allowed = f"allowed for {key}: {invalid.allowed}"
        given = invalid.given or repr(value)
        reason = f"{given} has no place in {key}; {invalid.reason or allowed}"
        meant = f", such as {invalid.example}" if invalid.example else ""
        result.faults.append(Fault(_place(one), reason, change + meant))
        return
    before = result.chosen.setdefault(key, value)
    if before != value:
        result.faults.append(Fault(_place(one), f"{key} is {before!r} by another line", "keep one of the two"))
    elif about.default and checked == about.check(about.default) and key != "publicUrl":
        result.needless.append((one.name, f"{key} is {about.default} unless set"))
    else:
        result.config[key] = value
        result.taken.append((one.name, key, value))


def _set_secret(result: Outcome, one: Variable, key: str, value: str) -> None:
    reason = judgement.secret_fault(value)
    if not reason:
        try:
            KEYS[key].check(value)
        except Invalid as invalid:
            reason = f"not fit for {key}; {invalid.reason or f'allowed: {invalid.allowed}'}"
    if reason:
        renewable = key if key in GENERATED else ""
        fix = "remove it for a generated one" if renewable else "change it where it is used, and there"
        result.faults.append(Fault(_place(one), reason, fix, renewable))
        return
    if result.secrets.setdefault(key, value) != value:
        result.faults.append(Fault(_place(one), f"{key} is another secret by another line", "keep one of the two"))
        return
    result.taken.append((one.name, key, None))


def _place(one: Variable) -> str:
    return f"{one.origin}, {one.name}" if one.origin and one.origin != one.name else one.name


def _as_it_is(value: str) -> str:
    return value


def switch(value: str) -> str:
    """As the images' templates read a switch."""
    word = value.strip().lower()
    return "true" if word in _ON else "false" if word in OFF else value


def web_address(value: str) -> str:
    """With the scheme that the images put in front, and no slash behind."""
    url = value.strip().rstrip("/")
    return url if "://" in url else f"https://{url}"


def comma_list(value: str) -> str:
    """A comma list without spaces and empty items."""
    return ",".join(filter(None, map(str.strip, value.split(","))))


_VALUE_OF: Final[dict[str, Callable[[str], str]]] = {
    **{key.name: switch for key in KEYS.values() if key.check is checks.boolean},
    "publicUrl": web_address,
    "dockerHostAddress": comma_list,
    "stunServers": comma_list,
}


def value_of(key: str, value: str) -> str:
    """A value of the old installation in the form that its key takes."""
    return _VALUE_OF.get(key, _as_it_is)(value)
