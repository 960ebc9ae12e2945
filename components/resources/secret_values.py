"""Secret values: what a SecretRef or SecretText of a blueprint stands for, as Outputs marked secret.

Owns how a container's environment and files become what a resource takes. Does not own where they go (`docker_host`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.stack.spec import ContainerSpec, SecretRef, SecretText

Secrets = Mapping[str, pulumi.Output[str]]
"""By name, each marked secret."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A container's environment and files with values in place of the secrets' names."""

    environment: Sequence[tuple[str, pulumi.Input[str]]]
    """By name, sorted."""
    files: Sequence[tuple[str, pulumi.Input[str] | bytes]]
    """By path, in the order of the spec."""


def resolve_container(spec: ContainerSpec, secrets: Secrets) -> Resolved:
    """What of the container may hold secrets, as resources take it."""
    return Resolved(
        environment=[(name, resolve(value, secrets)) for name, value in sorted(spec.environment.items())],
        files=[
            (file.path, file.content if isinstance(file.content, bytes) else resolve(file.content, secrets))
            for file in spec.files
        ],
    )


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
