"""From the text of a configuration to `Settings`, or to every problem that it has.

Owns the order of it: single values by their checks, the rules between them, the providers' own configuration. Reads
no configuration: `source` hands over what the engine has, the tools beside Pulumi what stands in a stack file. Of the
disk it reads the branding directory alone, once.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from components.config import branding, providers, rules
from components.config.checks import Invalid
from components.config.checks.text import is_off
from components.config.declare import Key
from components.config.environment import refusal
from components.config.keys import KEYS, nearest
from components.config.masking import masked
from components.config.problems import Problem, SettingsError, shell
from components.config.rejected import REJECTED
from components.config.secret import ENCRYPTED, HIDDEN, Secret
from components.config.settings import DEFAULT_DOCKER_URL, LOCAL_STACK, Settings
from components.config.tables.image_variables import is_secret
from components.config.values import Variable

_NO_SECRET: Final = "it is encrypted, and no secret: state and outputs would show it all the same"


def load(
    values: Mapping[str, str], *, stack: str, secret_keys: Collection[str] = (), project: str = "videobackend"
) -> Settings:
    """Settings from the project's own keys; those of the providers have their defaults.

    Args:
        values: configuration values by key, without namespace; `ENCRYPTED` for one that was not decrypted.
        stack: the stack's name; physical names carry it.
        secret_keys: keys whose value the stack file holds encrypted.
        project: the configuration's namespace, for messages.

    Raises:
        SettingsError: with every problem there is.
    """
    settings, problems = _read(values, stack, secret_keys)
    if problems:
        raise SettingsError(stack, project, problems)
    return settings


def load_all(stored: Mapping[str, str], *, stack: str, secret_keys: Collection[str], project: str) -> Settings:
    """Settings from the whole configuration of a stack, the providers' included.

    Args:
        stored: configuration values by key, with namespace; otherwise as for `load`.
        stack: the stack's name.
        secret_keys: those of them that are stored encrypted, with namespace.
        project: the project's own namespace.

    Raises:
        SettingsError: with every problem there is.
    """
    values, own_secret_keys = _without_namespace(stored, secret_keys, project)
    settings, problems = _read(values, stack, own_secret_keys)
    if stack != LOCAL_STACK and not values.get("publicUrl"):
        problems = [_no_public_url(stack), *(one for one in problems if one.key != "publicUrl")]
    is_secret = frozenset(secret_keys).__contains__
    problems += providers.unknown_keys(stored, project) + providers.plain_secrets(stored, is_secret)
    problems += providers.docker_problems(stored, is_secret)
    if values.get("dnsZone"):
        problems += providers.cloudflare_problems(stored)
    if problems:
        raise SettingsError(stack, project, problems)
    options = providers.docker_options(stored)
    return dataclasses.replace(
        settings,
        docker_url=options.pop("host", DEFAULT_DOCKER_URL),
        docker=options,
        docker_secrets=providers.docker_secrets(is_secret),
    )


def misplaced(stored: Mapping[str, str], secret_keys: Collection[str], project: str) -> list[Problem]:
    """Keys that do not exist, and secrets in plain text: what has to leave a stack file whatever else holds.

    Args:
        stored: configuration values by key, with namespace.
        secret_keys: those of them that are encrypted.
        project: the project's own namespace.
    """
    own = _misplaced(*_without_namespace(stored, secret_keys, project))
    is_secret = frozenset(secret_keys).__contains__
    return own + providers.unknown_keys(stored, project) + providers.plain_secrets(stored, is_secret)


def value_problems(stored: Mapping[str, str], secret_keys: Collection[str], project: str) -> list[Problem]:
    """What is wrong with values each by itself: for one that is set before the others that it needs.

    Args:
        stored: configuration values by key, with namespace.
        secret_keys: those of them that are to be encrypted.
        project: the project's own namespace.
    """
    _, problems = _fields(*_without_namespace(stored, secret_keys, project))
    is_secret = frozenset(secret_keys).__contains__
    problems += providers.unknown_keys(stored, project) + providers.plain_secrets(stored, is_secret)
    return problems + providers.docker_problems(stored, is_secret)


def _without_namespace(
    stored: Mapping[str, str], secret_keys: Collection[str], project: str
) -> tuple[dict[str, str], set[str]]:
    """The project's own values and secret keys."""
    prefix = f"{project}:"
    values = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    return values, {name.removeprefix(prefix) for name in secret_keys if name.startswith(prefix)}


def _read(values: Mapping[str, str], stack: str, secret_keys: Collection[str]) -> tuple[Settings, list[Problem]]:
    """The settings, and all that is wrong with them."""
    fields, problems = _fields(values, secret_keys)
    settings = Settings(stack=stack, **fields)
    rejected = {key.name for key in KEYS.values() if fields.get(key.attribute) is REJECTED}
    directory = settings.branding_dir
    if directory is not None and directory is not REJECTED:
        try:
            settings = dataclasses.replace(settings, branding=branding.read(directory))
        except branding.Unusable as error:
            problems += [_branding(directory, fault) for fault in error.faults]
    problems += [problem for problem in rules.problems(settings) if problem.key not in rejected]
    return settings, problems


