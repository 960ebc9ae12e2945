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


_VIDEO_SERVICE: Final = frozenset({"mod_stop_calls.lua"})
"""Of no use without a VideoService; so what changes in them replaces no container there."""


@cache
def files(*, video_service: bool) -> tuple[FileSpec, ...]:
    """The Lua files of prosody/plugins, put where the image looks first.

    Args:
        video_service: whether a VideoService is told of a call's end.
    """
    sources = sorted(one for one in DIRECTORY.glob("*.lua") if video_service or one.name not in _VIDEO_SERVICE)
    return tuple(FileSpec(path=f"{topology.PROSODY_PLUGINS}/{one.name}", content=one.read_text()) for one in sources)
