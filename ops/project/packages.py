"""Which packages a stack needs besides those that every stack does.

Owns that question alone; installs nothing (`ops.environment`). Runs within the environment that is being made, so
that a stack file is read as the engine reads it: flow style, quotes and YAML's escapes included.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ops.errors import OpsError
from ops.project import stackfile


def needs_dns(stack: str, root: Path = stackfile.ROOT) -> bool:
    """Whether the stack has, or may have, DNS records: a value of `dnsZone`, or an `environment`, whose values only
    the engine can see. False for a stack file that cannot be read: the command that follows says why.
    """
    try:
        project = stackfile.read_project(root)
        tracked = stackfile.path_of(stack, root)
        own = root / stackfile.LOCAL / tracked.name
        contents = [stackfile.read(path) for path in (tracked, own) if path.is_file()]
        key = stackfile.full_key("dnsZone", str(project["name"]))
        return any(
            content.get("environment") or stackfile.engine_config(content, project).values.get(key)
            for content in contents
        )
    except OpsError:
        return False


def main(stacks: Sequence[str]) -> int:
    """`python -m ops.project.packages STACK ...`: prints the name of each group of pyproject.toml that they need."""
    if any(map(needs_dns, stacks)):
        print("dns")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
