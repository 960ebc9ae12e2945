"""Who may what in the rooms of a call: every request of every kind of person, against the one table in docs/rooms.md.

`pytest -m attack` runs it; it is part of the tier `prosody`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prosody.acts import ACTS
from tests.prosody.configuration import AUTH_DOMAIN, FOCUS
from tests.prosody.conftest import running
from tests.prosody.people import RefusedError
from tests.prosody.scene import ACTORS, Scene
from tests.prosody.servers import PROJECT, Installation, Prosody
from tests.prosody.stage import Stage

pytestmark = [pytest.mark.prosody, pytest.mark.attack]

PAGE = PROJECT / "docs" / "rooms.md"

# What may be done and changes nothing that jicofo sees.
WITHOUT_TRACE = {"enter", "ask jicofo for it", "write to all", "write to one", "ask to speak", "make a breakout room"}
WITHOUT_TRACE |= {"read the list of members", "read the configuration", "list who is in"}
WITHOUT_TRACE |= {what for what, where in ACTS if where == "server"}


def read_table(page: Path) -> dict[tuple[str, str], dict[str, bool]]:
    """(what, where) -> kind of person -> whether they may."""
    table: dict[tuple[str, str], dict[str, bool]] = {}
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 + len(ACTORS) and re.fullmatch("yes|no", cells[-1]):
            assert set(cells[2:]) <= {"yes", "no"}, line
            table[cells[0], cells[1]] = {kind: cell == "yes" for kind, cell in zip(ACTORS, cells[2:], strict=True)}
    return table


TABLE = read_table(PAGE)


@pytest.fixture(scope="module")
def prosody(installation: Installation) -> Iterator[Prosody]:
    yield from running(installation, None, {"lobby": True, "breakout_rooms": True, "timeout": 60})


def test_the_table_is_complete() -> None:
    """Each act that the tests know has its row, and no row is without."""
    assert set(TABLE) == set(ACTS)
    header = "| What | Where | " + " | ".join(ACTORS) + " |"
    assert header in PAGE.read_text()


@pytest.mark.parametrize("kind", ACTORS)
async def test_what_is_not_allowed_is_refused_and_changes_nothing(prosody: Prosody, kind: str) -> None:
    async with Stage(prosody) as stage:
        scene = await Scene(stage).play()
        actor = await scene.actor(kind)
        wrong = []
        for cell, row in TABLE.items():
            if row[kind]:
                continue
            await scene.approach(actor, cell[1])
            before = await scene.state()
            try:
                await ACTS[cell](scene, actor)
                if cell[0] in WITHOUT_TRACE:
                    wrong.append((cell, "was done"))
            except RefusedError:
                pass
            if await scene.state() != before:
                wrong.append((cell, "changed something"))
        assert wrong == []
    assert "traceback" not in prosody.log.lower()


@pytest.mark.parametrize("kind", [kind for kind in ACTORS if any(row[kind] for row in TABLE.values())])
async def test_what_is_allowed_is_done(prosody: Prosody, kind: str) -> None:
    """What changes the call or ends it is each done in a call of its own."""
    cells = [cell for cell, row in TABLE.items() if row[kind]]
    together = [cell for cell in cells if cell[0] in WITHOUT_TRACE]
    wrong: list[object] = []
    for group in [together, *([cell] for cell in cells if cell not in together)]:
        async with Stage(prosody) as stage:
            scene = await Scene(stage).play()
            actor = await scene.actor(kind)
            before = {}
            for cell in group:
                await scene.approach(actor, cell[1])
                before = await scene.state() if group is not together else {}
                try:
                    await ACTS[cell](scene, actor)
                except RefusedError as error:
                    wrong.append((cell, str(error)))
            if await scene.state() == before:
                wrong.append((group, "changed nothing"))
    assert wrong == []


async def test_nobody_becomes_a_contact_of_jicofos(prosody: Prosody) -> None:
    """Prosody would keep the request in jicofo's list of contacts for good."""
    async with Stage(prosody) as stage:
        guest = await stage.tokenless("no token")
        for account in (FOCUS, f"jvb@{AUTH_DOMAIN}"):
            guest.make_presence(pto=account, ptype="subscribe").send()
        await guest.settle()
        await stage.focus.settle()
    assert not list((prosody.directory / "data").rglob("*roster*"))
