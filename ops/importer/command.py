"""`make import`: from the path of an installation to a stack file, or to what stands against it.

Owns the order: read, judge, tell, compare, write. Nothing is written while a value is refused or a stack file differs.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from components.config import branding, examples
from components.config.keys import KEYS
from components.config.load import load_all
from components.config.problems import Problem, SettingsError, shell
from components.config.secret import ENCRYPTED
from ops.errors import OpsError
from ops.importer import chart, checkout, mapping, report, writing
from ops.importer.outcome import Outcome
from ops.importer.source import Fault, Source
from ops.importer.writing import Wanted
from ops.project import fixes, stackfile

LOOK: Final = "branding"
"""The directory that has the files of each imported stack's look."""


def run(stack: str, given: str, *, statistics: str | None = None, dry_run: bool = False, renew: bool = False) -> int:
    """`python -m ops import`: 0 where the stack file is there as the installation has it, or 1 with the reason.

    Args:
        stack: the new stack's name.
        given: path of the installation.
        statistics: path of its statistics.cfg.lua, where that is not where a checkout has it.
        dry_run: nothing is written.
        renew: refused secrets are left out, and generated anew.
    """
    if not given:
        raise OpsError(
            "name the installation: make import FROM=PATH STACK=NAME, where PATH is its directory, .env or values.yaml"
        )
    writing.check_name(stack)
    root = stackfile.ROOT
    source = read(Path(given).expanduser(), Path(statistics).expanduser() if statistics else None)
    branding_dir = f"{LOOK}/{stack}" if source.look else ""
    result = mapping.outcome_of(source, renew=renew, branding_dir=branding_dir)
    project = str(stackfile.read_project(root)["name"])
    result.faults += look_faults(source) + example_faults(result, project)
    print(report.groups(source, result), flush=True)
    if result.faults:
        print(f"\n{report.refused(result.faults, _again(stack, given, statistics))}", file=sys.stderr)
        return 1
    wanted = Wanted(
        stack=stack,
        root=root,
        config={**result.config, **({"environment": result.environment} if result.environment else {})},
        secrets={**result.secrets, **result.environment_secrets},
        look=source.look,
        branding_dir=branding_dir,
    )
    if found := writing.differences(wanted):
        print(f"\n{report.differences(found, wanted.file.name)}", file=sys.stderr)
        return 1
    remaining = remaining_problems(stack, source, result, root)
    done = [] if dry_run else writing.write(wanted)
    print(f"\n{_ending(done, wanted, dry_run=dry_run)}")
    if remaining:
        print(f"\n{report.still_to_set(remaining, stack, project)}")
    elif not dry_run:
        print(f"next: {fixes.make(stack, 'plan')}, and docs/moving-in.md for the change-over")
    return 0


def read(path: Path, statistics: Path | None) -> Source:
    """The installation at a path. Raises OpsError where there is none."""
    try:
        if not path.exists():
            raise OpsError(
                f"{path} does not exist: give the directory, the .env or the values.yaml of the installation"
            )
        if chart.is_values_file(path) and not (path / checkout.ENV).exists():
            return chart.read(path)
        return checkout.read(path, statistics)
    except ValueError:  # a null byte in a path
        raise OpsError(f"{str(path)!r} is no path") from None


def look_faults(source: Source) -> list[Fault]:
    """What of the look's files brandingDir would refuse."""
    if not source.look:
        return []
    with tempfile.TemporaryDirectory(prefix="videobackend-look-") as scratch:
        directory = Path(scratch) / "look"
        writing.write_files(directory, source.look)
        try:
            branding.read(str(directory))
        except branding.Unusable as error:
            return [
                Fault(
                    one.name or "the files of the look",
                    f"brandingDir takes {one.allowed}",
                    "change it in the installation",
                )
                for one in error.faults
            ]
    return []


def example_faults(result: Outcome, project: str) -> list[Fault]:
    """Values that lead nowhere: names and addresses of documentations."""
    values = {stackfile.full_key(key, project): value for key, value in result.config.items()}
    return [
        Fault(f"{one.key}, {one.given}", "an example of a documentation, which leads nowhere", "enter your own")
        for one in examples.examples(values, project)
    ]


def remaining_problems(stack: str, source: Source, result: Outcome, root: Path) -> Sequence[Problem]:
    """What `up` would refuse in the new stack file, or could not know; the look is judged by itself."""
    project = stackfile.read_project(root)
    config: dict[str, Any] = {key: value for key, value in result.config.items() if key != "brandingDir"}
    if result.environment:
        config["environment"] = result.environment
    secrets: Mapping[str, Any] = {key: {"secure": ENCRYPTED} for key in result.secrets}
    found = stackfile.engine_config({"config": {**config, **secrets}}, project)
    refused: Sequence[Problem] = ()
    try:
        load_all(found.values, stack=stack, secret_keys=found.secret_keys, project=project["name"])
    except SettingsError as error:
        refused = error.problems
    known = {one.key for one in refused}
    asked = [
        Problem(key, None, reason=reason, example=KEYS[key].example)
        for key, reason in source.asked.items()
        if key in KEYS and key not in config and key not in known
    ]
    return [*refused, *asked]


def _again(stack: str, given: str, statistics: str | None) -> str:
    arguments = ["--renew", *(["--statistics", statistics] if statistics else [])]
    return fixes.make(stack, "import", f"FROM={shlex.quote(given)}", f"ARGS={shell([shell(arguments)])}")


def _ending(done: Sequence[str], wanted: Wanted, *, dry_run: bool) -> str:
    if dry_run:
        keys = ", ".join([*wanted.config, *wanted.secrets])
        return f"a dry run: nothing was written; the keys of {wanted.file.name} would be {keys or 'none'}"
    return (
        f"written: {', '.join(done)}"
        if done
        else f"{wanted.file.name} is there already and says the same: nothing changed"
    )
