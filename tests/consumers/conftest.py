"""What Debian has of the consumers, or a reason to skip. All but the engine's tests belong to the tier `servers`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TRIXIE = Path(os.environ.get("PROSODY_CHROOT", "/opt/trixie"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("engine") is None:
            item.add_marker(pytest.mark.servers)


@pytest.fixture
def run() -> Callable[..., str]:
    """Runs a program with a text as its input; its output. Skips where the program is missing."""

    def one(*command: str, given: str = "") -> str:
        if shutil.which(command[0]) is None:
            pytest.skip(f"no {command[0]} on PATH")
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"
        return done.stdout

    return one


@pytest.fixture
def trixie() -> Path:
    """An installed Debian trixie, the images' base."""
    if not (TRIXIE / "usr/share/zoneinfo").is_dir():
        pytest.skip(f"no Debian trixie at {TRIXIE} (PROSODY_CHROOT)")
    return TRIXIE
