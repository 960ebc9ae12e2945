"""Stack files: what `plan` reads is what the real engine hands to the program, also after the engine wrote the file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ops.errors import OpsError
from ops.project import scalars, stackfile
from tests.scalars import SCALARS

pytestmark = pytest.mark.engine

PROJECT: Final = {"name": "videobackend"}
TAKEN: Final = [written for written, text in SCALARS.items() if text is not None]

Pulumi = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a stack `dev` in a state of its own."""
    if shutil.which("pulumi") is None:
        pytest.skip("no pulumi on PATH")
    made = tmp_path_factory.mktemp("engine")
    (made / "state").mkdir()
    (made / "Pulumi.yaml").write_text("name: videobackend\nruntime: python\n")
    return made


@pytest.fixture(scope="module")
def pulumi(folder: Path) -> Pulumi:
    """Runs the real CLI there; its output."""
    foreign = ("PULUMI_", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "consumers",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments: str, works: bool = True) -> str:
        command = ["pulumi", *arguments, "--stack", "dev", "--non-interactive"]
        if arguments[:2] == ("stack", "init"):
            command = ["pulumi", *arguments, "dev", "--non-interactive"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode == 0) is works, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    run("stack", "init")
    return run


def stack_file(written: dict[str, str]) -> str:
    return "config:\n" + "".join(f"  videobackend:{key}: {scalar}\n" for key, scalar in written.items())


def engine_reads(pulumi: Pulumi) -> dict[str, str]:
    return {key: one["value"] for key, one in json.loads(pulumi("config", "--json")).items()}


def plan_reads(file: Path) -> dict[str, str]:
    return stackfile.engine_config(stackfile.read(file), PROJECT).values


STOPPING: Final = (".inf", "-.INF", ".nan", '"\\t\\nabc"')
"""With these the engine stops, for this key and every other one."""


def test_plan_and_engine_read_the_same(folder: Path, pulumi: Pulumi) -> None:
    file = folder / "Pulumi.dev.yaml"
    file.write_text(stack_file({f"k{number}": written for number, written in enumerate(TAKEN)}), encoding="utf-8")
    ours = plan_reads(file)
    assert len(ours) == len(TAKEN)
    assert ours == engine_reads(pulumi)


def test_what_is_refused_is_what_the_engine_takes_otherwise_or_yaml_1_1_does(folder: Path, pulumi: Pulumi) -> None:
    """Otherwise the refusal would be of no use to anybody."""
    file = folder / "Pulumi.dev.yaml"
    refused = [written for written, text in SCALARS.items() if text is None and written not in STOPPING]
    file.write_text(stack_file({f"k{number}": written for number, written in enumerate(refused)}), encoding="utf-8")
    engine = engine_reads(pulumi)
    for number, written in enumerate(refused):
        one = engine[f"videobackend:k{number}"]
        try:
            elsewhere: Any = yaml.safe_load(written)
        except yaml.YAMLError:
            elsewhere = None
        # The specification of YAML 1.1 has y for true; PyYAML hasn't.
        known = (written.isdigit() and len(written) > 15) or written == "y"
        assert one != written or elsewhere != written or known, f"{written} is text to everybody"


def test_a_copy_round_trips_through_reader_engine_and_a_config_set(folder: Path, pulumi: Pulumi) -> None:
    values = {f"videobackend:k{number}": SCALARS[written] for number, written in enumerate(TAKEN)}
    local = folder / stackfile.LOCAL
    local.mkdir(exist_ok=True)
    file = local / "Pulumi.dev.yaml"
    file.write_text(scalars.dump({"config": values}), encoding="utf-8")
    chosen = ("--config-file", str(file))
    listed = json.loads(pulumi("config", "--json", *chosen))
    assert {key: one["value"] for key, one in listed.items()} == values == plan_reads(file)
    pulumi("config", "set", "another", "1", *chosen)
    assert plan_reads(file) == {**values, "videobackend:another": "1"}


@pytest.mark.parametrize("written", STOPPING)
def test_what_stops_the_engine_is_refused_before(folder: Path, pulumi: Pulumi, written: str) -> None:
    file = folder / "Pulumi.dev.yaml"
    file.write_text(stack_file({"k": written}))
    pulumi("config", "--json", works=False)
    with pytest.raises(OpsError, match=r"^Pulumi\.dev\.yaml:2: "):
        stackfile.read(file)
