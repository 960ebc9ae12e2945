"""The machine's own copy of the stack file, which the engine gets with the embedded state.

The engine writes the salt of the passphrase, and every `config set`, into the stack file. So that a tracked file
stays as it is, the engine gets a copy of it, `.local/Pulumi.<stack>.yaml`. Before each command the copy takes over
what changed in the tracked file since the last time; what was set on this machine stays.

Owns what is in the copy and what was detected on this machine. Where the files lie is `state`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ops.project import scalars, stackfile
from ops.project.state import BACKEND_SECRETS, StackState, make_directory, write_whole

_HEADER: Final = (
    "# Made by make from {tracked} and what was set on this machine.\n"
    "# Edit {tracked}, or: make config STACK={stack} ARGS='set KEY VALUE'\n"
)
_ABSENT: Final = object()


def merge(
    tracked: Mapping[str, Any], base: Mapping[str, Any], copy: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The copy's next configuration, and the keys whose local value gives way.

    A key that changed in the tracked file since the last time comes from there; any other keeps what the copy has,
    so that what was set or removed on this machine stays. So does a value of this machine's own whose key left the
    tracked file: a secret that stood there in plain text is set here first, and removed there then.

    Args:
        tracked: configuration of the tracked file now, keys with namespace.
        base: the same when the copy was last made.
        copy: configuration of the copy.
    """
    merged: dict[str, Any] = {}
    dropped = []
    for key in dict.fromkeys([*tracked, *base, *copy]):
        now, before, here = (one.get(key, _ABSENT) for one in (tracked, base, copy))
        own = here is not _ABSENT and not same(here, before)
        value = here if same(now, before) or (own and now is _ABSENT) else now
        if value is not _ABSENT:
            merged[key] = value
        if not same(here, before) and not same(here, value):
            dropped.append(key)
    return merged, sorted(dropped)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the engine, which writes 8000 back as "8000"."""
    if _ABSENT in (one, other):
        return one is other
    texts = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in (one, other)]
    return texts[0] == texts[1]


def with_local_secrets(stack_state: StackState, tracked: Mapping[str, Any]) -> dict[str, Any]:
    """The tracked file's content, and secrets that were set on this machine alone, for a plan to count as present."""
    if not (stack_state.embedded and stack_state.config_file.exists()):
        return dict(tracked)
    project = stackfile.read_project(stack_state.root)["name"]
    copy = stackfile.namespaced(stackfile.read(stack_state.config_file), project)
    secret = {key: value for key, value in copy.items() if stackfile.has_secret(value)}
    return {**tracked, "config": {**secret, **stackfile.namespaced(tracked, project)}}


def own_plain_keys(stack_state: StackState) -> list[str]:
    """Keys of plain settings that `make config` set or removed on this machine, beside what make detected itself."""
    if not (stack_state.embedded and stack_state.config_file.exists()):
        return []
    project = stackfile.read_project(stack_state.root)["name"]
    tracked = stackfile.namespaced(stackfile.read(stack_state.tracked), project)
    content, _ = next_copy(stack_state)
    here, detected = content["config"], detected_values(stack_state)
    return [
        key.removeprefix(f"{project}:")
        for key in dict.fromkeys([*tracked, *here])
        if not same(tracked.get(key, _ABSENT), here.get(key, _ABSENT))
        and not stackfile.has_secret(here.get(key))
        and detected.get(key.removeprefix(f"{project}:")) != here.get(key, "")
    ]


def next_copy(stack_state: StackState) -> tuple[dict[str, Any], list[str]]:
    """Content of the copy as it has to be now, and the keys whose local value gave way to the tracked file's."""
    project = stackfile.read_project(stack_state.root)["name"]
    tracked = stackfile.read(stack_state.tracked)
    copy = stackfile.read(stack_state.config_file) if stack_state.config_file.exists() else {}
    base = stackfile.read(stack_state.base) if copy and stack_state.base.exists() else {}
    tracked_config, base_config, copy_config = (stackfile.namespaced(one, project) for one in (tracked, base, copy))
    config, dropped = merge(tracked_config, base_config, copy_config)
    own: dict[str, Any] = {key: copy[key] for key in BACKEND_SECRETS if key in copy}
    return {**tracked, **own, "config": config}, dropped


def write_copy(stack_state: StackState, content: Mapping[str, Any]) -> None:
    """Writes the copy, and remembers the tracked configuration that went into it."""
    make_directory(stack_state)
    project = stackfile.read_project(stack_state.root)["name"]
    header = _HEADER.format(tracked=stack_state.tracked.name, stack=stack_state.stack)
    base = {"config": stackfile.namespaced(stackfile.read(stack_state.tracked), project)}
    for path, text in (
        (stack_state.config_file, header + scalars.dump(dict(content))),
        (stack_state.base, scalars.dump(base)),
    ):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)


def detected_values(stack_state: StackState) -> dict[str, str]:
    """What make detected on this machine at an earlier `up`, by key; nothing where that cannot be read."""
    try:
        content = json.loads(stack_state.detected.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def keep_detected(stack_state: StackState, detected: Mapping[str, str]) -> None:
    """Remembers what was detected, so that it can be told from what was set."""
    make_directory(stack_state)
    write_whole(stack_state.detected, json.dumps(dict(detected)) + "\n")
