"""The VideoService is told of each call's end, once, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import secrets
import signal
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.pem import certificate
from tests.prosody.gate import Gate
from tests.prosody.platform import NO_ANSWERS, NO_TOKENS, PASSWORD, TAKEN, Platform
from tests.prosody.servers import Prosody, RabbitMQ, http_get
from tests.prosody.stage import Consumer, MakeProsody, Stage, until

pytestmark = pytest.mark.prosody

# Quick to try again, quick to give up; and what an earlier Prosody left is settled soon.
EAGER = {
    f"{receiver}_{name}": value
    for receiver in ("statistics", "video_service")
    for name, value in (("retry_min", 0.1), ("retry_max", 0.5), ("request_timeout", 1))
} | {"conference_restart_grace": 1}


@pytest.fixture
def platform() -> Iterator[Platform]:
    one = Platform()
    yield one
    one.close()


@pytest.fixture
def gate(rabbitmq: RabbitMQ) -> Iterator[Gate]:
    one = Gate(rabbitmq)
    yield one
    one.close()


def new_room() -> str:
    return secrets.token_hex(8)


async def hold_calls(prosody: Prosody, rooms: list[str]) -> None:
    """Calls that a moderator opens and leaves; returns when the ends of all are known."""
    before = _ended(prosody)
    async with Stage(prosody) as stage:
        for room in rooms:
            moderator = await stage.moderator(room)
            await moderator.leave(room)
            await moderator.leave_server()
        await until(lambda: _ended(prosody) == before + len(rooms), "all calls have ended")


def _ended(prosody: Prosody) -> int:
    backlog = prosody.backlog("video_service")
    return int(backlog["events"] + backlog["delivered"] + backlog["dropped"])


async def all_told(prosody: Prosody, seconds: float = 30.0) -> None:
    await until(lambda: prosody.backlog("video_service")["events"] == 0, "nothing waits", seconds)


def spool_files(prosody: Prosody) -> list[str]:
    return sorted(file.name for file in prosody.spool.iterdir() if file.name != "alive")


def nothing_private_in(log: str, platform: Platform) -> None:
    """Fails if the password, a token or the form with it stands there."""
    assert platform.tokens, "there was a token to be logged"
    for hidden in (PASSWORD, urllib.parse.quote_plus(PASSWORD), *platform.tokens, "grant_type=password"):
        assert hidden not in log


async def test_the_end_of_a_call_is_told_with_statistics_off(make_prosody: MakeProsody, platform: Platform) -> None:
    """One token serves several calls; nothing stays on disk, and no log line has a secret, not even at level debug."""
    platform.open()
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=EAGER)
    rooms = [new_room() for _ in range(3)]
    await hold_calls(prosody, rooms)
    await all_told(prosody)
    assert (platform.stops, platform.wrong) == (rooms, [])
    assert platform.keycloak.asked == 1
    assert spool_files(prosody) == []
    assert http_get(f"http://127.0.0.1:{prosody.setup.http_port}/statistics_backlog") is None
    metrics = http_get(f"http://127.0.0.1:{prosody.setup.http_port}/metrics") or ""
    assert "prosody_mod_stop_calls__events 0" in metrics
    nothing_private_in(prosody.log, platform)


async def test_whatever_goes_wrong_first_the_end_is_told_once(make_prosody: MakeProsody, platform: Platform) -> None:
    """Of Keycloak and of the VideoService: no connection, a cut one, no answer in time, error statuses, nonsense, a
    redirect, endless headers and bodies. Each is tried again, and the log names it without a secret."""
    platform.lifetime = 0.5  # less than the shortest use: a token for each attempt
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=EAGER)
    room = new_room()
    await hold_calls(prosody, [room])
    await until(lambda: "Keycloak: no connection" in prosody.log, "a refused connection")
    platform.keycloak.faults = ["cut", "hang", 400, 401, 404, 500, 503, *NO_TOKENS.values()]
    platform.keycloak.open()
    await until(lambda: "VideoService: no connection" in prosody.log, "Keycloak gives one at last", 60)
    platform.video_service.faults = ["cut", "hang", 400, 405, 429, 500, 502, 503, *NO_ANSWERS.values()]
    platform.video_service.open()
    await all_told(prosody, 90)
    assert not platform.keycloak.faults, "each befell a request"
    assert not platform.video_service.faults, "each befell a request"
    assert platform.stops == [room]
    log = prosody.log
    for who in ("Keycloak", "VideoService"):
        for problem in ("no answer in 1 seconds", "HTTP status 500", "HTTP status 302", "no connection"):
            assert f"{who}: {problem}" in log, f"{who}: {problem}"
    assert "Keycloak: no access_token in its answer" in log
    pauses = [float(pause) for pause in re.findall(r"next attempt in ([\d.]+) seconds.*Keycloak", log)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.5], "growing pauses"
    assert set(pauses[4:]) == {0.5}, "and no longer than the longest"
    assert spool_files(prosody) == []
    nothing_private_in(log, platform)


async def test_what_the_video_service_has_taken_is_never_told_again(
    make_prosody: MakeProsody, platform: Platform
) -> None:
    """The status line is the answer: a body that is cut off, garbled, endless or huge makes no second call of it."""
    platform.video_service.faults = [*TAKEN.values(), "slow"]
    platform.open()
    options = EAGER | {"video_service_request_timeout": 5}
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=options)
    rooms = [new_room() for _ in range(len(TAKEN) + 1)]
    await hold_calls(prosody, rooms)
    await all_told(prosody)
    assert platform.stops == rooms
    assert platform.video_service.asked == len(rooms)


async def test_a_token_is_kept_until_it_expires_or_is_refused(make_prosody: MakeProsody, platform: Platform) -> None:
    platform.open()
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=EAGER)
    rooms = [new_room() for _ in range(4)]
    await hold_calls(prosody, rooms[:1])
    await all_told(prosody)
    platform.revoke()
    platform.lifetime = 11  # kept for a second: until ten seconds before its end
    await hold_calls(prosody, rooms[1:2])
    await all_told(prosody)
    assert (platform.keycloak.asked, platform.video_service.asked) == (2, 3), "refused, a new one, and told with that"
    await asyncio.sleep(1)
    platform.lifetime = None
    for count, room in enumerate(rooms[2:], 3):
        await hold_calls(prosody, [room])
        await all_told(prosody)
        assert platform.keycloak.asked == count, "expired; and one without a lifetime is used once"
    assert platform.stops == rooms
    assert "not delivered" not in prosody.log


@pytest.mark.parametrize("status", [401, 403])
async def test_a_user_who_is_not_allowed_is_not_asked_for_without_end(
    make_prosody: MakeProsody, platform: Platform, status: int
) -> None:
    """A new token once, then a pause; and told once the user is."""
    platform.video_service.faults = [status] * 6
    platform.open()
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=EAGER)
    room = new_room()
    await hold_calls(prosody, [room])
    await all_told(prosody)
    assert platform.stops == [room]
    assert platform.keycloak.asked == 7, "one new token for each attempt"
    assert prosody.log.count("does the user have the role jitsi-technical?") == 6
    assert prosody.backlog("video_service").get("last_problem") is None


async def test_a_room_that_is_not_known_is_an_end_and_holds_up_no_other(
    make_prosody: MakeProsody, platform: Platform
) -> None:
    """404 says so; with 500, which may be an outage too, that call alone is tried again. `make verify`'s is known to be
    unknown."""
    platform.open()
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=EAGER)
    gone, odd, good = (new_room() for _ in range(3))
    test = "verify-0123abcd-0123-4567-89ab-0123456789ab"
    platform.rooms, platform.unknown = {good}, 404
    await hold_calls(prosody, [gone])
    await all_told(prosody)
    assert prosody.backlog("video_service")["unknown"] == 1
    assert f"does not know room {gone}" in prosody.log
    platform.unknown = 500
    await hold_calls(prosody, [odd])
    await until(lambda: f"HTTP status 500 for room {odd}" in prosody.log, "it is refused")
    await hold_calls(prosody, [test, good])
    await until(lambda: platform.stops == [good], "the next one is told", 3)
    await until(lambda: prosody.backlog("video_service")["events"] == 1, "only that one waits")
    assert prosody.backlog("video_service")["unknown"] == 2
    pauses = [float(pause) for pause in re.findall(rf"attempt in ([\d.]+) seconds.*{odd}", prosody.log)]
    assert pauses == [0.1 * 2**index for index in range(len(pauses))]
    platform.rooms.add(odd)
    await all_told(prosody)
    assert platform.stops == [good, odd]


async def test_both_receivers_get_each_call_and_neither_waits_for_the_other(
    make_prosody: MakeProsody, platform: Platform, gate: Gate, consumer: Consumer
) -> None:
    """Each is down in its turn, while Prosody is stopped, killed and killed again: what one has is not sent to it again,
    and a record goes once both have it."""
    prosody = make_prosody(gate.broker, video_service_file=platform.file, timeout=1, options=EAGER)
    first, second = new_room(), new_room()
    platform.open()
    await hold_calls(prosody, [first])
    await all_told(prosody)
    assert prosody.backlog()["events"] == 1, "the broker is down"
    assert [name.split(".")[1] for name in spool_files(prosody)] == ["event", "stopped"]
    for how in (signal.SIGTERM, signal.SIGKILL):
        await asyncio.to_thread(prosody.stop, how)
        await asyncio.to_thread(prosody.start)
        assert prosody.backlog()["events"] == 1
        assert prosody.backlog("video_service")["events"] == 0
    platform.close()
    gate.open()
    await consumer.just_one(first, prosody)
    assert spool_files(prosody) == []
    await hold_calls(prosody, [second])
    await consumer.just_one(second, prosody)
    assert [name.split(".")[1] for name in spool_files(prosody)] == ["event", "queued"]
    await asyncio.to_thread(prosody.stop, signal.SIGKILL)
    await asyncio.to_thread(prosody.start)
    platform.open()
    await all_told(prosody)
    await consumer.just_one(second, prosody)
    assert platform.stops == [first, second]
    assert spool_files(prosody) == []


async def test_records_of_before_are_told_and_leftovers_go(
    make_prosody: MakeProsody, platform: Platform, gate: Gate, consumer: Consumer
) -> None:
    """An event that waited for the broker alone reaches both once a VideoService is configured; one that only a receiver
    waits for that is gone is removed; and a mark without its event, too."""
    prosody = make_prosody(gate.broker, timeout=1, options=EAGER)
    async with Stage(prosody) as stage:
        room = new_room()
        await (await stage.moderator(room)).leave(room)
        await until(lambda: prosody.backlog()["events"] == 1, "the broker is down")
    prosody.stop()
    (prosody.spool / "00000000000001-a.stopped").touch()
    told = prosody.spool / "00000000000002-b.stopped"
    platform.open()
    prosody.setup = dataclasses.replace(prosody.setup, video_service_file=platform.file)
    prosody.start()
    await all_told(prosody)
    assert platform.stops == [room]
    assert not (prosody.spool / "00000000000001-a.stopped").exists()
    gate.open()
    await consumer.just_one(room, prosody)
    gate.close()
    prosody.stop()
    text = f'{{"id":"{told.stem}","room":"{room}","room_jid":"{room}@muc.meet.jitsi","left_at":1}}'
    told.with_suffix(".event").write_text(text)
    told.touch()
    prosody.setup = dataclasses.replace(prosody.setup, broker=None)
    prosody.start()
    await until(lambda: spool_files(prosody) == [], "nothing is left")
    assert platform.stops == [room]


async def test_a_disk_out_of_reach_for_a_while_loses_and_doubles_nothing_for_either(
    make_prosody: MakeProsody, platform: Platform, gate: Gate, consumer: Consumer
) -> None:
    """What one of them has, and what both have, is noted once the disk takes it; a crash after that tells nothing again."""
    platform.open()
    prosody = make_prosody(gate.broker, video_service_file=platform.file, timeout=1, options=EAGER)
    before, meanwhile = new_room(), new_room()
    await hold_calls(prosody, [before])
    await all_told(prosody)
    aside = prosody.spool.with_name("aside")
    prosody.spool.rename(aside)
    prosody.spool.write_text("")
    await hold_calls(prosody, [meanwhile])
    await all_told(prosody)
    gate.open()
    await until(lambda: consumer.of(before) and consumer.of(meanwhile), "the events")
    assert prosody.backlog()["unwritten"] == 2
    prosody.spool.unlink()
    aside.rename(prosody.spool)
    await until(lambda: prosody.backlog()["unwritten"] == 0, "all is noted")
    assert spool_files(prosody) == []
    await asyncio.to_thread(prosody.stop, signal.SIGKILL)
    await asyncio.to_thread(prosody.start)
    await asyncio.sleep(2)
    assert platform.stops == [before, meanwhile]
    assert (len(consumer.of(before)), len(consumer.of(meanwhile))) == (1, 1)


async def test_a_stop_or_reload_during_a_request_tells_nothing_twice(
    make_prosody: MakeProsody, platform: Platform
) -> None:
    """The answer on its way is worth a moment, be it Keycloak's or the VideoService's."""
    platform.open()
    options = EAGER | {"video_service_request_timeout": 10}
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=options)
    rooms = [new_room() for _ in range(4)]
    for room, site, act in (
        (rooms[0], platform.keycloak, _reload),
        (rooms[1], platform.video_service, _reload),
        (rooms[2], platform.video_service, _restart),
        (rooms[3], platform.keycloak, _restart),
    ):
        before, site.faults = site.asked, ["slow"]
        await hold_calls(prosody, [room])
        await until(lambda site=site, before=before: site.asked > before, "the request is under way")  # type: ignore[misc]
        await act(prosody)
        await all_told(prosody)
    assert platform.stops == rooms
    assert platform.video_service.asked == len(rooms)


async def _reload(prosody: Prosody) -> None:
    await asyncio.to_thread(prosody.reload_modules, "stop_calls")


async def _restart(prosody: Prosody) -> None:
    await asyncio.to_thread(prosody.stop)
    await asyncio.to_thread(prosody.start)


async def test_the_backlog_is_bounded_and_names_what_it_drops(make_prosody: MakeProsody, platform: Platform) -> None:
    options = EAGER | {"video_service_max_events": 3}
    prosody = make_prosody(video_service_file=platform.file, timeout=1, options=options)
    rooms = [new_room() for _ in range(5)]
    await hold_calls(prosody, rooms)
    backlog = prosody.backlog("video_service")
    assert (backlog["events"], backlog["dropped"]) == (3, 2)
    for room in rooms[:2]:
        assert f"Stop call dropped, the backlog is full: room {room}" in prosody.log
    platform.open()
    await all_told(prosody)
    assert sorted(platform.stops) == sorted(rooms[2:])
    assert spool_files(prosody) == []


async def test_by_tls_only_whose_certificate_is_good_is_told(
    make_prosody: MakeProsody, platform: Platform, tmp_path: Path
) -> None:
    """To an unknown authority's, to another host's and to an old one no password and no token is sent."""
    good, old = _certificate("good"), _certificate("old", days=-0.5)
    of_another_host = certificate("elsewhere", subject="of another host")
    refused = "certificate(-chain-invalid| verify failed)"  # 0.12 and 13
    wrong = (
        (refused, _certificate("of nobody")),
        ("certificate-verify-failed", of_another_host),
        (refused, old),
    )
    platform.keycloak.scheme = platform.video_service.scheme = "https"
    trusted = "".join(one[0] for one in (good, of_another_host, old))
    prosody = make_prosody(video_service_file=platform.file, trusted=trusted, timeout=1, options=EAGER)
    room = new_room()
    await hold_calls(prosody, [room])
    for site, who in ((platform.keycloak, "Keycloak"), (platform.video_service, "VideoService")):
        for problem, pair in wrong:
            said = re.compile(f" {who}: no connection: {problem}")
            before = len(said.findall(prosody.log))
            site.open(_file(tmp_path, pair))
            await until(
                lambda said=said, before=before: len(said.findall(prosody.log)) >= before + 2,  # type: ignore[misc]
                said.pattern,
            )
            site.close()
        assert site.asked == 0
        site.open(_file(tmp_path, good))
    await all_told(prosody)
    assert platform.stops == [room]


def _certificate(subject: str, days: float = 10) -> tuple[str, str]:
    """One for this machine; Prosody's comparison takes the address for a name."""
    return certificate(names=x509.SubjectAlternativeName([x509.DNSName("127.0.0.1")]), days=days, subject=subject)


def _file(directory: Path, pair: tuple[str, str]) -> Path:
    file = directory / "certificate.pem"
    file.write_text("".join(pair))
    return file
