"""The environment variables that the Jitsi images read, from a checkout of docker-jitsi-meet, as a table of names.

    python3 -m ops.image_variables CHECKOUT

Owns what counts as read: names that the templates below `SERVICE/rootfs/defaults` take from the environment, and those
that the start scripts use before they set them. Does not own what the names mean here
(`components.config.tables.image_variables`). Fetches nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from components.config.tables.image_variables import SERVICES, TABLE

_OF_TEMPLATES: Final = re.compile(r"(?:\.Env|\$ENV)\.([A-Z][A-Z0-9_]*)")
_USED: Final = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)")
_SET: Final = re.compile(r"(?:^|\s)([A-Z][A-Z0-9_]*)=")
_OF_SCRIPTS_ALONE: Final = frozenset(("CONFIG", "JIBRI_WEBHOOK_SUBSCRIBERS", "SENTRY_RELEASE"))
"""Stands in a message of theirs, or is handed to what no stack has."""
_OF_PACKAGES: Final = {
    "web": ("TZ",),
    "prosody": ("TZ",),
    "jicofo": ("TZ", "JAVA_SYS_PROPS", "JICOFO_MAX_MEMORY"),
    "jvb": ("TZ", "VIDEOBRIDGE_MAX_MEMORY"),
}
"""What the C library, the JDK and the start scripts of Jitsi's Debian packages read, which a checkout does not have."""


def read_by(checkout: Path, service: str) -> set[str]:
    """The names that a service's image reads. Raises OSError where the checkout does not have it."""
    root = checkout / service / "rootfs"
    found = set(_OF_PACKAGES[service])
    for text in _texts(root / "defaults"):
        found.update(_OF_TEMPLATES.findall(text))
    for text in _texts(root / "etc" / "s6-overlay"):
        found |= _used_by_script(text) - _OF_SCRIPTS_ALONE
    return found


def _texts(directory: Path) -> Iterator[str]:
    if not directory.is_dir():
        raise FileNotFoundError(directory)
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def _used_by_script(text: str) -> set[str]:
    """What a script uses before it sets it itself."""
    used: set[str] = set()
    own: set[str] = set()
    for line in text.splitlines():
        code = "" if line.lstrip().startswith("#") else line
        used.update(name for name in _USED.findall(code) if name not in own)
        own.update(_SET.findall(code))
    return used


def table(checkout: Path, release: str) -> str:
    """The table as it is committed."""
    lines = ["# Written by python3 -m ops.image_variables: the variables that the Jitsi images read, names alone."]
    lines.append(f'release = "{release}"')
    for service in SERVICES:
        names = textwrap.fill(" ".join(sorted(read_by(checkout, service))), 118, break_on_hyphens=False)
        lines.append(f'{service} = """\n{names}\n"""')
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Writes the table from the checkout that is named. 2 where it is none, or at no release."""
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    checkout = Path(words[0])
    describe = ["git", "-C", str(checkout), "describe", "--tags", "--exact-match", "--match", "stable-*"]
    try:
        release = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
        text = table(checkout, release)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{checkout} is no checkout of docker-jitsi-meet at a tag stable-...: {error}", file=sys.stderr)
        return 2
    TABLE.write_text(text, encoding="utf-8")
    print(f"{TABLE.name}: {release}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
