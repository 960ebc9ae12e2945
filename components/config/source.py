"""The configuration of the stack that the program runs for. The one module here that imports Pulumi.

Reads what the engine has and hands it to `load`. Judges nothing itself.
"""

from __future__ import annotations

import pulumi
from pulumi.runtime import config as pulumi_config

from components.config.load import load_all
from components.config.problems import SettingsError
from components.config.settings import Settings


class ConfigurationError(SettingsError, pulumi.RunError):
    """A SettingsError as the engine meets it: Pulumi shows a RunError's text without a traceback."""


def read() -> Settings:
    """The stack's settings. Raises ConfigurationError with every problem."""
    project, stack = pulumi.get_project(), pulumi.get_stack()
    stored = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    secret_keys = {name for name in stored if pulumi_config.is_config_secret(name)}
    try:
        return load_all(stored, stack=stack, secret_keys=secret_keys, project=project)
    except SettingsError as error:
        raise ConfigurationError(stack, project, error.problems) from None
