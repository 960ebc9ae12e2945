"""verify against a real Prosody behind a real nginx with TLS, and a real coturn: healthy, and broken in many ways."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.verify import net, report
from ops.verify.checks import CHECKS
from ops.verify.context import Context
from ops.verify.result import Result, Status
from tests.prosody.configuration import SECRET
from tests.prosody.servers import Installation
from tests.verify.scenes import (
    BROKEN,
    MORE_BROKEN,
    TURN_SECRET,
    WITH_GUESTS,
    WITHOUT_TOKENS,
    Broken,
    Playing,
    Scene,
    play,
)
from tests.verify.servers import Certificates, Coturn

pytestmark = pytest.mark.prosody

ROOT = Path(__file__).resolve().parents[2]
FEWER_SECONDS = 10.0
"""The figure for a healthy local stack."""


TOLD = {"statistics", "videoservice"}
HEALTHY: Mapping[str, tuple[Scene, set[str]]] = {
    "whose calls' ends nobody is told of": (Scene(), TOLD),
    "whose calls' ends are told to broker and VideoService": (Scene(statistics=True, video_service="right"), set()),
    "whose calls' ends are told to the VideoService alone": (Scene(video_service="right"), {"statistics"}),
    "with guests": (WITH_GUESTS, TOLD),
    "where jicofo offers no bridge": (Scene(bridge_offered=False), {"media", *TOLD}),
    **{name: (scene, {"guest", "moderator", "media", *TOLD}) for name, scene in WITHOUT_TOKENS.items()},
}
"""Scenes, and the checks of each that cannot tell."""


def examine(playing: Playing, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> dict[str, Result]:
    """Runs all checks on a scene, with a test call where somebody is told of its end."""

    async def resolve(host: str) -> list[str]:
        assert host == playing.stack.host
        return list(scene.resolves_to)

    monkeypatch.setattr(net, "resolve", resolve)
    return asyncio.run(report.examine(Context(playing.stack, statistics=scene.statistics or bool(scene.video_service))))


def summary(results: dict[str, Result]) -> str:
    return "\n".join(f"{one.status.value} {name}: {one.detail}" for name, one in results.items())


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_stack_is_green(
    name: str,
    place: Path,
    certificates: Certificates,
    installation: Installation,
    coturn: Coturn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, cannot_be_told = HEALTHY[name]
    with play(scene, place, certificates, installation, coturn) as playing:
        start = time.monotonic()
        results = examine(playing, scene, monkeypatch)
        seconds = time.monotonic() - start
        assert playing.prosody.log.count("traceback") == 0
    for name, result in results.items():
        expected = Status.SKIPPED if name in cannot_be_told else Status.OK
        assert result.status is expected, summary(results)
    assert seconds < FEWER_SECONDS


def test_nothing_is_left_behind(
    place: Path,
    certificates: Certificates,
    installation: Installation,
    coturn: Coturn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No session, no room, no TURN allocation; and with statistics on but no leave for a test call, no event."""
    scene = Scene(statistics=True)
    with play(scene, place, certificates, installation, coturn) as playing:
        before = coturn.log.read_text()

        async def resolve(_: str) -> list[str]:
            return ["127.0.0.1"]

        monkeypatch.setattr(net, "resolve", resolve)
        results = asyncio.run(report.examine(Context(playing.stack)))
        assert results["moderator"].status is Status.OK, summary(results)
        assert results["media"].status is Status.OK, summary(results)
        time.sleep(2.5)  # longer than a room stays after its moderator
        assert playing.broker.bodies == []
        assert not list(playing.prosody.spool.glob("*.call"))
        rooms = playing.prosody.ctl("shell", "muc", "list", "muc.meet.jitsi")
        assert "OK: 0 rooms" in rooms
        sessions = playing.prosody.ctl("shell", "c2s", "show")
        assert "OK: 0 c2s sessions" in sessions
        log = coturn.log.read_text()[len(before) :]
    assert log.count("ALLOCATE processed, success") == 3, "allocated by UDP, TCP and TLS"
    assert log.count("REFRESH processed, success") == 3, "given back each"
    assert "lifetime=0" in log


@pytest.mark.parametrize("name", [*BROKEN, *MORE_BROKEN])
def test_a_broken_set_up_is_found_and_named(
    name: str,
    place: Path,
    certificates: Certificates,
    installation: Installation,
    coturn: Coturn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check whose business it is fails with what is wrong and what to do; the others do not."""
    broken: Broken = {**BROKEN, **MORE_BROKEN}[name]
    with play(broken.scene, place, certificates, installation, coturn) as playing:
        start = time.monotonic()
        results = examine(playing, broken.scene, monkeypatch)
        seconds = time.monotonic() - start
    named = results[broken.check]
    print(f"{broken.check}: {named.detail} -> {named.fix} ({seconds:.1f} s)")
    assert {which for which, one in results.items() if one.status is Status.FAILED} == {
        broken.check,
        *broken.along,
    }, summary(results)
    assert broken.says in named.detail
    assert named.fix
    assert broken.fix in named.fix
    assert seconds < FEWER_SECONDS


def test_a_call_by_bosh_finds_the_bridge_as_well(
    place: Path, certificates: Certificates, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(site={"websocket": "absent"})
    with play(scene, place, certificates, installation, None) as playing:
        start = time.monotonic()
        results = examine(playing, scene, monkeypatch)
        assert time.monotonic() - start < FEWER_SECONDS
        rooms = playing.prosody.ctl("shell", "muc", "list", "muc.meet.jitsi")
        sessions = playing.prosody.ctl("shell", "c2s", "show")
    assert results["websocket"].status is Status.FAILED
    assert results["media"].status is Status.OK, summary(results)
    assert "OK: 0 rooms" in rooms, "the call has ended"
    assert "OK: 0 c2s sessions" in sessions


def test_every_check_has_a_broken_set_up() -> None:
    assert [one.check for one in BROKEN.values()] == list(CHECKS)


def test_the_command_itself_on_a_healthy_stack(
    place: Path, certificates: Certificates, installation: Installation, coturn: Coturn
) -> None:
    """As an operator types it, before the name is in any DNS: exit code 0, JSON, no secret, in time."""
    scene = Scene()
    with play(scene, place, certificates, installation, coturn) as playing:
        file = place / "outputs.json"
        file.write_text(json.dumps(playing.outputs))
        start = time.monotonic()
        run = subprocess.run(
            [
                *(sys.executable, "-m", "ops", "verify", "--outputs", str(file), "--json"),
                *("--address", "127.0.0.1", "--docker-host", "ssh://deploy@video.example.org"),
            ],
            cwd=ROOT,
            env={"PATH": f"{playing.docker.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        seconds = time.monotonic() - start
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["ok"] is True
    assert {one["name"]: one["status"] for one in found["checks"]} == {
        name: "skipped" if name in ("name", *TOLD) else "ok" for name in CHECKS
    }
    for secret in (SECRET, TURN_SECRET, "eyJ"):
        assert secret not in run.stdout + run.stderr
    assert seconds < FEWER_SECONDS
