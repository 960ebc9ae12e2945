"""What looks alike and is not: each verdict of a check against its neighbours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ops.verify.checks import config_js, media, plain_http, rooms, turn
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack, Turn
from ops.verify.net import Answer, Unreachable
from ops.verify.result import Status
from ops.verify.stun import StunError
from ops.verify.xmpp import Refused
from tests.verify.outputs import HOST, outputs
from tests.verify.scenes import CONFIG_JS

HERE, THERE = "192.0.2.1#10000", "192.0.2.2#10000"


def context(port: int = 8443, **changes: Any) -> Context:
    return Context(DeployedStack.of(outputs(port, **changes)))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_every_kind_of_redirect_to_public_url_will_do(status: int) -> None:
    answer = Answer(status, {"location": f"https://{HOST}/config.js"}, "")
    assert plain_http._judge_redirect(context(443), answer).status is Status.OK


@pytest.mark.parametrize("status", [200, 300, 303, 304, 401, 403, 404, 502])
def test_no_other_answer_is_a_redirect(status: int) -> None:
    answer = Answer(status, {"location": f"https://{HOST}/config.js"}, "")
    result = plain_http._judge_redirect(context(443), answer)
    assert result.status is Status.FAILED
    assert f"HTTP {status}" in result.seen


def test_the_stacks_own_turn_server_is_not_a_foreign_one() -> None:
    urls = ["turn:turn.verify.test:3478?transport=udp", "turns:turn.verify.test:5349?transport=tcp"]
    text = CONFIG_JS.replace("PORT", "8443") + (
        "config.iceServers = [{urls: 'turn:turn.verify.test:3478?transport=udp'},"
        " {urls: 'turns:turn.verify.test:5349?transport=tcp'}];\n"
    )
    own = context(turn={"urls": urls, "secret": "s"})
    assert config_js.judge(own, text).status is Status.OK
    foreign = config_js.judge(context(), text)
    assert foreign.status is Status.FAILED
    assert "turn.verify.test:3478" in foreign.seen


@pytest.mark.parametrize(
    ("answers", "here", "own"),
    [
        ({HERE: "answered"}, [HERE], True),
        ({HERE: "answered", THERE: "answered"}, [HERE, THERE], True),
        ({HERE: "answered", THERE: "answered"}, [HERE], False),
        ({HERE: "answered", THERE: "has no route from here"}, [THERE], False),
        ({HERE: "answered", THERE: "has no route from here"}, [HERE], True),
    ],
)
def test_this_very_machine_is_said_where_all_that_answered_is_this_machine(
    answers: dict[str, str], here: list[str], own: bool
) -> None:
    result = media.judge_call(answers, here)
    assert result.status is Status.OK
    assert ("this very machine" in result.seen) is own


REFUSED = Refused("not-allowed")


@pytest.mark.parametrize(
    ("token", "anonymous", "status", "says"),
    [
        (REFUSED, REFUSED, Status.OK, "a room stays closed"),
        (REFUSED, rooms._OUTSIDE, Status.FAILED, "anonymous guests cannot sign in"),
        (rooms._OUTSIDE, REFUSED, Status.SKIPPED, "no sign-in"),
        (rooms._OPENED, REFUSED, Status.FAILED, "a token without the moderator claim opened a room"),
        (REFUSED, rooms._OPENED, Status.FAILED, "an anonymous guest (enableGuests) opened a room"),
        (REFUSED, Unreachable("no answer"), Status.FAILED, "no answer to entering"),
    ],
)
def test_guests_are_judged_one_by_one(token: Any, anonymous: Any, status: Status, says: str) -> None:
    result = rooms._judge_guests(context(), {rooms._NO_MODERATOR: token, rooms._ANONYMOUS: anonymous})
    assert result.status is status
    assert says in result.seen


@pytest.mark.parametrize(
    ("code", "secret"), [(400, False), (401, True), (402, False), (403, True), (437, False), (438, True), (486, False)]
)
def test_a_wrong_secret_is_told_from_a_server_that_is_full(
    monkeypatch: pytest.MonkeyPatch, code: int, secret: bool
) -> None:
    async def refuse(*_: object) -> str:
        raise StunError(code, "")

    monkeypatch.setattr(turn, "_allocate", refuse)
    servers = Turn(urls=("turn:turn.verify.test:3478",), secret="s")
    fault = asyncio.run(turn._attempt(context(), servers, servers.urls[0], None))
    assert fault is not None
    assert f"error {code}" in fault.said
    assert ("secret is not the server's" in fault.todo) is secret
