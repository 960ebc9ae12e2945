"""Whether the page's config.js sends browsers to this stack, and to no third party.

Owns the reading of config.js: the last assignment to a name counts, and its quoted strings. It is not run.
"""

from __future__ import annotations

import re
from typing import Final

from ops.verify.context import Context
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped

_STRING: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")


async def check(context: Context) -> Result:
    """Fetches config.js by https and judges its URLs and STUN servers."""
    stack = context.stack
    try:
        await context.address()
    except Unreachable:
        return skipped("no connection (see certificate)")
    try:
        answer = await context.get("/config.js")
    except Unreachable as error:
        return failed(f"config.js is not served: {error}", f"does web answer? {stack.logs('web')}")
    if answer.status != 200:
        return failed(f"config.js is not served: HTTP {answer.status}", "another server than web has this name or port")
    return judge(context, answer.body)


def judge(context: Context, text: str) -> Result:
    """The verdict on a config.js."""
    stack, source = context.stack, _without_comments(text)
    socket = stack.origin.replace("https://", "wss://", 1)
    for name, wanted in (("bosh", f"{stack.origin}/http-bind"), ("websocket", f"{socket}/xmpp-websocket")):
        found = _url(source, name)
        if found is None:
            return failed(
                f"config.js has no config.{name}", "bring the stack up again; or an own config.js replaces it"
            )
        if found != wanted and found != wanted[wanted.index("/", 8) :]:
            return failed(
                f"config.js sends browsers to {found}, not to {wanted}",
                "publicUrl must be what browsers type, with its port: correct it and bring the stack up",
            )
    stun = _stun(source)
    if stun is None:
        return failed(
            "config.js names no STUN servers: peer-to-peer calls would ask one of the Jitsi project",
            "bring the stack up again, so that its custom-config.js is in place",
        )
    foreign = sorted(stun - _own(context))
    if foreign:
        return failed(
            f"config.js names STUN or TURN servers that are not configured: {', '.join(foreign)}",
            "name them in stunServers, or remove them from the files of brandingDir",
        )
    return ok(f"sends browsers to {stack.origin}; STUN: {', '.join(sorted(stun)) or 'none'}")


def _own(context: Context) -> set[str]:
    """Servers that may be named: the configured ones, and the stack's own."""
    stack = context.stack
    found = {*stack.setting_list("web", "P2P_STUN_SERVERS"), *stack.setting_list("jvb", "JVB_STUN_SERVERS")}
    for url in stack.turn.urls if stack.turn else ():
        found.add(url.partition(":")[2].partition("?")[0])
    return found


def _without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))


def _assigned(source: str, name: str) -> str | None:
    """The right side of the last `config.NAME = ...;`."""
    found = re.findall(rf"config\.{re.escape(name)}\s*=([^=].*?);[^\S\n]*$", source, re.DOTALL | re.MULTILINE)
    return str(found[-1]) if found else None


def _strings(expression: str) -> list[str]:
    return [single or double for single, double in _STRING.findall(expression)]


def _url(source: str, name: str) -> str | None:
    """The URL that an expression such as 'https://host/' + subdir + 'http-bind' makes in the root directory."""
    expression = _assigned(source, name)
    return None if expression is None else "".join(_strings(expression))


def _stun(source: str) -> set[str] | None:
    """HOST:PORT of every STUN and TURN server that is named; None where peer-to-peer calls have the front end's own."""
    expression = _assigned(source, "p2p.stunServers")
    if expression is None:
        return None
    named = [item for text in _strings(expression) for item in text.split(",")]
    elsewhere = re.findall(r"\b(?:stun|turn)s?:([A-Za-z0-9.\[\]:_-]+)", source.replace(expression, ""))
    servers = {re.sub(r"^(stun|turn)s?:", "", item).partition("?")[0] for item in [*named, *elsewhere]}
    return {one for one in servers if re.search(r"[A-Za-z0-9]", one)}