def _fields(values: Mapping[str, str], secret_keys: Collection[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Each value by its attribute of `Settings`, and what is wrong with it whatever the others are."""
    problems = _misplaced(values, secret_keys)
    plain = {problem.key for problem in problems}
    fields: dict[str, Any] = {}
    for key in KEYS.values():
        text = values.get(key.name, "")
        if not isinstance(text, str) or not text:
            continue
        try:
            if key.structured:
                fields[key.attribute] = _variables(key, text, encrypted=key.name in secret_keys)
            elif not key.secret:
                if key.name in secret_keys:
                    raise Invalid("plain text", example="VALUE", reason=_NO_SECRET)
                fields[key.attribute] = key.check(_plain_text(text))
            else:
                unseen = text == ENCRYPTED or key.name in plain
                fields[key.attribute] = Secret(None if unseen else key.check(_plain_text(text)))
        except Invalid as invalid:
            fields[key.attribute] = REJECTED
            if invalid.parts:
                problems += [_part(key, path, part) for path, part in invalid.parts]
                continue
            hidden = key.secret or key.name in secret_keys
            given = None if hidden else invalid.given or repr(text)
            problems.append(
                Problem(
                    key.name,
                    given,
                    invalid.allowed,
                    invalid.example,  # never the default, which is not what was meant
                    secret=key.secret,
                    remove=invalid.remove,
                    reason=invalid.reason,
                )
            )
    return fields, problems


def _variables(key: Key, text: str, *, encrypted: bool) -> tuple[Variable, ...]:
    """The variables of `environment`, secret where one of them is encrypted: the engine does not say which.

    The tools beside it do. Raises Invalid, with a part for each that is plain and should not be, or the other way round.
    """
    found: tuple[Variable, ...] = key.check(text)
    told = any(one.value == HIDDEN for one in found)
    parts = []
    for one in found:
        is_plain = not encrypted or (told and one.value != HIDDEN)
        refused = refusal(one.service, one.name)
        if refused is not None and refused.certain:
            continue  # which a rule says
        if is_secret(one.name) and is_plain:
            parts.append((one.key, Invalid("an encrypted value", given="", reason="a secret in plain text")))
        elif told and one.value == HIDDEN and not is_secret(one.name):
            parts.append((one.key, Invalid("plain text", given="", reason=_NO_SECRET)))
    if parts:
        raise Invalid(parts[0][1].allowed, parts=tuple((path.partition(".")[2], part) for path, part in parts))
    if not encrypted:
        return found
    return tuple(
        dataclasses.replace(one, value=Secret(None if one.value == HIDDEN else str(one.value))) for one in found
    )


def _part(key: Key, path: str, invalid: Invalid) -> Problem:
    """The problem of one value in a map; none is repeated, since what is in there may be a secret."""
    return Problem(
        f"{key.name}.{path}",
        None,
        invalid.allowed,
        invalid.example,
        secret=is_secret(path.rpartition(".")[2]),
        path=True,
        remove=invalid.remove,
        reason=invalid.reason,
    )


def _branding(directory: str, fault: branding.Fault) -> Problem:
    """The problem of a file in the directory, or of the directory itself."""
    removed = is_off(directory)
    place = "/".join(filter(None, (directory.rstrip("/"), fault.name)))
    step = f"change {shell([place])}" if fault.name is not None else ""
    return Problem("brandingDir", repr(directory), fault.allowed, example="DIRECTORY", remove=removed, step=step)


def _plain_text(text: str) -> str:
    """The text, unless it is a list or map, which the engine hands over as JSON. Raises Invalid."""
    if text[0] in "[{":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(value, list | dict):
            raise Invalid(f"text, not a {'list: write a,b' if isinstance(value, list) else 'map'}", example="VALUE")
    return text


def _misplaced(values: Mapping[str, str], secret_keys: Collection[str]) -> list[Problem]:
    """Keys of the project that do not exist, and secrets in plain text."""
    plain = [key.name for key in KEYS.values() if key.secret and key.name not in secret_keys and values.get(key.name)]
    unknown = [_unknown(name, values, secret_keys) for name in sorted(values) if name not in KEYS]
    return unknown + [providers.plain_text(name) for name in plain]


def _no_public_url(stack: str) -> Problem:
    """The problem of a stack whose file is missing or renamed, of which the engine says nothing: it hands over no value."""
    reason = f"required for every stack but {LOCAL_STACK}; Pulumi.{stack}.yaml is missing or does not set it"
    return Problem("publicUrl", None, "https://HOST or https://HOST:PORT", example="https://HOST", reason=reason)


def _unknown(name: str, values: Mapping[str, str], secret_keys: Collection[str]) -> Problem:
    """The problem of a key that does not exist, with the nearest one that does, which keeps the value where it takes it."""
    meant = nearest(name)
    hint = f"did you mean {meant}?" if meant else "see docs/settings.md for the list of keys"
    renamed = meant if meant and name not in secret_keys and _takes(meant, values, values[name]) else ""
    example = values[name] if renamed else ""
    return Problem(name, None, example=example, reason=f"no such key; {hint}", remove=True, renamed=renamed)


def _takes(name: str, values: Mapping[str, str], text: str) -> bool:
    """Whether a key that is not set yet, and no secret, could have this value."""
    key = KEYS[name]
    if name in values or key.secret or key.structured or not isinstance(text, str) or not text or masked(text) != text:
        return False
    try:
        key.check(_plain_text(text))
    except Invalid:
        return False
    return True
