"""Timing of two commands against each other, and the machine they ran on."""

from __future__ import annotations

import datetime
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Unavailable(Exception):
    """Why a figure cannot be measured here."""


@dataclass(frozen=True)
class Figure:
    """A ratio of two medians and its target; `reason` where it was not measured."""

    name: str
    target: float
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """The median of ours over the median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs) if self.ours else None

    @property
    def reached(self) -> bool | None:
        """Whether the ratio is within the target; None where it was not measured."""
        return None if self.ratio is None else self.ratio <= self.target

    def as_dict(self) -> dict[str, Any]:
        """All of it, seconds rounded to milliseconds."""
        shown: dict[str, Any] = {"name": self.name, "target": self.target}
        if self.ratio is None:
            return {**shown, "not_measured": self.reason}
        return {
            **shown,
            "ratio": round(self.ratio, 3),
            "reached": self.reached,
            "ours_seconds": [round(one, 3) for one in self.ours],
            "theirs_seconds": [round(one, 3) for one in self.theirs],
        }


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(name: str, target: float, pairs: int, ours: Callable[[], float], theirs: Callable[[], float]) -> Figure:
    """Measures both by turns, so that a busy moment of the machine meets both. Each returns its seconds."""
    taken = [(ours(), theirs()) for _ in range(pairs)]
    return Figure(name, target, tuple(one for one, _ in taken), tuple(other for _, other in taken))


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _field("/proc/cpuinfo", r"model name\s*: (.+)") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": _field("/etc/os-release", r'PRETTY_NAME="?([^"\n]+)') or platform.platform(),
        "python": platform.python_version(),
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def _field(file: str, pattern: str) -> str:
    path = Path(file)
    found = re.search(pattern, path.read_text(encoding="utf-8")) if path.is_file() else None
    return found[1].strip() if found else ""
