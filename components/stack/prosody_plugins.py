"""Our Prosody modules as files for the prosody container.

Owns which files go where. The modules themselves are in prosody/plugins, each with its own description.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from components.stack import topology
from components.stack.spec import FileSpec

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "prosody" / "plugins"


@cache
def files() -> tuple[FileSpec, ...]:
    """Every Lua file of prosody/plugins, put where the image looks first."""
    sources = sorted(DIRECTORY.glob("*.lua"))
    return tuple(FileSpec(path=f"{topology.PROSODY_PLUGINS}/{one.name}", content=one.read_text()) for one in sources)
