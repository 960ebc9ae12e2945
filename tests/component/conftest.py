"""The scenarios, each as a recording of what the program registers."""

from __future__ import annotations

import pytest

from tests.component.recorder import (
    SCENARIOS,
    Recording,
    scenario,
)


@pytest.fixture(params=SCENARIOS)
def recording(request: pytest.FixtureRequest) -> Recording:
    return scenario(request.param)
