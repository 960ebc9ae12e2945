"""The Docker provider's arguments from the configuration."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi

from components import providers


def test_the_host_stays_readable_and_key_material_is_sealed() -> None:
    stored = {"docker:host": "tcp://192.0.2.9:2376", "docker:keyMaterial": "a-key", "docker:sshOpts": '["-p", "22"]'}
    encrypted = ("docker:host", "docker:keyMaterial")

    async def in_a_loop() -> dict[str, Any]:
        return providers.docker_options(stored, encrypted.__contains__)

    options = asyncio.run(in_a_loop())
    assert options["host"] == "tcp://192.0.2.9:2376"
    assert options["ssh_opts"] == ["-p", "22"]
    assert isinstance(options["key_material"], pulumi.Output)
