"""The files of the embedded state, as the engine's file backend lays them out (pulumi, pkg/backend/diy).

Owns reading what the engine has recorded of a stack, what to do about a file that is broken, the locks of runs that are
gone, and how much of the past is kept. Writes no state itself: that is the engine's.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.errors import OpsError
from ops.project import stackfile
from ops.project.state import StackState

KEPT: Final = 20
"""So many earlier updates, and as many backups, stay in `.local/`."""
CONTAINER: Final = "docker:index/container:Container"
NETWORK: Final = "docker:index/network:Network"
VOLUME: Final = "docker:index/volume:Volume"


@dataclass(frozen=True)
class Recorded:
    """One resource that the engine has recorded."""

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The physical name of a container, network or volume."""
        return str(self.outputs.get("name") or self.inputs.get("name") or "")


@dataclass(frozen=True)
class Deployment:
    """What the engine has recorded of a stack.

    Args:
        resources: those that are made.
        pending: URNs of those that it was about to make when it was ended.
    """

    resources: tuple[Recorded, ...] = ()
    pending: frozenset[str] = frozenset()

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> Deployment:
        """From the JSON of a checkpoint, or of `pulumi stack export`."""
        resources = tuple(
            Recorded(
                one["urn"], one.get("type", ""), one.get("id", ""), one.get("inputs") or {}, one.get("outputs") or {}
            )
            for one in deployment.get("resources") or ()
        )
        operations = deployment.get("pending_operations") or ()
        return cls(resources, frozenset(one["resource"]["urn"] for one in operations))

    def of_type(self, kind: str) -> Iterator[Recorded]:
        return (one for one in self.resources if one.type == kind)


def recorded(stack_state: StackState) -> Deployment:
    """What the embedded state has of the stack. Raises OpsError where its file is broken."""
    path = stack_state.checkpoint
    if not path.exists():
        return Deployment()
    try:
        return Deployment.of(_latest(path))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OpsError(_broken(stack_state)) from None


def is_empty(stack_state: StackState) -> bool:
    """Whether the embedded state holds no resource of the stack. Raises OpsError where its file is broken."""
    return not recorded(stack_state).resources


def _latest(path: Path) -> Mapping[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    latest: Mapping[str, Any] = content["checkpoint"].get("latest") or {}
    return latest


def _broken(stack_state: StackState) -> str:
    """What to say of a checkpoint that cannot be read: the newest copy that can be, and the command that takes it."""
    root, path = stack_state.root, stack_state.checkpoint
    shown = path.relative_to(root)
    for copy in [path.with_suffix(".json.bak"), *sorted(_folder(stack_state, "backups").glob("*.json"), reverse=True)]:
        try:
            count = len(_latest(copy).get("resources") or ())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        command = shlex.join(["cp", str(copy.relative_to(root)), str(shown)])
        return (
            f"{shown} is broken (cut short, or not the engine's); nothing was changed. The copy from before the last "
            f"change has {count} resources: {command}"
        )
    return (
        f"{shown} is broken (cut short, or not the engine's), and there is no copy of it in {shown.parent}; nothing was "
        f"changed. Put it back from a backup of {stackfile.LOCAL}/"
    )


def _folder(stack_state: StackState, kind: str) -> Path:
    """Where the file backend keeps `history` and `backups` of the stack, or its `locks`."""
    project = str(stackfile.read_project(stack_state.root)["name"])
    where = stack_state.state / ".pulumi" / kind
    return (where / "organization" if kind == "locks" else where) / project / stack_state.stack


def release_locks(stack_state: StackState) -> list[str]:
    """Removes the locks of engines that no longer run; what was removed, for the operator to read.

    Raises:
        OpsError: where another engine works on the stack.
    """
    released = []
    for lock in sorted(_folder(stack_state, "locks").glob("*.json")):
        try:
            holder = json.loads(lock.read_text(encoding="utf-8"))
            pid, host = int(holder["pid"]), str(holder["hostname"])
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            pid, host = 0, socket.gethostname()
        if host != socket.gethostname():
            where = lock.relative_to(stack_state.root)
            raise OpsError(
                f"stack {stack_state.stack!r} is locked by a run on another machine ({host}): wait until it is done; if "
                f"it is gone: {shlex.join(['rm', str(where)])}"
            )
        if _is_engine(pid):
            raise OpsError(
                f"another run works on stack {stack_state.stack!r} (process {pid}): wait until it is done, or stop it: "
                f"kill -INT {pid}"
            )
        lock.unlink(missing_ok=True)
        lock.with_suffix(".json.attrs").unlink(missing_ok=True)
        released.append(f"an earlier run was ended before it was done (process {pid}): its lock is removed")
    return released


def _is_engine(pid: int) -> bool:
    """Whether the process runs and is a Pulumi CLI: a number is given out again. Where that is not told, whether it runs."""
    if pid <= 0 or not _runs(pid):
        return False
    try:
        return b"pulumi" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def prune(stack_state: StackState) -> None:
    """Forgets all but the latest updates and backups, which would grow by half a megabyte with each command."""
    for kind in ("history", "backups"):
        files = sorted(_folder(stack_state, kind).glob("*.json*"), key=_moment)
        moments = sorted({_moment(one) for one in files})
        for one in files:
            if _moment(one) in moments[:-KEPT]:
                one.unlink(missing_ok=True)


def _moment(file: Path) -> int:
    """The nanoseconds in the names of the file backend: STACK-NUMBER.history.json, STACK.NUMBER.json."""
    numbers = [part for part in file.name.replace("-", ".").split(".") if part.isdecimal()]
    return int(numbers[-1]) if numbers else 0
