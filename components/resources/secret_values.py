"""Secret values: what a SecretRef or SecretText of a blueprint stands for, as Outputs marked secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.stack.spec import SecretRef, SecretText

Secrets = Mapping[str, pulumi.Output[str]]
"""By name, each marked secret."""


def resolve(value: str | SecretRef | SecretText, secrets: Secrets) -> pulumi.Input[str]:
    """A value of a spec as a resource takes it. Plain text stays plain, so that previews show it."""
    if isinstance(value, SecretRef):
        return secrets[value.name]
    if isinstance(value, SecretText):
        parts = pulumi.Output.all(*(secrets[name] for name in value.made_from))
        return pulumi.Output.secret(parts.apply(lambda plain: value.render(*plain)))
    return value


def resolve_output(value: Any, secrets: Secrets) -> pulumi.Input[Any]:
    """A stack output: secret as a whole where there is a secret in it."""
    if isinstance(value, SecretRef | SecretText):
        return resolve(value, secrets)
    if isinstance(value, Mapping) and any(isinstance(item, SecretRef | SecretText) for item in value.values()):
        return pulumi.Output.secret({name: resolve_output(item, secrets) for name, item in value.items()})
    return value
