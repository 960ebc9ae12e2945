"""Stack files (`Pulumi.<stack>.yaml`) as the engine reads them.

Owns finding, reading and writing them, and turning their values into what the engine would hand to the program.
Decrypts nothing. Does not judge the values (`components.config.load`).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

from components.config.checks import Invalid, boolean
from components.config.checks.text import meant
from components.config.declare import Key
from components.config.keys import KEYS
from components.config.problems import visible
from components.config.secret import ENCRYPTED, ENCRYPTED_URL
from components.config.settings import LOCAL_STACK
from components.config.suggestions import nearest
from ops.errors import OpsError
from ops.project import scalars

ROOT: Final = Path(__file__).resolve().parents[2]
"""The project's directory."""

LOCAL: Final = ".local"
"""The directory in it that holds what is this machine's alone (`ops.project.state`)."""

_TOP: Final = ("config", "environment", "encryptionsalt", "secretsprovider", "encryptedkey")
"""The parts of a stack file (`ProjectStack` in Pulumi's sdk/go/common/workspace/project.go)."""
_DEEPEST: Final = 50
_CIPHERTEXT: Final = re.compile(r"v1:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+|[A-Za-z0-9+/]{16,}={0,2}")
"""What a passphrase or a key service, and what Pulumi Cloud make (pulumi, pkg/secrets)."""

SHAPED: Final = {"docker:host": ENCRYPTED_URL, "docker:sshOpts": "[]", "docker:registryAuth": "[]"}
"""Stand-ins for encrypted values whose shape is checked."""


def _key_shown(text: str) -> str:
    """The key, unless something else stands in its place, which may be a secret."""
    return repr(text) if re.fullmatch(r"[A-Za-z]+(:[A-Za-z]+)?", text) else "in this line"


class _Loader(SafeLoader):
    """YAML 1.2's plain scalars, as the engine has them: `yes`, `on` and `1:30` stay text; a key stands once."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (the base class's own attribute)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            problem = "a list or map stands where a key or text belongs"
            if isinstance(key, yaml.ScalarNode):
                problem = f"the key {_key_shown(key.value)} stands there twice" if key.value in seen else ""
                note = "remove one of them"
                seen.add(key.value)
            else:
                note = "put a value that begins with { or [ in quotes"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark, note)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:merge", lambda _, node: str(node.value))  # as the engine writes the text <<
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])


@dataclass(frozen=True)
class StackConfig:
    """Configuration of one stack, ready for the program.

    Args:
        values: by key with namespace, as text; `ENCRYPTED` or a stand-in for what is encrypted.
        secret_keys: keys whose value is encrypted, at least in part.
    """

    values: dict[str, str]
    secret_keys: frozenset[str]


def path_of(stack: str, root: Path = ROOT) -> Path:
    """The stack's file. Raises OpsError with the names there are, and how a new one is made."""
    path = root / f"Pulumi.{stack}.yaml"
    named = re.fullmatch(r"[A-Za-z0-9._-]{1,100}", stack) is not None
    if not named or not path.is_file():
        names = stacks(root)
        near = nearest(stack, names) if named else None
        meant = f"did you mean {near}? " if near else ""
        new = "a stack's name has letters, digits, dots, hyphens and underscores alone"
        if named:
            source = f"Pulumi.{LOCAL_STACK if LOCAL_STACK in names else 'OTHER'}.yaml"
            new = f"for a new one: cp {source} {path.name}, and give it a publicUrl, httpPort, httpsPort and jvbPort of its own"
        there_are = f"stacks: {', '.join(names) or 'none'}"
        raise OpsError(f"there is no stack {stack!r} here (no file Pulumi.{stack}.yaml); {meant}{there_are}; {new}")
    return path


def stacks(root: Path = ROOT) -> list[str]:
    """Names of the stacks that have a file."""
    return sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in root.glob("Pulumi.?*.yaml") if path.is_file())


