"""docker-compose's files: what environment, ports and mounts each service gets.

Reads `docker-compose.yml` and the override beside it as docker-compose merges them: a later file's variable beats an
earlier one's, ports and mounts add up. Owns that, and the interpolation of `${NAME}`. Profiles, `extends` and `include`
are no part of what is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from ops.errors import OpsError
from ops.importer import dotenv_file

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES: Final = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_VARIABLE: Final = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^{}]*))?\})", re.ASCII)


@dataclass
class Service:
    """What one service gets.

    Args:
        environment: variables by name; None for one that is handed over from the `.env` file.
        origins: the file in which each stands.
        ports: as they stand there, resolved.
        mounts: source and target of each mount, resolved.
        image: its image, empty without one.
        restart: its restart policy, empty without one.
        beyond: options that have no place here.
    """

    environment: dict[str, str | None] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    mounts: dict[str, str] = field(default_factory=dict)
    image: str = ""
    restart: str = ""
    beyond: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Compose:
    """Services by name; the variables that the files mention; the faults as place and reason."""

    services: dict[str, Service]
    mentioned: frozenset[str]
    faults: tuple[tuple[str, str], ...]


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")


class _Loader(yaml.SafeLoader):
    """A tag of a program's own, as in a text for another one, leaves the value as it stands."""


def _untagged(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _untagged)


def read_yaml(path: Path) -> Any:
    """A YAML file's content. Raises OpsError where it is none."""
    text = dotenv_file.text_of(path)
    if _HALF.search(text):
        raise OpsError(f"{path} has an escape of half a character (\\uD800 to \\uDFFF): write the character itself")
    try:
        if text.count("*") > 1000 or text.count("&") > 1000:
            raise ValueError("anchors")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise OpsError(f"{path}{where} is not valid YAML: mend it as docker-compose or Helm asks for") from None
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError, LookupError):
        raise OpsError(f"{path} is not valid YAML: mend it as docker-compose or Helm asks for") from None


def find(directory: Path, variables: Mapping[str, str]) -> list[Path]:
    """The compose files of a directory: those of COMPOSE_FILE, else the one there is and its override.

    Raises OpsError where one that COMPOSE_FILE names is not there.
    """
    if chosen := variables.get("COMPOSE_FILE"):
        files = [directory / name for name in chosen.split(variables.get("COMPOSE_PATH_SEPARATOR") or ":")]
        for file in files:
            if not file.is_file():
                raise OpsError(f"{file} is named by COMPOSE_FILE in .env, and is not there")
        return files
    base = [directory / name for name in NAMES if (directory / name).is_file()][:1]
    return [*base, *[directory / name for name in OVERRIDES if (directory / name).is_file()][:1]] if base else []


def read(paths: list[Path], variables: Mapping[str, str]) -> Compose:
    """The services of compose files. Raises OpsError where one is no compose file."""
    services: dict[str, Service] = {}
    mentioned: set[str] = set()
    faults: list[tuple[str, str]] = []
    for path in paths:
        content = read_yaml(path)
        named = content.get("services") if isinstance(content, dict) else None
        if not isinstance(named, dict):
            raise OpsError(f"{path} is not a compose file: it has no `services:`")
        resolve = _resolver(path, variables, mentioned, faults)
        for name, about in named.items():
            service = services.setdefault(str(name), Service())
            if isinstance(about, dict):
                _merge(service, about, path, resolve)
    return Compose(services, frozenset(mentioned), tuple(faults))


Resolve = Callable[[Any], str]


def _resolver(path: Path, variables: Mapping[str, str], mentioned: set[str], faults: list[tuple[str, str]]) -> Resolve:
    def resolve(value: Any) -> str:
        if isinstance(value, dict | list):
            raise OpsError(f"{path}: a list or map stands where a text belongs")
        text = "" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)

        def replaced(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            name = match[2] or match[3]
            mentioned.add(name)
            given, operator, other = variables.get(name), match[4] or "", match[5] or ""
            absent = given is None or (operator.startswith(":") and not given)
            if operator.endswith("+"):
                return "" if absent else other
            if absent and operator.endswith("?"):
                faults.append((f"{path.name}, ${{{name}}}", f"{name} is required there, and .env does not set it"))
            return other if absent and operator.endswith("-") else given or ""

        if "$" in _VARIABLE.sub("", text):
            faults.append((path.name, "a ${...} that not every docker-compose reads alike"))
        return _VARIABLE.sub(replaced, text)

    return resolve


def _merge(service: Service, about: Mapping[Any, Any], path: Path, resolve: Resolve) -> None:
    for name in _listed(about.get("env_file")):
        _env_file(service, path.parent / (resolve(name.get("path")) if isinstance(name, dict) else resolve(name)))
    environment = about.get("environment")
    pairs = environment.items() if isinstance(environment, dict) else map(_pair, _listed(environment))
    for name, value in pairs:
        service.environment[str(name)] = None if value is None else resolve(value)
        service.origins[str(name)] = path.name
    for port in _listed(about.get("ports")):
        service.ports.append(_port(port, resolve))
    for mount in _listed(about.get("volumes")):
        source, target = _mount(mount, resolve)
        service.mounts[target] = source
    service.image = resolve(about.get("image")) or service.image
    service.restart = resolve(about.get("restart")) or service.restart
    service.beyond += [name for name in ("command", "entrypoint", "extends", "build") if about.get(name)]


def _env_file(service: Service, path: Path) -> None:
    entries, faults = dotenv_file.read(dotenv_file.text_of(path))
    if faults:
        raise OpsError(f"{path}:{faults[0].line} {faults[0].reason}: write NAME='VALUE'")
    for name, entry in entries.items():
        service.environment[name] = entry.value
        service.origins[name] = f"{path.name}:{entry.line}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None or isinstance(value, dict) else [value]


def _pair(item: Any) -> tuple[str, Any]:
    name, equals, value = str(item).partition("=")
    return name, value if equals else None


def _port(port: Any, resolve: Resolve) -> str:
    """`[IP:]PUBLISHED:TARGET[/PROTOCOL]`."""
    if not isinstance(port, dict):
        return resolve(port)
    parts = [resolve(port[key]) for key in ("host_ip", "published", "target") if port.get(key) is not None]
    protocol = f"/{resolve(port['protocol'])}" if port.get("protocol") else ""
    return ":".join(parts) + protocol


def _mount(mount: Any, resolve: Resolve) -> tuple[str, str]:
    if isinstance(mount, dict):
        return resolve(mount.get("source")), resolve(mount.get("target"))
    parts = resolve(mount).split(":")
    return (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
