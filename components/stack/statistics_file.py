"""The statistics file of Prosody: quoting and rendering.

Owns the text of `statistics.cfg.lua`, and which broker and account it names. Does not own where it lies (`topology`) nor the module that reads it
(prosody/plugins).
"""

from __future__ import annotations

from components.config.values import Statistics
from components.stack import topology
from components.stack.spec import SecretText


def lua_string(text: str) -> str:
    """`text` as a Lua string literal of printable ASCII that Lua 5.1 to 5.4 read back as the same bytes (UTF-8)."""
    return '"' + "".join(map(_lua_byte, text.encode("utf-8", "surrogatepass"))) + '"'


def _lua_byte(byte: int) -> str:
    char = chr(byte)
    if char in '"\\':
        return "\\" + char
    # Three digits always: a shorter escape would swallow a digit that follows.
    return char if 0x20 <= byte <= 0x7E else f"\\{byte:03d}"


def render_statistics_lua(
    *,
    enabled: bool,
    url: str | None = None,
    username: str | None = None,
    password: str | None = None,
    conference_timeout: int = 20,
) -> str:
    """The file that Prosody includes.

    Args:
        enabled: whether an event is sent when a call ends; the next three are required then.
        url: publish URL of RabbitMQ's management API.
        username: its user.
        password: its password.
        conference_timeout: seconds that a room stays after its last moderator left.
    """
    lines = [
        "-- Written by videobackend: change the stack's configuration, not this file.",
        f"conference_timeout = {conference_timeout}",
        f"enable_statistics = {'true' if enabled else 'false'}",
    ]
    if enabled:
        values = {"rabbit_url": url, "rabbit_username": username, "rabbit_password": password}
        lines += [f"{name} = {lua_string(value or '')}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def content(statistics: Statistics | None, conference_timeout: int) -> str | SecretText:
    """The file of a stack; it holds a secret only where events are sent. `conference_timeout` in seconds."""
    if statistics is None:
        return render_statistics_lua(enabled=False, conference_timeout=conference_timeout)
    broker = statistics.broker
    if broker is None:
        url, username = topology.EMBEDDED_RABBIT_URL, topology.STATISTICS_USER
    else:
        url, username = broker.url, broker.username
    return SecretText(
        made_from=("rabbit_password",),
        render=lambda password: render_statistics_lua(
            enabled=True, url=url, username=username, password=password, conference_timeout=conference_timeout
        ),
    )
