"""Credentials component: every secret of the stack, generated or the operator's own.

Owns the passwords and the JWT key. Does not own the password of a broker elsewhere, which is the operator's. A
generated value stays the same for the life of the stack: the arguments below are frozen, since a change of them makes a
new value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_random as random

from components.config.keys import Secret
from components.config.settings import Settings

PASSWORDS: Final = (
    "jicofo_component_secret",
    "jicofo_auth_password",
    "jvb_auth_password",
    "jigasi_xmpp_password",
    "jibri_recorder_password",
    "jibri_xmpp_password",
)
"""Attributes of Settings; 32 hexadecimal digits (128 bits) each, as `openssl rand -hex 16` gives."""
RABBIT_PASSWORD: Final = "rabbit_password"
"""The embedded broker's; that of a broker elsewhere is always the operator's."""
TURN_SECRET: Final = "turn_secret"
JWT_SECRET: Final = "jwt_app_secret"
"""64 hexadecimal digits: 256 bits."""


class Credentials(pulumi.ComponentResource):
    """The six passwords and the JWT key as secret Outputs."""

    values: Mapping[str, pulumi.Output[str]]
    """By attribute name of Settings, such as `jvb_auth_password`."""

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("videobackend:index:Credentials", name, None, opts)
        lengths = {**dict.fromkeys(PASSWORDS, 32), JWT_SECRET: 64}
        if settings.turn is not None:
            lengths[TURN_SECRET] = 32
        if settings.embedded_broker:
            lengths[RABBIT_PASSWORD] = 32
        self.values = {which: self._value(name, settings, which, length) for which, length in lengths.items()}
        self.register_outputs({})

    def _value(self, name: str, settings: Settings, which: str, length: int) -> pulumi.Output[str]:
        own: Secret | None = getattr(settings, which)
        if own is not None:
            return own.output()
        generated = random.RandomPassword(
            f"{name}-{which.replace('_', '-')}",
            length=length,
            lower=False,
            upper=False,
            numeric=True,
            special=True,
            override_special="abcdef",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(generated.result)
