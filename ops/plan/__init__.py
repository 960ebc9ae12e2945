"""The plan of a stack with no engine, no Docker and no credentials, in four forms.

Owns which form is made of what. One screen and the drawing come from settings and blueprint alone, so that they need
neither Pulumi nor the providers' packages; the tree and JSON are what the program registers (`program`), as the engine
gets it. A plan compares with no state: it says what there will be, not what will change.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.config import examples, rules
from components.config.load import load_all
from components.config.problems import SettingsError
from components.config.providers import CLOUDFLARE_TOKEN
from components.config.secret import ENCRYPTED
from components.config.settings import Settings
from ops import preflight
from ops.project import fixes, local_copy, stackfile, state
from ops.project.stackfile import StackConfig
from ops.project.state import StackState

FORMS = ("screen", "full", "json", "mermaid")
_UNOPENED = "the stack file's `environment` was not opened: values from there are missing here"


@dataclass(frozen=True)
class Source:
    """What a plan is made from.

    Args:
        stack_state: where the stack is.
        tracked: content of its tracked file.
        config: the configuration that the engine would hand over, encrypted values aside.
        project: namespace of its own keys.
    """

    stack_state: StackState
    tracked: Mapping[str, Any]
    config: StackConfig
    project: str

    @classmethod
    def read(cls, stack: str, root: Path) -> Source:
        """The files of the stack. Raises OpsError for no such stack, or a broken file."""
        stack_state = state.of_stack(stack, os.environ, root)
        tracked = stackfile.read(stack_state.tracked)
        project = stackfile.read_project(root)
        stackfile.check(stack_state.tracked, tracked, project["name"])
        config = stackfile.engine_config(local_copy.with_local_secrets(stack_state, tracked), project)
        # Asked for with dnsZone only; no plan needs the real one.
        values = {CLOUDFLARE_TOKEN: ENCRYPTED, **config.values}
        secret_keys = config.secret_keys | ({CLOUDFLARE_TOKEN} - set(config.values))
        return cls(stack_state, tracked, StackConfig(values, secret_keys), str(project["name"]))

    def settings(self) -> Settings:
        """The settings. Raises SettingsError, in the words for this stack."""
        stack = self.stack_state.stack
        try:
            return load_all(self.config.values, stack=stack, secret_keys=self.config.secret_keys, project=self.project)
        except SettingsError as error:
            raise fixes.with_fixes(error, self.stack_state, self.tracked, note=self._left_out) from None

    @property
    def warnings(self) -> list[str]:
        """What the plan itself has to say, beside what the settings say."""
        left_out = self._left_out
        return ([_UNOPENED] if self.tracked.get("environment") else []) + ([left_out] if left_out else [])

    @property
    def _left_out(self) -> str:
        """One sentence on the settings of this machine alone, which `make up` takes and a plan does not; or nothing."""
        keys = local_copy.own_plain_keys(self.stack_state)
        local = f"{stackfile.LOCAL}/{self.stack_state.config_file.name}"
        return (
            f"plan and review are of {self.stack_state.tracked.name} alone; {fixes.make(self.stack_state.stack, 'up')} also "
            f"takes what make config set or removed on this machine: {', '.join(keys)} ({local})"
            if keys
            else ""
        )


def run(stack: str, *, form: str) -> int:
    """`python -m ops plan`: prints the plan; 0, or 1 where its tree breaks a mandatory rule of `policies`.

    Warnings of a JSON plan or a drawing go to stderr.

    Raises OpsError and SettingsError.
    """
    source = Source.read(stack, stackfile.ROOT)
    settings = source.settings()
    if form in ("screen", "mermaid"):
        from ops.plan import drawing, screen

        own = map(examples.warning, preflight.examples(source.config, source.project))
        warnings = [*rules.warnings(settings), *source.warnings, *own]
        if form == "screen":
            print(screen.render(settings, warnings))
            return 0
        print(drawing.render(settings))
    else:
        from ops.plan import program

        result = program.plan(source)
        warnings = result.warnings
        if form == "full":
            from ops.plan import policies

            broken = policies.violations(source, result)
            print(program.as_tree(result, policies.told(broken)))
            return 1 if policies.stopping(broken) else 0
        print(program.as_json(result))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0
