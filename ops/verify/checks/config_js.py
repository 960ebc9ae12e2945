"""Whether the page's config.js sends browsers to this stack, and to no third party.

Owns the reading of config.js: the last assignment to a name counts, and its quoted strings. It is not run; a further
URL, however it gets into the configuration, is found by its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ops.verify.context import NO_HTTPS, Context
from ops.verify.net import Unreachable
from ops.verify.result import Result, Status, failed, ok, skipped, warning

_STRING: Final = r"""(?:'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)"""
_COMMENT: Final = re.compile(rf"({_STRING})|/\*.*?\*/|//[^\n]*", re.DOTALL)
_JOINED: Final = re.compile(rf"{_STRING}(?:\s*\+\s*(?:{_STRING}|[\w$.]+))*", re.DOTALL)
_ENDS: Final = re.compile(rf"{_STRING}|[(\[{{]|[)\]}}]|[;,\n]", re.DOTALL)
_OPERATORS: Final = "-+*/?:&|.="


async def check(context: Context) -> Result:
    """Fetches config.js by https and judges its URLs and STUN servers."""
    stack = context.stack
    if not await context.has_https():
        return skipped(NO_HTTPS)
    try:
        answer = await context.get("/config.js")
    except Unreachable as error:
        return failed(f"config.js is not served: {error}", f"does web answer? {stack.logs('web')}")
    if answer.status != 200:
        behind = f"your proxy does not reach web ({stack.logs('web')}), or " if stack.behind_proxy else ""
        return failed(f"config.js is not served: HTTP {answer.status}", f"{behind}another server has this name or port")
    return judge(context, answer.body)


def judge(context: Context, text: str) -> Result:
    """The verdict on a config.js."""
    source = _without_comments(text)
    urls, servers = _judge_urls(context, source), _judge_servers(context, source)
    for status in (Status.FAILED, Status.WARNING):
        for one in (urls, servers):
            if one.status is status:
                return one
    return ok(f"{urls.detail}; {servers.detail}")


def _judge_urls(context: Context, source: str) -> Result:
    origin = context.stack.origin
    socket = origin.replace("https://", "wss://", 1)
    superseded = []
    for name, wanted in (("bosh", f"{origin}/http-bind"), ("websocket", f"{socket}/xmpp-websocket")):
        assigned = _assigned(source, name)
        if assigned is None:
            return failed(
                f"config.js has no config.{name}", "bring the stack up again; or an own config.js replaces it"
            )
        path = wanted.rpartition("/")[2]
        found = _joined(assigned.expression)
        if found not in (wanted, f"/{path}"):
            return failed(
                f"config.js sends browsers to {found}, not to {wanted}",
                "publicUrl must be what browsers type, with its port: correct it and bring the stack up",
            )
        for at, url in _foreign(source, path, origin):
            if at > assigned.at:
                return failed(
                    f"config.js has {url} after {wanted}, so browsers may go there",
                    "remove it from the files of brandingDir, and bring the stack up",
                )
            superseded.append(url)
    if superseded:
        return warning(
            f"config.js has {', '.join(superseded)} too, which a later line replaces",
            "remove it from the files of brandingDir",
        )
    return ok(f"sends browsers to {origin}")


def _judge_servers(context: Context, source: str) -> Result:
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
    return ok(f"STUN: {', '.join(sorted(stun)) or 'none'}")


def _own(context: Context) -> set[str]:
    """Servers that may be named: the configured ones, and the stack's own."""
    stack = context.stack
    found = set(stack.stun_servers)
    for url in stack.turn.urls if stack.turn else ():
        found.add(url.partition(":")[2].partition("?")[0])
    return found


def _without_comments(text: str) -> str:
    return _COMMENT.sub(lambda match: match[1] or "", text)


@dataclass(frozen=True)
class Assigned:
    """The last assignment to a name: its right side, and where that starts."""

    expression: str
    at: int


def _assigned(source: str, name: str) -> Assigned | None:
    """That of `config.NAME = ...` or `config['NAME'] = ...`."""
    members = "".join(rf"(?:\.{part}|\[\s*['\"]{part}['\"]\s*\])" for part in name.split("."))
    found = list(re.finditer(rf"(?<![\w$.])(?:window\.)?config{members}\s*=(?![=>])", source))
    return Assigned(_expression(source[found[-1].end() :]), found[-1].end()) if found else None


def _expression(source: str) -> str:
    """The expression that a text starts with; like JavaScript's, it may end without a semicolon."""
    depth = 0
    for match in _ENDS.finditer(source):
        token = match[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and token in ";,") or (depth == 0 and token == "\n" and _complete(source, match)):
            return source[: match.start()]
    return source


def _complete(source: str, end: re.Match[str]) -> bool:
    """Whether an expression is over at the end of a line: neither that line nor the next one has an operator there."""
    before, after = source[: end.start()].rstrip(), source[end.end() :].lstrip()
    return before[-1:] not in _OPERATORS and (not after or after[0] not in _OPERATORS)


def _strings(expression: str) -> list[str]:
    return [re.sub(r"\$\{[^}]*\}", "", one[1:-1]) for one in re.findall(_STRING, expression, re.DOTALL)]


def _joined(expression: str) -> str:
    """The URL that an expression such as 'https://host/' + subdir + 'http-bind' makes in the root directory."""
    return "".join(_strings(expression))


def _foreign(source: str, path: str, origin: str) -> list[tuple[int, str]]:
    """Every URL with this path that is another host's, and where it stands."""
    own = origin.partition("://")[2]
    found = [(match.start(), _joined(match[0])) for match in _JOINED.finditer(source)]
    return [
        (at, url)
        for at, url in found
        if path in url and (host := re.match(r"(?:\w+:)?//([^/]+)/", url)) and host[1] != own
    ]


def _stun(source: str) -> set[str] | None:
    """HOST:PORT of every STUN and TURN server that is named; None where peer-to-peer calls have the front end's own."""
    assigned = _assigned(source, "p2p.stunServers")
    if assigned is None:
        return None
    named = [item for text in _strings(assigned.expression) for item in text.split(",")]
    rest = source[: assigned.at] + source[assigned.at + len(assigned.expression) :]
    elsewhere = re.findall(r"\b(?:stun|turn)s?:([A-Za-z0-9.\[\]:_-]+)", rest)
    servers = {re.sub(r"^(stun|turn)s?:", "", item).partition("?")[0] for item in [*named, *elsewhere]}
    return {one for one in servers if re.search(r"[A-Za-z0-9]", one)}
