"""The plan by the program itself, run under Pulumi's mocks: every resource as the engine gets it.

Owns running the program, taking down what it registers, and showing it as a tree or as JSON. Secrets never leave this module in plain text: whatever the program
marks as secret is replaced before it is stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper  # type: ignore[assignment]

from components.config.problems import SettingsError
from ops.errors import OpsError
from ops.plan import Source, cloudflare
from ops.project import fixes
from ops.project.stackfile import StackConfig
from policies import resource
from policies.resource import HIDDEN, Resource

_STACK_TYPE: Final = "pulumi:pulumi:Stack"
_SHOWN_LINES: Final = 20
"""A longer text shows as its hash in the tree; JSON has it whole."""


@dataclass(frozen=True)
class Planned:
    """One resource that the program registers; its secrets as `[secret]`."""

    urn: str
    type: str
    name: str
    parent: str | None
    inputs: dict[str, Any]


@dataclass
class Plan:
    """All that the program registers, parents before children."""

    stack: str
    resources: list[Planned] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def children(self, parent: str | None) -> list[Planned]:
        """Resources directly below `parent`."""
        return [one for one in self.resources if one.parent == parent]

    @property
    def judged(self) -> list[Resource]:
        """The resources as the rules see them."""
        return [Resource(one.type, one.name, one.inputs) for one in self.resources]


def plan(source: Source, *, light: bool = False) -> Plan:
    """The plan by what the program registers.

    Args:
        source: the stack.
        light: without pulumi_cloudflare, which takes seconds to load: `cloudflare` stands in for it.

    Raises:
        OpsError: a package that this stack needs is not installed.
        SettingsError: a configuration that the program refuses.
    """
    stack_state = source.stack_state
    if light:
        sys.modules.setdefault("pulumi_cloudflare", cloudflare)
    try:
        result = asyncio.run(_run(stack_state.stack, source.project, source.config, stack_state.root / "__main__.py"))
    except SettingsError as error:
        raise fixes.with_fixes(error, stack_state, source.tracked) from None
    result.warnings += source.warnings
    return result


async def _run(stack: str, project: str, config: StackConfig, program: Path) -> Plan:
    result = Plan(stack)
    os.environ.pop("PULUMI_CONFIG", None)
    pulumi.runtime.set_all_config(config.values, sorted(config.secret_keys))
    nothing = _Mocks()
    monitor = _Recorder(nothing, result)
    mocks.set_mocks(nothing, project, stack, preview=True, logger=_logger(result), monitor=monitor)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    SETTINGS.outputs.clear()  # of an earlier loop, for which the run would wait forever
    try:
        await run_pulumi_func(lambda: _program(program))
    except ModuleNotFoundError as error:
        raise _missing(error, stack) from None
    stack_resource = pulumi.runtime.get_root_resource()
    exported = getattr(stack_resource, "outputs", {})
    result.outputs = _shown_struct(await rpc.serialize_properties(exported, {}))
    result.resources = list(_depth_first(result, None))
    return result


def _program(path: Path) -> None:
    runpy.run_path(str(path), run_name="__main__")


def _missing(error: ModuleNotFoundError, stack: str) -> Exception:
    package = (error.name or "").partition(".")[0]
    if package == "pulumi_cloudflare":
        return OpsError(
            f"stack {stack!r} has dnsZone and pulumi-cloudflare is not installed: pip install -r requirements/dns.txt"
        )
    if package.startswith("pulumi"):
        return OpsError(f"{package} is not installed: pip install -r requirements.txt")
    return error


class _Mocks(mocks.Mocks):
    """Answers look-ups; resources are the recorder's."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        return {**args.args, "id": "[looked up]"}


class _Recorder(mocks.MockMonitor):
    """Takes down registrations as they arrive on the wire, where every secret is still marked item by item."""

    def __init__(self, answers: mocks.Mocks, result: Plan) -> None:
        super().__init__(answers)
        self._result = result

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's URN: the types of all parents but the stack stand before the resource's own."""
        above = parent.split("::")[2] if parent else _STACK_TYPE
        kind = type_ if above == _STACK_TYPE else f"{above}${type_}"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        """Stores the resource; answers with its inputs, and with a stand-in for each generated secret."""
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = _shown_struct(request.object)
        self._result.resources.append(Planned(urn, request.type, request.name, request.parent or None, inputs))
        state = struct_pb2.Struct()
        state.CopyFrom(request.object)
        for name in request.additionalSecretOutputs:
            if name not in state.fields:
                state.fields[name].struct_value.update({rpc._special_sig_key: rpc._special_secret_sig, "value": HIDDEN})
        # No id: what depends on one is then known only after `up`, as in the engine's preview.
        return resource_pb2.RegisterResourceResponse(urn=urn, object=state)


def _logger(result: Plan) -> logging.Logger:
    logger = logging.Logger("plan", logging.WARNING)
    handler = logging.Handler()
    handler.emit = lambda record: result.warnings.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    return logger


def _depth_first(result: Plan, parent: str | None) -> Iterator[Planned]:
    for one in sorted(result.children(parent), key=lambda child: (child.name, child.type)):
        yield one
        yield from _depth_first(result, one.urn)


def _shown_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A message's properties as plain values, secrets as `[secret]`."""
    shown: dict[str, Any] = resource.shown(json_format.MessageToDict(struct))
    return shown


def as_json(result: Plan) -> str:
    """`resources` and `outputs` as JSON."""
    resources = [vars(one) for one in result.resources]
    return json.dumps({"resources": resources, "outputs": result.outputs}, indent=2)


def as_tree(result: Plan, broken: Sequence[str]) -> str:
    """Resources below their parents, each with its inputs; then outputs, warnings, and the rules that are broken."""
    lines = [f"Plan of stack {result.stack!r}: {len(result.resources)} resources", ""]
    for top in result.children(None):
        lines += _branch(result, top, "", "")
    lines += ["", "Outputs:", *_properties(result.outputs, "  ")]
    if result.warnings:
        lines += ["", "Warnings:", *(f"  - {warning}" for warning in result.warnings)]
    lines += ["", "Policies:", *(f"  - {one}" for one in broken or ["every rule is kept"])]
    lines += [
        "",
        "This plan compares with no state: it shows what there will be, not what will change (`pulumi preview` does).",
        "Encrypted values of the stack file count as present; they were not decrypted.",
    ]
    return "\n".join(lines)


def _branch(result: Plan, one: Planned, first: str, rest: str) -> list[str]:
    children = result.children(one.urn)
    lines = [f"{first}{one.type}  {one.name}", *_properties(one.inputs, rest + ("│    " if children else "     "))]
    for child in children:
        last = child is children[-1]
        lines += _branch(result, child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
    return lines


class _Dumper(SafeDumper):
    """YAML with lines of text as lines."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    lines = text.count("\n")
    if lines > _SHOWN_LINES:
        text = f"({lines} lines, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _properties(values: Mapping[str, Any], indent: str) -> list[str]:
    if not values:
        return []
    text = yaml.dump(
        dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return [f"{indent}{line}".rstrip() for line in text.splitlines()]
