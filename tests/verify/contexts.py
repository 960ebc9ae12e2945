"""Contexts of a stack that is described by outputs alone, for checks that are judged with no server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from tests.verify.outputs import outputs

T = TypeVar("T")


def context(port: int = 8443, address: str | None = None, **changes: Any) -> Context:
    return Context(DeployedStack.of(outputs(port, **changes)), address)


def with_facts(**facts: dict[str, Any]) -> Context:
    return context(facts=facts)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
