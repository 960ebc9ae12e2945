"""The configuration of the stack that the program runs for. The one module here that imports Pulumi.

Reads what the engine has and hands it to `load`; of an `up` it refuses the documentation's examples. Judges nothing else
itself.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

import pulumi
from pulumi.runtime import config as pulumi_config

from components.config import examples
from components.config.addresses import parse_ip
from components.config.load import load_all
from components.config.problems import Problem, SettingsError
from components.config.settings import Settings


class ConfigurationError(SettingsError, pulumi.RunError):
    """A SettingsError as the engine meets it: Pulumi shows a RunError's text without a traceback."""


def read() -> Settings:
    """The stack's settings. Raises ConfigurationError with every problem; in an `up` examples are one.

    A preview warns of examples.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    stored = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    secret_keys = {name for name in stored if pulumi_config.is_config_secret(name)}
    found = _examples(stored, project, secret_keys)
    preview = pulumi.runtime.is_dry_run()
    problems = [] if preview else found
    try:
        settings = load_all(stored, stack=stack, secret_keys=secret_keys, project=project)
    except SettingsError as error:
        known = {one.key for one in error.problems}
        problems = [*error.problems, *(one for one in problems if one.key not in known)]
        raise ConfigurationError(stack, project, problems) from None
    if problems:
        raise ConfigurationError(stack, project, problems)
    for one in found:
        pulumi.log.warn(examples.warning(one))
    return settings


def _examples(stored: Mapping[str, str], project: str, secret_keys: Collection[str]) -> list[Problem]:
    """Examples of the documentation, but for an address that this machine has."""
    return [
        one
        for one in examples.examples(stored, project, secret_keys)
        if one.key != "dockerHostAddress" or not _is_here(str(one.given).strip("'"))
    ]


def _is_here(text: str) -> bool:
    ip = parse_ip(text.partition("#")[0])
    family = socket.AF_INET6 if ip is not None and ip.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True
