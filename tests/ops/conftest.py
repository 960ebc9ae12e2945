from __future__ import annotations

from pathlib import Path

import pytest

from tests.ops.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path)
