"""The tables of what the images know, beside an installed Debian trixie."""

from __future__ import annotations

from pathlib import Path

from components.config.tables import prosody_modules, time_zones

NO_ZONES = {"Factory", "localtime", "posixrules", "leapseconds", "leap-seconds.list", "tzdata.zi"}


def test_the_time_zones_are_those_of_tzdata_without_tzdata_legacy(trixie: Path) -> None:
    folder = trixie / "usr/share/zoneinfo"
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.suffix != ".tab"
    }
    there = {name for name in there if not name.startswith(("posix/", "right/"))}
    assert there - NO_ZONES == time_zones.NAMES
    assert set(time_zones.LEGACY.values()) <= time_zones.NAMES
    assert not set(time_zones.LEGACY) & time_zones.NAMES


def test_the_modules_of_prosody_are_those_of_the_package(trixie: Path) -> None:
    folder = trixie / "usr/lib/prosody/modules"
    there = {path.name.removeprefix("mod_").removesuffix(".lua") for path in folder.iterdir()}
    assert there - {name for name in there if name.startswith(("auth", "storage_"))} == prosody_modules.PROSODY
