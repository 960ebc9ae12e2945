"""The bare program to compare with: the same resources as literal SDK calls, with no code around them.

Written from the state of the real stack after its `up`. The components are left out, and so are the outputs; every
other resource stands there with the inputs, secrets and dependencies it has in that state. The bare stack gets the same
state, so that its preview must foresee no change, as the real one's.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_STACK: Final = "pulumi:pulumi:Stack"

PROJECT_FILE: Final = """name: videobackend
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
"""


def state_without_components(exported: Mapping[str, Any]) -> dict[str, Any]:
    """The exported state with each resource directly below the stack; without components and outputs."""
    state = copy.deepcopy(dict(exported))
    resources = state["deployment"]["resources"]
    stack = next(one["urn"] for one in resources if one["type"] == _STACK)
    kept = [one for one in resources if one["type"] == _STACK or one["custom"]]
    head = stack.rpartition("::" + _STACK)[0]
    renamed = {one["urn"]: f"{head}::{one['type']}::{one['urn'].rpartition('::')[2]}" for one in kept}
    dropped = {one["urn"] for one in resources} - set(renamed)
    for one in kept:
        if one["type"] == _STACK:
            one["outputs"] = {}
        elif one.get("parent"):
            one["parent"] = stack
        one["dependencies"] = [urn for urn in one.get("dependencies") or () if urn not in dropped]
        for name in list(one):
            if name.startswith("resourceHook"):
                del one[name]
    text = json.dumps(kept)
    for old, new in sorted(renamed.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(json.dumps(old)[:-1], json.dumps(new)[:-1])
    state["deployment"]["resources"] = json.loads(text)
    return state


def program(state: Mapping[str, Any]) -> str:
    """Python that registers just the resources of a state from `state_without_components`."""
    lines = ["import pulumi"]
    variables: dict[str, str] = {}
    body: list[str] = []
    imported: set[str] = set()
    for one in state["deployment"]["resources"]:
        name = one["urn"].rpartition("::")[2]
        provider = one["type"].startswith("pulumi:providers:")
        if one["type"] == _STACK or (provider and name.startswith("default")):
            continue
        package, kind = (one["type"].rpartition(":")[2], "Provider") if provider else _class(one["type"])
        imported.add(package)
        variables[one["urn"]] = variable = f"r{len(variables)}"
        options = _options(one, variables)
        inputs = {key: value for key, value in one["inputs"].items() if key != "__internal"}
        if provider:
            inputs.pop("version", None)
        arguments = ", ".join(f"{_snake(key)}={_literal(value)}" for key, value in _set_by_hand(inputs).items())
        body.append(f"{variable} = pulumi_{package}.{kind}({name!r}, {arguments}{options})")
    lines += [f"import pulumi_{package}" for package in sorted(imported)]
    return "\n".join([*lines, "", *body, ""])


def write(folder: Path, venv: Path, state: Mapping[str, Any]) -> None:
    """The bare project's files."""
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(PROJECT_FILE, encoding="utf-8")
    (folder / "__main__.py").write_text(program(state), encoding="utf-8")
    (folder / ".venv").symlink_to(venv)


def _class(kind: str) -> tuple[str, str]:
    package, _, name = kind.split(":")
    return package, name


def _options(one: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    options = []
    provider = one.get("provider", "").rpartition("::")[0]
    if provider in variables:
        options.append(f"provider={variables[provider]}")
    needed = [variables[urn] for urn in one["dependencies"] if urn in variables]
    if needed:
        options.append(f"depends_on=[{', '.join(needed)}]")
    return f", opts=pulumi.ResourceOptions({', '.join(options)})" if options else ""


def _set_by_hand(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs that a program sets: without the defaults that the provider has filled in."""
    filled = {"__defaults", *inputs.get("__defaults", ())}
    return {key: value for key, value in inputs.items() if key not in filled}


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return f"pulumi.Output.secret({_literal(json.loads(value['plaintext']))})"
        items = (f"{_snake(key)!r}: {_literal(item)}" for key, item in _set_by_hand(value).items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def _snake(name: str) -> str:
    """`contentBase64` → `content_base64`; a name that is no identifier, such as a path, stays."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower() if name.isidentifier() else name
