"""Preview, deploy and watch one stack where nobody sits at the terminal.

Owns the order: whether the stack may be touched (`ops.ready`), what would change, `pulumi up`, and `ops.verify` as a
caller would. After a failure it says what is down, how to go back, and how to unlock. Nothing is applied but what the
preview showed that was approved.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ops.unattended import foreseen
from ops.unattended.foreseen import Foreseen
from ops.unattended.login import SECRETS

ROOT: Final = Path(__file__).resolve().parents[2]
_ATTEMPTS, _PAUSE = 3, 20.0
"""A stack that has just come up may still wait for its certificate."""


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str


Call = Callable[[Sequence[str], Mapping[str, str]], Done]
"""A command and its environment → what came of it; what it writes to stderr is in the log already."""


def call(command: Sequence[str], environ: Mapping[str, str]) -> Done:
    """Runs a command in the project's directory."""
    run = subprocess.run(command, cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False)
    return Done(run.returncode, run.stdout, run.stderr)


class Stack:
    """One stack of this checkout.

    Args:
        name: its name.
        environ: the environment for the engine, logged in.
        call: runs commands.
        sleep: waits.
    """

    def __init__(
        self, name: str, environ: Mapping[str, str], call: Call = call, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name, self._environ, self._call, self._sleep = name, environ, call, sleep

    def preview(self, *options: str) -> Foreseen:
        """What `up` would do; or why the stack may not be touched."""
        ready = self._call(self._in("program", "ready"), self._environ)
        if ready.code:
            return self._refused(_errors(ready))
        done = self._pulumi("preview", "--json", *options)
        try:
            digest = json.loads(done.out)
        except ValueError:
            return self._refused(_errors(done))
        failed = [one.get("message", "") for one in digest.get("diagnostics") or [] if one.get("severity") == "error"]
        found = foreseen.of_preview(self.name, digest)
        # Where no change is expected, each one makes the exit code another than 0.
        if failed or (done.code and not (found.steps and "--expect-no-changes" in options)):
            return self._refused([line for text in failed for line in text.splitlines()] or _errors(done))
        return found

    def drift(self) -> Foreseen:
        """What really runs against the state and this checkout, and whether it does what callers need."""
        found = self.preview("--refresh", "--expect-no-changes")
        return found if found.errors else replace(found, failed=self._verify(1))

    def up(self, approved: Foreseen | None) -> list[str]:
        """`pulumi up` and `verify`; lines on what went wrong, none where nothing did.

        Args:
            approved: the preview that somebody has seen; None where nobody was to.
        """
        found = self.preview()
        if found.errors:
            return [*found.errors, "Nothing was changed."]
        print(foreseen.as_text(found), flush=True)
        if approved is not None and (approved.errors or approved.steps != found.steps):
            return [
                "`up` would do something else than the preview showed that was approved: nothing was changed. Run the "
                "whole workflow again, and look at its preview.",
            ]
        done = self._pulumi("up", "--yes", "--skip-preview", "--parallel", "4", "--suppress-outputs")
        print(done.out, flush=True)
        if done.code:
            return ["`pulumi up` failed half way:", *self._hide(_errors(done)), *self._ways_back()]
        failed = self._verify(_ATTEMPTS)
        if failed:
            return ["`pulumi up` is done, and calls do not work:", *failed, *self._ways_back()]
        return []

    def _verify(self, attempts: int) -> tuple[str, ...]:
        """A line for each check that failed, the last time."""
        failed: tuple[str, ...] = ()
        for attempt in range(attempts):
            if attempt:
                self._sleep(_PAUSE)
            done = self._call(self._in("ops", "verify", "--json"), self._environ)
            try:
                checks = json.loads(done.out)["checks"]
            except (ValueError, KeyError):
                failed = self._hide(_errors(done))
                continue
            for one in checks:
                print(f"  {one['status']:<8} {one['name']:<12} {one['detail']}", flush=True)
            failed = self._hide(
                [f"{one['name']}: {one['detail']}; {one['fix']}" for one in checks if one["status"] == "failed"]
            )
            if not failed:
                break
        return failed

    def _ways_back(self) -> list[str]:
        return [
            f"Look: make verify STACK={self.name} says what is down; docs/operations.md, When `up` fails.",
            "Go back: git revert the merge and merge that; after a change of jitsiRelease that is the old release again.",
            f"A lock that a cut-off run left: pulumi cancel --stack {self.name}, once no run is under way.",
            "The stacks after this one were not touched.",
        ]

    def _in(self, kind: str, command: str, *options: str) -> list[str]:
        own = [sys.executable, "-m", "ops.environment", kind, "--stack", self.name, "--"]
        return [*own, "python", "-m", "ops", command, "--stack", self.name, *options]

    def _pulumi(self, command: str, *options: str) -> Done:
        return self._call(["pulumi", command, "--stack", self.name, "--non-interactive", *options], self._environ)

    def _refused(self, lines: Sequence[str]) -> Foreseen:
        return Foreseen(self.name, errors=self._hide(lines))

    def _hide(self, lines: Sequence[str]) -> tuple[str, ...]:
        return foreseen.hidden(lines, [self._environ[name] for name in SECRETS if name in self._environ])


def _errors(done: Done) -> list[str]:
    """What a command said of its failure."""
    lines = [line.strip() for line in (done.err + "\n" + done.out).splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if "error:" in line), 0)
    return lines[first:][:20] or [f"exit code {done.code}"]
