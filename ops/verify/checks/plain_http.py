"""Whether plain HTTP redirects to HTTPS, or serves, as configured."""

from __future__ import annotations

from urllib.parse import urlsplit

from ops.verify import net
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from ops.verify.net import Answer, Unreachable, WrongProtocol
from ops.verify.result import Result, failed, ok, skipped


async def check(context: Context) -> Result:
    """Asks for a page by http and looks where it leads."""
    stack = context.stack
    if stack.behind_proxy:
        return skipped("plain HTTP goes to your own proxy, which decides what becomes of it")
    try:
        address = await context.address()
    except Unreachable:
        return skipped("no connection (see certificate)")
    try:
        answer = await net.request(address, stack.http_port, "/config.js", host=stack.host)
    except WrongProtocol as error:
        return failed(f"no plain HTTP: {error}", "bring the stack up again; if it stays, another server has this port")
    except Unreachable as error:
        return failed(f"no plain HTTP: {error}", _fix(stack))
    return _judge_redirect(context, answer) if stack.redirects else _judge_served(context, answer)


def _fix(stack: DeployedStack) -> str:
    """What to do where nothing is at the port that callers come to."""
    if stack.letsencrypt:
        return f"let TCP through to port {stack.http_port}: Let's Encrypt connects there, and so does who types no https://"
    if stack.published_http_port == stack.http_port:
        return f"let TCP through to port {stack.http_port}: whoever types the name without https:// gets nothing"
    return (
        f"httpPort is {stack.published_http_port}, and whoever types the name without https:// comes to "
        f"{stack.http_port}: pulumi config set httpPort {stack.http_port}, or forward the one to the other"
    )


def _judge_redirect(context: Context, answer: Answer) -> Result:
    stack = context.stack
    to = urlsplit(answer.headers.get("location", ""))
    if answer.status in (301, 302, 307, 308):
        if to.scheme == "https" and (to.hostname or "") == stack.host and (to.port or 443) == stack.port:
            return ok(f"port {stack.http_port} redirects to {stack.origin}")
        return failed(
            f"port {stack.http_port} redirects to {to.scheme}://{to.netloc}, not to {stack.origin}",
            "something before the stack redirects elsewhere: correct it to publicUrl",
        )
    return failed(
        f"port {stack.http_port} answers HTTP {answer.status} instead of a redirect to {stack.origin}",
        "bring the stack up again; if it stays, another server has this port",
    )


def _judge_served(context: Context, answer: Answer) -> Result:
    port = context.stack.http_port
    if answer.status == 200:
        return ok(f"port {port} serves the page, as configured (no redirect)")
    return failed(
        f"port {port} answers HTTP {answer.status}, and is configured to serve the page",
        "bring the stack up again; if it stays, another server has this port",
    )
