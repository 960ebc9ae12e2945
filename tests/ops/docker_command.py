"""The Docker host in tests of the checks before an `up`, and what these say when they refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from components.config.settings import Settings
from ops.errors import OpsError
from tests.values import load

Docker = Callable[[str], None]


def refused(check: Callable[[], object]) -> str:
    with pytest.raises(OpsError) as caught:
        check()
    text = str(caught.value)
    assert "\n" not in text
    return text


def at_host(host: str) -> Settings:
    """Settings of a stack on this Docker host."""
    return dataclasses.replace(load(), docker_url=host)