def read(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; empty for an empty file. Raises OpsError where it is no YAML or no mapping."""
    content = _parse(path)
    if content is None:
        return {}
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(config, dict | None):
        raise OpsError(f"{_shown(path)} is not a stack file: it needs `config:` with one `KEY: VALUE` a line below it")
    return content


def check(path: Path, content: Mapping[str, Any], project: str) -> None:
    """That the engine would take nothing of a stack file otherwise than it stands there. Raises OpsError.

    Args:
        path: the file, for the message.
        content: what it holds.
        project: namespace of the project's keys.
    """
    for key in map(str, content):
        if key not in _TOP:
            raise OpsError(
                f"{_shown(path)}: Pulumi would pass over {key!r}, which is no part of a stack file; {_meant(key)}"
            )
    names: dict[str, str] = {}
    for name, value in (content.get("config") or {}).items():
        if isinstance(value, dict) and name in (project, "docker", "cloudflare"):
            keys = ", ".join(visible(f"{name}:{key}") for key in value) or f"{name}:KEY"
            raise OpsError(
                f"{_shown(path)}: {name} is a namespace and no key: write {keys} below config, each on one line"
            )
        if str(name) != full_key(str(name), project) and ":" in str(name):
            new = visible(full_key(str(name), project))
            raise OpsError(f"{_shown(path)}: {visible(str(name))} is the old form of {new}: write {new} in its place")
        other = names.setdefault(full_key(str(name), project), str(name))
        if other != str(name):
            raise OpsError(
                f"{_shown(path)}: {visible(other)} and {visible(str(name))} are the same key: remove one of them"
            )
        if value is None:
            raise OpsError(f"{_shown(path)}: {visible(str(name))} is empty: give it a value, or remove the line")


def _meant(key: str) -> str:
    near = nearest(key, _TOP)
    return f"did you mean {near}?" if near else "keys stand below `config:`, indented"


@functools.cache
def read_project(root: Path = ROOT) -> dict[str, Any]:
    """Pulumi.yaml; its `name` is the namespace of the project's keys. Raises OpsError where it has none."""
    path = root / "Pulumi.yaml"
    project = _parse(path)
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise OpsError(f"{_shown(path)} is not this project's: it has no `name`; put it back from version control")
    return project


def _parse(path: Path) -> Any:
    shown = _shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        _bounded(path, text)
        _check_scalars(path, text)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
        json.dumps(content)  # what JSON cannot carry, the engine cannot either: a set, a date, a map within itself
    except yaml.MarkedYAMLError as error:
        where = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        hint = error.note or "indent with spaces, and put a value with characters such as : # { [ ! * & % in quotes"
        problem = str(error.problem or error.context)
        if isinstance(error, yaml.composer.ComposerError | yaml.constructor.ConstructorError) and not error.note:
            problem = "a value begins with ! or *"  # and may be a secret: PyYAML would repeat it
        elif "tag handle" in problem:
            problem = "a value begins with !"
        raise OpsError(f"{shown}{where} is not valid YAML: {problem}; {hint}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise OpsError(f"{shown}:{line} is not UTF-8: save it in that encoding") from None
    except (AttributeError, LookupError, TypeError, ValueError):
        raise OpsError(
            f"{shown} is nested too deeply or within itself, or has a tag (!!) that is not known here: write plain text"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise OpsError(f"{shown}:{line} has a control character, which YAML does not take: remove it") from None
    except (yaml.YAMLError, OSError) as error:
        raise OpsError(f"{shown} cannot be read: {str(error).splitlines()[0]}") from None
    return content


def _bounded(path: Path, text: str) -> None:
    """That it is one document, and plain YAML. Raises OpsError.

    Raises ValueError for a nesting that would be too deep for the loader, which crashes on it.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            where = f"{_shown(path)}:{event.start_mark.line + 1 if event.start_mark else 1}"
            if documents > 1:
                raise OpsError(f"{where} begins a second document (---), which the engine passes over: keep one")
            if event.version or event.tags:
                raise OpsError(f"{where} has a directive (%YAML, %TAG), at which the engine stops: remove it")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(depth)


def _check_scalars(path: Path, text: str) -> None:
    """That every reader takes the scalars alike. Raises OpsError with each that one would not."""
    lines = []
    for one in scalars.misread(text, loader=_Loader, strict=path.parent.name != LOCAL):
        known = KEYS.get(one.key.rpartition(":")[2])
        # A key that nobody knows may be a misspelt secret.
        shown = known is not None and not known.secret
        instead = _written_instead(known, one) if known is not None and shown else ""
        lines.append(f"{_shown(path)}:{one.line}: {one.message(shown=shown, meant=instead)}")
    if lines:
        raise OpsError("\n".join(lines))


def _written_instead(key: Key, one: scalars.Misread) -> str:
    """What to write instead of a scalar that its key would refuse in quotes, too; empty where quotes are the fix."""
    if key.check is boolean and one.switch:
        return one.switch
    if key.structured or one.fix != "{}":
        return ""
    try:
        key.check(one.written)
    except Invalid as refused:
        return meant(key.check, filter(None, [scalars.decimal(one.written)])) or refused.allowed
    return ""


def _shown(path: Path) -> str:
    """The path as from the project's directory: that of a machine's own copy differs by its directory alone."""
    return f"{LOCAL}/{path.name}" if path.parent.name == LOCAL else path.name


def namespaced(content: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The configuration of a stack file by key with namespace; a key without one is the project's."""
    config = content.get("config") or {}
    return {full_key(str(name), project): value for name, value in config.items()}


def full_key(name: str, project: str) -> str:
    """The key with its namespace: the project's unless it has one.

    `NAMESPACE:config:KEY` is Pulumi's old form of `NAMESPACE:KEY` (`ParseKey` in its sdk/go/common/resource/config).
    """
    return re.sub(r"^([^:]+):config:([^:]+)$", r"\1:\2", name) if ":" in name else f"{project}:{name}"


def engine_config(content: Mapping[str, Any], project: Mapping[str, Any]) -> StackConfig:
    """What the engine would hand to the program, encrypted values aside: the stack file's values over the project's."""
    declared = namespaced({"config": _declared(project)}, project["name"])
    values: dict[str, str] = {}
    secret_keys = set()
    for key, value in {**declared, **namespaced(content, project["name"])}.items():
        values[key] = _text(key, value)
        if has_secret(value):
            secret_keys.add(key)
    if content.get("environment"):  # whose values only the engine sees
        values.setdefault(full_key("publicUrl", project["name"]), KEYS["publicUrl"].default)
    return StackConfig(values=values, secret_keys=frozenset(secret_keys))


def _declared(project: Mapping[str, Any]) -> dict[str, Any]:
    """Values and defaults of the project's own configuration section."""
    found = {}
    for key, about in (project.get("config") or {}).items():
        if not isinstance(about, dict):
            found[key] = about
            continue
        for name in ("value", "default"):
            if name in about:
                found[key] = about[name]
    return found


def is_ciphertext(text: object) -> bool:
    """Whether an encrypted value is one, and not a placeholder such as REPLACE-ME."""
    return isinstance(text, str) and _CIPHERTEXT.fullmatch(text) is not None


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def has_secret(value: Any) -> bool:
    """Whether the value is encrypted, at least in part."""
    if isinstance(value, dict):
        return _is_secret(value) or any(map(has_secret, value.values()))
    return isinstance(value, list) and any(map(has_secret, value))


def _text(key: str, value: Any) -> str:
    if _is_secret(value):
        return SHAPED.get(key, ENCRYPTED)
    if value is None:
        return ""  # as the engine has it
    return value if isinstance(value, str) else json.dumps(_blotted(value), ensure_ascii=False)


def _blotted(value: Any) -> Any:
    if _is_secret(value):
        return "[secret]"
    if isinstance(value, dict):
        return {str(key): _blotted(item) for key, item in value.items()}
    return [_blotted(item) for item in value] if isinstance(value, list) else value
