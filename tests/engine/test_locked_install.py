"""Two installations of the program's locked packages are the same to the byte."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from ops import environment
from ops.environment import PROGRAM, SetupError


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file, and where each link leads."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_an_installation_at_the_same_path_has_the_same_bytes_in_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    found = []
    for _ in range(2):
        try:
            environment.install(folder, [PROGRAM])
        except SetupError as error:
            pytest.skip(str(error))
        found.append(contents(folder))
        shutil.rmtree(folder)
    assert len(found[0]) > 1000
    assert found[0] == found[1]
