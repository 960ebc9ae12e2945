"""What every tier shares: golden files, and Pulumi's runtime kept apart from the tester's own environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

hypothesis_settings.register_profile("default", deadline=None)
hypothesis_settings.load_profile("default")

_FOREIGN = ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "CLOUDFLARE_API_TOKEN", "DOCKER_HOST")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    # The package warns of its own old names while it is imported.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_cloudflare")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Whole files to each worker, so that what a file shares is made once; all that run the program go to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        runs_the_program = file.startswith("tests/component/") or file == "tests/policies/test_rules.py"
        return "tests/component" if runs_the_program else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads what the tester's shell happens to export."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def _event_loop(_loop: asyncio.AbstractEventLoop) -> None:
    """Pulumi makes each Output on the current loop; from Python 3.14 on there is none until one is set."""
    asyncio.set_event_loop(_loop)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares text with a file in the `golden` folder beside the test; `pytest --update-golden` writes it anew."""
    folder = Path(str(request.path)).parent / "golden"

    def compare(name: str, text: str) -> None:
        file = folder / name
        if request.config.getoption("--update-golden"):
            folder.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"{name} differs; --update-golden writes it anew"

    return compare
