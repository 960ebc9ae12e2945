"""Measures a thousand ended calls of which the VideoService is to be told while it and Keycloak are away for a minute.

A thousand rooms lose their moderators at the same moment. Once a third is told, the VideoService and then Keycloak refuse
connections, half of the time each; Prosody is killed in the first half and started again. Stand-ins for both
(tests/prosody/platform.py) on the loopback, with tokens of twelve seconds, so that several are fetched.

Prints, for each Prosody: how many calls the VideoService took, how many are lost and how many were told twice, and the time
taken. Exits with 1 if one is lost or told twice. (The VideoService is away as Prosody is killed, so that no answer was on
its way, which would be the one call that may be told twice.)

    python -m bench.stop_calls [--rooms 1000] [--seconds 60] [--prosody system|chroot] [--no-kill]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import signal
import sys
import time

from bench.prosody_flood import open_rooms
from tests.prosody.configuration import FOCUS, Setup
from tests.prosody.platform import Platform
from tests.prosody.servers import Installation, Prosody, find_installations, free_port
from tests.prosody.stage import FOCUS_PASSWORD

TOKEN_SECONDS = 12


async def _told(platform: Platform, count: int) -> None:
    while len(platform.stops) < count:
        await asyncio.sleep(0.5)


async def _run(prosody: Prosody, platform: Platform, count: int, seconds: float, *, kill: bool) -> bool:
    rooms = [f"flood-{number}" for number in range(count)]
    _, moderators, askers = await open_rooms(prosody, rooms)
    began = time.monotonic()
    for moderator in moderators:
        moderator.drop()
    await _told(platform, count // 3)
    for site in (platform.video_service, platform.keycloak):
        await asyncio.to_thread(site.close)
        await asyncio.sleep(seconds / 2)
        if kill and site is platform.video_service:
            for asker in askers:
                asker.drop()
            await asyncio.to_thread(prosody.stop, signal.SIGKILL)
            await asyncio.to_thread(prosody.start)
        site.open()
    while (await asyncio.to_thread(prosody.backlog, "video_service"))["events"]:
        await asyncio.sleep(0.5)
    taken = time.monotonic() - began
    await asyncio.sleep(1)
    times = collections.Counter(platform.stops)
    lost = [room for room in rooms if not times[room]]
    twice = [room for room in rooms if times[room] > 1]
    print(f"  told: {len(times)} of {count}, lost: {len(lost)}, twice: {len(twice)}")
    print(f"  tokens: {len(platform.tokens)}; attempts that failed: {prosody.log.count('Stop call not delivered')}")
    print(f"  from the first leaving to the last call: {taken:.1f} s", flush=True)
    return not lost and not twice


def _measure(installation: Installation, count: int, seconds: float, *, kill: bool) -> bool:
    platform = Platform()
    platform.lifetime = TOKEN_SECONDS
    platform.open()
    setup = Setup(
        c2s_port=free_port(),
        http_port=free_port(),
        timeout=1,
        video_service_file=platform.file,
        log_level="info",
        options={"conference_restart_grace": 1},
    )
    prosody = Prosody(installation, setup)
    try:
        prosody.prepare()
        prosody.create_account(FOCUS, FOCUS_PASSWORD)
        prosody.start()
        return asyncio.run(_run(prosody, platform, count, seconds, kill=kill))
    finally:
        prosody.remove()
        platform.close()


def main() -> int:
    """Runs the measurement and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rooms", type=int, default=1000, help="how many rooms close at once")
    parser.add_argument("--seconds", type=float, default=60, help="how long one of the two is away")
    parser.add_argument("--prosody", choices=["system", "chroot"], help="measure this one only")
    parser.add_argument("--no-kill", action="store_true", help="let Prosody live")
    chosen = parser.parse_args()
    good = True
    for name, installation in find_installations().items():
        if chosen.prosody not in (None, name):
            continue
        if isinstance(installation, str):
            print(f"Prosody ({name}): not measured: {installation}")
            good = good and chosen.prosody is None
            continue
        print(f"Prosody {installation.version()} ({name})", flush=True)
        good = _measure(installation, chosen.rooms, chosen.seconds, kill=not chosen.no_kill) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
