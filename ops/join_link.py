"""`python -m ops token`: a join link for one room, signed with the stack's own key; for trying out and for support.

Owns the bounds of such a link and its warning. How a token is made is `verify.jwt`'s business.
"""

from __future__ import annotations

import re
import sys
import time
from typing import Final

from ops.errors import OpsError
from ops.project.fixes import make
from ops.verify import deployed, jwt
from ops.verify.deployed import DeployedStack

_LONGEST: Final = 24 * 3600
_SHORTEST: Final = 60
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SECONDS: Final = 30.0
"""How long the engine may take to tell the outputs."""


def run(stack: str, *, room: str, moderator: bool, name: str | None, expires: str, outputs: str | None) -> int:
    """Prints the link on stdout and the warning on stderr. Raises OpsError."""
    if not room:
        raise OpsError(f"which room? {make(stack, 'token', 'ROOM=name')}")
    seconds = lifetime(expires)
    room, name = room_name(room), display_name(name)
    link = join_link(deployed.read(stack, outputs, _SECONDS), room, seconds, moderator=moderator, name=name)
    print(link)
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time() + seconds))
    role = "moderator, who can open the room" if moderator else "participant, once a moderator has opened it"
    print(
        f"warning: the link is a credential: until {until} whoever has it enters {room} as {role}; "
        f"hand it on like a password",
        file=sys.stderr,
    )
    return 0


def join_link(stack: DeployedStack, room: str, seconds: int, *, moderator: bool, name: str | None) -> str:
    """`<publicUrl>/<room>?jwt=...`. Raises OpsError where the stack takes no tokens."""
    content = jwt.claims(stack, room, seconds, moderator=moderator)
    if name is not None:
        content["context"] = {"user": {"name": name}}
    return f"{stack.origin}/{room}?jwt={jwt.sign(content, jwt.secret_of(stack))}"


def lifetime(text: str) -> int:
    """Seconds of `90m`, `3h` and the like. Raises OpsError."""
    match = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        meant = re.fullmatch(r" *([0-9]{1,6}) *([smh])[a-z]* *", text)
        hint = f": write {meant[1]}{meant[2]}" if meant and not match else ", such as 90m or 3h"
        raise OpsError(f"--expires is {text[:120]!r}, allowed is 1m to 24h{hint}")
    return seconds


def room_name(text: str) -> str:
    """The room as Jitsi spells it, in small letters. Raises OpsError; `*`, all rooms, is refused too.

    No dots: a link to a room called config.js would lead to that file of the front end.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", text):
        raise OpsError(
            f"--room is {text[:120]!r}, allowed is the name of one room: up to 100 letters, digits, hyphens and "
            f"underscores"
        )
    return text.lower()


def display_name(text: str | None) -> str | None:
    """The name that others see. Raises OpsError."""
    if text is not None and not (0 < len(text) <= 100 and text.isprintable()):
        raise OpsError(f"--name is {text[:120]!r}, allowed are 1 to 100 printable characters")
    return text
