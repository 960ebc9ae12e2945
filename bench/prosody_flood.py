"""Measures a flood of ending calls: are all events delivered, and does Prosody still answer?

A thousand rooms, each with focus, moderator and asker, lose their moderators at the same moment, so that a thousand
rooms close and a thousand events are delivered to a real RabbitMQ, into a durable classic queue as the consumer has it.
In the middle, once a third is delivered, one of these: nothing (`up`), the broker is stopped in good order (`stop`) or
killed (`kill`) and started again, or Prosody's disk is full (`full`, needs root). A separate process sends XMPP pings
all the time.

Prints, for each run: events sent, lost, twice; the time taken; the median and 95th percentile of the ping's answer time
idle and during the flood, and the ratio of the medians. Exits with 1 if an event is lost, if one comes twice with another
message_id, or if the ratio is above 3. One with the same message_id is no failure: the dying broker had taken the message
and did not say so, and the consumer can see that it is the same.

    python -m bench.prosody_flood [--rooms 1000] [--seconds 60] [--prosody system|chroot] [--run up|stop|kill|full|all]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.prosody.configuration import DOMAIN, FOCUS, Setup
from tests.prosody.people import Focus, Person, person, token
from tests.prosody.servers import Installation, Prosody, RabbitMQ, find_installations, free_port
from tests.prosody.stage import FOCUS_PASSWORD

CONNECTIONS = 20
IDLE_SECONDS = 10.0
PING_PAUSE = 0.02
MOST_RATIO = 3.0
FAULTS = ("up", "stop", "kill", "full")

Sample = tuple[float, float]  # when the ping was sent (monotonic clock), seconds until its answer


class Pinger:
    """One XMPP connection without a library, so that the answer time is Prosody's and not the client's."""

    def __init__(self, port: int, shown: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        header = (
            f"<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        credentials = base64.b64encode(f"\0pinger\0{shown}".encode()).decode()
        self._talk(header, b"</stream:features>")
        self._talk(
            f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{credentials}</auth>", b"<success"
        )
        self._talk(header, b"</stream:features>")
        bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        self._talk(bind, b"</bind></iq>")

    def _talk(self, text: str, until: bytes) -> None:
        self._buffer = b""
        self._socket.sendall(text.encode())
        while until not in self._buffer:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("Prosody closed the pinger's connection")
            self._buffer += received

    def ping(self, number: int) -> float:
        """Seconds until the answer."""
        started = time.perf_counter()
        text = f"<iq type='get' id='p{number}x' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
        self._talk(text, f"p{number}x".encode())
        return time.perf_counter() - started


def _ping_until_stopped(port: int, shown: str, end: multiprocessing.connection.Connection) -> None:
    pinger, samples, number = Pinger(port, shown), list[Sample](), 0
    end.send("ready")
    while not end.poll(PING_PAUSE):
        number += 1
        sent = time.monotonic()
        samples.append((sent, pinger.ping(number)))
    end.send(samples)


async def open_rooms(prosody: Prosody, rooms: list[str]) -> tuple[Focus, list[Person], list[Person]]:
    """The focus, the moderators and the askers; every room has one of each."""
    port = prosody.setup.c2s_port
    focus = Focus(port, FOCUS_PASSWORD)
    await focus.arrive()
    moderators = [person(port, token("*", moderator=True)) for _ in range(CONNECTIONS)]
    askers = [person(port, token("*")) for _ in range(CONNECTIONS)]
    for one in [*moderators, *askers]:
        await one.arrive()

    async def fill(start: int) -> None:
        for room in rooms[start::CONNECTIONS]:
            await moderators[start].join(room)
            await askers[start].join(room)

    await asyncio.gather(*(fill(start) for start in range(CONNECTIONS)))
    return focus, moderators, askers


@contextlib.contextmanager
def _full(directory: Path) -> Iterator[None]:
    """The file system of the directory, full."""
    filler = directory / "filler"
    with contextlib.suppress(OSError):
        filler.write_bytes(b"x" * 10**8)
    try:
        yield
    finally:
        filler.unlink()


async def _befall(fault: str, seconds: float, prosody: Prosody, rabbitmq: RabbitMQ) -> None:
    """Has the fault befall and pass."""
    if fault == "full":
        with _full(prosody.spool):
            await asyncio.sleep(seconds)
        return
    await asyncio.to_thread(rabbitmq.stop, signal.SIGTERM if fault == "stop" else signal.SIGKILL)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(rabbitmq.start)


async def _run(prosody: Prosody, rabbitmq: RabbitMQ, count: int, fault: str, seconds: float) -> bool:
    rooms = [f"flood-{number}" for number in range(count)]
    before = prosody.backlog()["delivered"]
    failed_before = prosody.log.count("event not delivered")
    focus, moderators, askers = await open_rooms(prosody, rooms)
    ours, theirs = multiprocessing.Pipe()
    port, shown = prosody.setup.c2s_port, token("*")
    pinging = multiprocessing.get_context("spawn").Process(target=_ping_until_stopped, args=(port, shown, theirs))
    pinging.start()
    await asyncio.to_thread(ours.recv)

    await asyncio.sleep(IDLE_SECONDS)
    flood_began = time.monotonic()
    for moderator in moderators:
        moderator.drop()

    async def delivered(wanted: int) -> None:
        while (await asyncio.to_thread(prosody.backlog))["delivered"] - before < wanted:
            await asyncio.sleep(0.5)

    if fault != "up":
        await delivered(count // 3)
        await _befall(fault, seconds, prosody, rabbitmq)
    await delivered(count)
    flood_ended = time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)

    ours.send("stop")
    samples: list[Sample] = await asyncio.to_thread(ours.recv)
    pinging.join()
    for one in (focus, *askers):
        await one.leave_server()
    messages = rabbitmq.take_messages()
    taken = collections.Counter(json.loads(payload)["videoCallUuid"] for _, payload in set(messages))
    lost = sum(1 for room in rooms if not taken[room])
    twice = sum(1 for room in rooms if taken[room] > 1)
    repeated = len(messages) - len(set(messages))
    # Idle is before and after, so that other work on the machine weighs on both sides of the ratio.
    idle = [seconds for sent, seconds in samples if sent < flood_began or sent > flood_ended]
    flood = [seconds for sent, seconds in samples if flood_began <= sent <= flood_ended]
    ratio = statistics.median(flood) / statistics.median(idle)
    print(f"  {fault}" + (f", for {seconds:g} s" if fault != "up" else ""))
    print(f"  rooms closed: {count}; events: {len(messages)}, lost: {lost}, twice: {twice}, repeated: {repeated}")
    print(f"  attempts that failed: {prosody.log.count('event not delivered') - failed_before}")
    print(f"  from the first leaving to the last delivery: {flood_ended - flood_began:.1f} s")
    print(f"  ping idle:  {_figures(idle)}")
    print(f"  ping flood: {_figures(flood)}")
    print(f"  ratio of the medians: {ratio:.2f} (at most {MOST_RATIO:g})", flush=True)
    return not lost and not twice and repeated <= 1 and ratio <= MOST_RATIO


def _figures(samples: list[float]) -> str:
    points = [statistics.median(samples), statistics.quantiles(samples, n=20)[-1], max(samples)]
    median, high, most = (f"{1000 * point:.2f} ms" for point in points)
    return f"median {median}, 95 % {high}, worst {most} ({len(samples)} pings)"


def _measure(installation: Installation, runs: list[str], count: int, seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        rabbitmq = RabbitMQ(Path(directory) / "rabbitmq")
        setup = Setup(c2s_port=free_port(), http_port=free_port(), timeout=1, broker=rabbitmq.broker, log_level="info")
        prosody = Prosody(installation, setup)
        try:
            rabbitmq.start()
            prosody.prepare()
            prosody.create_account(FOCUS, FOCUS_PASSWORD)
            if "full" in runs:
                prosody.spool.mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(prosody.spool)], check=True)
            prosody.start()
            # Each run on the same Prosody: the second shows what the first left behind, if anything.
            good = [asyncio.run(_run(prosody, rabbitmq, count, fault, seconds)) for fault in runs]
        finally:
            prosody.stop()
            if "full" in runs:
                subprocess.run(["umount", str(prosody.spool)], check=False)
            prosody.remove()
            rabbitmq.stop()
    return all(good)


def main() -> int:
    """Runs the measurements and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rooms", type=int, default=1000, help="how many rooms close at once")
    parser.add_argument("--seconds", type=float, default=60, help="how long the broker is away or the disk full")
    parser.add_argument("--prosody", choices=["system", "chroot"], help="measure this one only")
    parser.add_argument("--run", choices=[*FAULTS, "all"], default="all")
    chosen = parser.parse_args()
    runs = list(FAULTS) if chosen.run == "all" else [chosen.run]
    if "full" in runs and os.geteuid() != 0:
        print("full: not measured: a file system of one's own needs root")
        runs.remove("full")
    good = True
    for name, installation in find_installations().items():
        if chosen.prosody not in (None, name):
            continue
        if isinstance(installation, str):
            print(f"Prosody ({name}): not measured: {installation}")
            good = good and chosen.prosody is None
            continue
        print(f"Prosody {installation.version()} ({name}), {os.cpu_count()} processors", flush=True)
        good = _measure(installation, runs, chosen.rooms, chosen.seconds) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
