"""Credentials component: every secret of the stack, generated or the operator's own.

Owns how a value is generated. Does not own which there are (`stack.credentials`). A generated value stays the same for the life of
the stack: the arguments below are frozen, since a change of them makes a new value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pulumi
import pulumi_random as random

from components.stack.credentials import Credential


class Credentials(pulumi.ComponentResource):
    """The passwords and keys as secret Outputs."""

    values: Mapping[str, pulumi.Output[str]]
    """By their names, such as `jvb_auth_password`."""

    def __init__(self, name: str, wanted: Iterable[Credential], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("videobackend:index:Credentials", name, None, opts)
        self.values = {one.name: self._value(name, one) for one in wanted}
        self.register_outputs({})

    def _value(self, name: str, wanted: Credential) -> pulumi.Output[str]:
        if wanted.own is not None:
            return pulumi.Output.secret(wanted.own.reveal())
        generated = random.RandomPassword(
            f"{name}-{wanted.name.replace('_', '-')}",
            length=wanted.length,
            lower=False,
            upper=False,
            numeric=True,
            special=True,
            override_special="abcdef",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(generated.result)
