"""From a clone to the first plan with nothing cached: by this checkout's `make`, and by pip as it was before uv.

Owns the two clones and their empty caches. The second is of the last commit that set up by pip; a shallow clone does
not have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.measure import Figure, Unavailable, interleaved, seconds
from ops.project.stackfile import ROOT

FIRST_PLAN: Final = ("clone to first plan / the same by pip", 0.25)
_BY_PIP: Final = "f6a3dd9"
_PLAN: Final = ("make", "plan", "STACK=dev")


def first_plan(pairs: int) -> Figure:
    """Seconds of `git clone` and `make plan STACK=dev`, the packages fetched anew each time."""
    try:
        for program in ("git", "make"):
            if not shutil.which(program):
                raise Unavailable(f"{program} is not on PATH")
        if _git("cat-file", "-e", f"{_BY_PIP}^{{commit}}"):
            raise Unavailable(f"this clone does not have {_BY_PIP}, the last commit that set up by pip")
        return interleaved(*FIRST_PLAN, pairs, _timed("HEAD"), _timed(_BY_PIP))
    except Unavailable as reason:
        return Figure(*FIRST_PLAN, reason=str(reason))


def _git(*arguments: str) -> int:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).returncode


def _timed(commit: str) -> Callable[[], float]:
    def measured() -> float:
        with tempfile.TemporaryDirectory(prefix="videobackend-bench-") as temporary:
            return seconds(lambda: _clone_and_plan(commit, Path(temporary)))

    return measured


def _clone_and_plan(commit: str, folder: Path) -> None:
    clone = folder / "clone"
    environment = {
        **os.environ,
        "PATH": _path_without_uv(),
        "UV_CACHE_DIR": str(folder / "uv"),
        "PIP_NO_CACHE_DIR": "1",
    }
    for command, where in (
        (["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(clone)], folder),
        (["git", "checkout", "--quiet", "--detach", commit], clone),
        (list(_PLAN), clone),
    ):
        run = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        if run.returncode:
            errors = run.stderr.strip().splitlines()
            raise Unavailable(f"{' '.join(command[:2])} at {commit}: {errors[-1] if errors else run.returncode}")


def _path_without_uv() -> str:
    """PATH as on a machine with Python alone."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(one for one in folders if not Path(one, "uv").exists())
