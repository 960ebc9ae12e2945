"""`python -m bench`: the program's figures against their targets, as ratios of medians taken in one run.

What a machine cannot measure is said with its reason. The stand-ins for the images are those of tests/engine; the
checkout's own stacks are not touched.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import bare
from bench.compose import Compose, command
from bench.measure import Figure, Unavailable, interleaved, machine, seconds
from bench.outage import OUTAGE, outage
from bench.setup import first_plan
from components.config.load import load as load_settings
from components.stack import services
from components.stack.spec import ContainerSpec
from ops.project.stackfile import ROOT
from tests.engine import standin, toolbox
from tests.engine.standin import Variant
from tests.engine.toolbox import Missing, Toolbox
from tests.engine.workspace import Workspace, free_ports

PREVIEW: Final = ("no-change preview / bare program", 1.05)
UP: Final = ("up --skip-preview from nothing / docker-compose up", 1.0)
PLAN: Final = ("ops plan / import of the SDKs", 1.3)
REFRESHED: Final = "preview after refresh"
FLOOD: Final = "prosody_flood"
DELAY: Final = 5.0
"""Seconds from a stand-in's start until it is healthy: about what the real images need."""
REGISTRY: Final = "videobackend-bench"
WARM_UP: Final = 1
ALL: Final = ("setup", "plan", "preview", "up", "change", "flood")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what was asked for; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=ALL, action="append", help="leave out the rest")
    parser.add_argument("--previews", type=int, default=9, metavar="PAIRS")
    parser.add_argument("--ups", type=int, default=3, metavar="PAIRS")
    parser.add_argument("--changes", type=int, default=5, metavar="PAIRS")
    parser.add_argument("--setups", type=int, default=2, metavar="PAIRS")
    parser.add_argument("--plans", type=int, default=11, metavar="PAIRS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    chosen = options.only or ALL
    about = machine()
    figures: list[Figure] = []
    facts: dict[str, str] = {}
    if "setup" in chosen:
        figures.append(first_plan(options.setups))
    if "plan" in chosen:
        figures.append(_plan(options.plans))
    if {"preview", "up", "change"} & set(chosen):
        figures += _engine(chosen, options, facts)
    flood = _flood() if "flood" in chosen else None
    if options.json:
        shown = {"machine": about, "figures": [one.as_dict() for one in figures], "facts": facts, "flood": flood}
        print(json.dumps(shown, indent=2))
    else:
        _print(about, figures, facts, flood)
    return int(any(one.reached is False for one in figures))


def _plan(pairs: int) -> Figure:
    plan = [sys.executable, "-m", "ops", "plan"]
    imports = [sys.executable, "-c", "import pulumi, pulumi_docker, pulumi_random, pulumi_tls"]

    def timed(command_line: Sequence[str]) -> float:
        return seconds(lambda: subprocess.run(command_line, cwd=ROOT, check=True, capture_output=True))

    for _ in range(WARM_UP):
        timed(plan), timed(imports)
    return interleaved(*PLAN, pairs, lambda: timed(plan), lambda: timed(imports))


def _engine(chosen: Sequence[str], options: argparse.Namespace, facts: dict[str, str]) -> list[Figure]:
    """The figures that need the engine and Docker, on one stack."""
    wanted = [one for name, one in (("preview", PREVIEW), ("up", UP), ("change", OUTAGE)) if name in chosen]
    with tempfile.TemporaryDirectory(prefix="videobackend-bench-") as temporary:
        folder = Path(temporary)
        try:
            tools = toolbox.find(folder / "home", ROOT / ".pytest_cache" / "d" / "engine")
        except Missing as missing:
            facts[REFRESHED] = f"not measured: {missing}"
            return [Figure(*one, reason=str(missing)) for one in wanted]
        with standin.images(tools.busybox, [Variant(REGISTRY, delay=DELAY)]), _stack(folder, tools) as stack:
            figures = []
            if UP in wanted:
                figures.append(_ups(folder, stack, options.ups))
            stack.up()
            if PREVIEW in wanted:
                figures.insert(0, _previews(folder, tools, stack, options.previews))
            if OUTAGE in wanted:
                figures.append(_changes(folder, stack, options.changes))
            stack.refresh()
            foreseen = {step["op"] for step in stack.steps()} - {"same"}
            facts[REFRESHED] = f"foresees {', '.join(sorted(foreseen))}" if foreseen else "no change"
            return figures


@contextmanager
def _stack(folder: Path, tools: Toolbox) -> Iterator[Workspace]:
    stack = Workspace(folder / "ours", tools, registry=REGISTRY)
    try:
        yield stack
    finally:
        stack.clean_up()


def _previews(folder: Path, tools: Toolbox, stack: Workspace, pairs: int) -> Figure:
    exported = json.loads(stack.pulumi("stack", "export", "--show-secrets", "--stack", stack.stack).out)
    state = bare.state_without_components(exported)
    other = stack.twin(folder / "bare")
    bare.write(other.project, tools.venv, state)
    other.take_over(state)

    def timed(one: Workspace) -> Callable[[], float]:
        def preview() -> float:
            runs = []
            taken = seconds(lambda: runs.append(one.preview("--expect-no-changes")))
            if runs[0].code:
                raise RuntimeError(f"a preview foresees changes:\n{runs[0].text}")
            return taken

        return preview

    for _ in range(WARM_UP):
        timed(stack)(), timed(other)()
    return interleaved(*PREVIEW, pairs, timed(stack), timed(other))


def _ups(folder: Path, stack: Workspace, pairs: int) -> Figure:
    try:
        project = _compose(folder / "compose", stack)
    except Unavailable as reason:
        return Figure(*UP, reason=str(reason))

    def ours() -> float:
        taken = seconds(lambda: stack.up("--skip-preview"))  # as `make up` runs it
        stack.destroy()
        return taken

    def theirs() -> float:
        try:
            return seconds(project.up)
        finally:
            project.down()

    return interleaved(*UP, pairs, ours, theirs)


def _changes(folder: Path, stack: Workspace, pairs: int) -> Figure:
    """On the stack that is up, and on a compose project beside it."""
    try:
        project = _compose(folder / "compose-changed", stack)
    except Unavailable as reason:
        return Figure(*OUTAGE, reason=str(reason))
    timeouts = itertools.count(21)

    def ours() -> float:
        stack.config["conferenceTimeout"] = next(timeouts)
        stack.write()
        return outage(lambda: stack.up("--skip-preview"), f"videobackend.stack={stack.stack}")

    def theirs() -> float:
        project.write(_compose_specs(stack))
        return outage(project.up, f"com.docker.compose.project={_compose_name(stack)}")

    try:
        project.up()
        return interleaved(*OUTAGE, pairs, ours, theirs)
    finally:
        project.down()


def _compose(folder: Path, stack: Workspace) -> Compose:
    command()
    return Compose(folder, _compose_name(stack), _compose_specs(stack))


def _compose_name(stack: Workspace) -> str:
    return f"bench-{stack.stack}"


def _compose_specs(stack: Workspace) -> Sequence[ContainerSpec]:
    """The stack's containers at ports of their own, the same at each call for one stack."""
    values = {key: str(value) for key, value in stack.config.items()}
    values |= zip(("httpPort", "httpsPort", "jvbPort"), map(str, _compose_ports(stack.stack)), strict=True)
    return services.specs(load_settings(values, stack="bench"))


@functools.cache
def _compose_ports(_stack: str) -> tuple[int, int, int]:
    return free_ports()


def _flood() -> str:
    """The report of the Prosody benchmark, which says by itself what it cannot measure."""
    if not (ROOT / "bench" / "prosody_flood.py").is_file():
        return "not measured: bench/prosody_flood.py is not there"
    run = subprocess.run(
        [sys.executable, "-m", "bench.prosody_flood"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = (run.stdout if run.stdout.strip() else run.stderr).strip().splitlines()
    if run.returncode and not run.stdout.strip():
        return f"not measured: {lines[-1] if lines else 'it said nothing'}"
    return "\n".join(lines)


def _print(about: dict[str, object], figures: Sequence[Figure], facts: dict[str, str], flood: str | None) -> None:
    load = about["load"]
    print(f"{about['date']}; {about['processor']}, {about['cores']} cores, {about['system']}; load before: {load}")
    print()
    width = max((len(one.name) for one in figures), default=0)
    print(f"{'ratio of medians':<{width}}  target  ratio  ours      theirs    pairs")
    for one in figures:
        if one.ratio is None:
            print(f"{one.name:<{width}}  ≤ {one.target:<5} not measured: {one.reason}")
            continue
        ours, theirs = statistics.median(one.ours), statistics.median(one.theirs)
        missed = "" if one.reached else "  missed"
        print(
            f"{one.name:<{width}}  ≤ {one.target:<5} {one.ratio:<5.2f}  {ours:6.2f} s  {theirs:6.2f} s  "
            f"{len(one.ours):>5}{missed}"
        )
    for name, text in facts.items():
        print(f"{name}: {text}")
    if flood is not None:
        print(f"\n{FLOOD}:\n{flood}")


if __name__ == "__main__":
    sys.exit(main())
