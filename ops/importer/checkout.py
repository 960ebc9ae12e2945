"""A docker-compose installation as a `Source`: a checkout of the videoBackend, docker-jitsi-meet's directory, an `.env`.

Owns where such a directory keeps what: `.env`, the compose files, what they mount. Does not judge values (`mapping`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from components.config import branding
from ops.errors import OpsError
from ops.importer import compose_file, dotenv_file, lua_file
from ops.importer.compose_file import Compose, Service
from ops.importer.source import LUA_NAMES, SERVICES, SWITCH, Fault, Note, Source, Variable

ENV: Final = ".env"
FRONT_END: Final = "/usr/share/jitsi-meet/"
SAMPLES: Final = (".env.sample", "env.example")
DEFAULTS: Final = {
    "ENABLE_AUTH": "0",
    "AUTH_TYPE": "internal",
    "ENABLE_BREAKOUT_ROOMS": "1",
    "ENABLE_CLOSE_PAGE": "0",
    "XMPP_MUC_MODULES": "",
    "TZ": "UTC",
}
"""What the images do where a variable is unset, and this program does otherwise (templates of both releases)."""
_STATISTICS_PATHS: Final = (
    "videoBackendConfig/prosody/config/conf.d/statistics.cfg.lua",
    "statistics.cfg.lua",
)
_CUSTOM: Final = {"custom-config.js": branding.CONFIG, "custom-interface_config.js": branding.INTERFACE_CONFIG}
_OWN_CONF: Final = {"jicofo": "custom-jicofo.conf", "jvb": "custom-jvb.conf"}
_GENERATED: Final = ("jitsi-meet.cfg.lua", "visitors.cfg.lua", "brewery.cfg.lua")
"""Written by the image itself."""
OWN_MODULES: Final = ("token_moderation", "close_room", "create_room", "muc_lobby_rooms")
LOBBY_MODULES: Final = ("token_lobby_bypass", "lobby_autostart", "persistent_lobby")
_PUBLISHED: Final = {"80": "HTTP_PORT", "8000": "HTTP_PORT", "443": "HTTPS_PORT", "8443": "HTTPS_PORT"}
_MAX_LOOK: Final = 1000
_OTHER_CERTIFICATES: Final = ("ENABLE_LETSENCRYPT", "DISABLE_HTTPS")
_MOST: Final = 2000
"""Variables of an `.env`; docker-jitsi-meet knows some 500."""
_DATA: Final = (
    "/storage",
    "/var/lib/prosody",
    "/var/spool/cron/crontabs",
    f"{FRONT_END}transcripts",
    f"{FRONT_END}load-test",
)
"""Mounts of docker-jitsi-meet for what its containers write."""


@dataclass
class _Found:
    """What was found so far."""

    variables: list[Variable] = field(default_factory=list)
    look: dict[str, bytes] = field(default_factory=dict)
    certificate: tuple[str, str] | None = None
    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    statistics: bool = False


def read(path: Path, statistics: Path | None = None) -> Source:
    """The installation at `path`, a directory or an `.env`. Raises OpsError where it is neither."""
    found = _Found()
    env = path / ENV if path.is_dir() else path
    if path.is_dir() and not env.exists():
        sample = next((name for name in SAMPLES if (path / name).is_file()), "")
        there = (
            f"; {sample} is the sample, not what an installation runs with: name it if it is what you mean"
            if sample
            else ""
        )
        raise OpsError(
            f"{path} has no {ENV}{there}. Give the directory with {ENV} and docker-compose.yml, an {ENV}, or the chart's values.yaml"
        )
    entries, faults = dotenv_file.read(dotenv_file.text_of(env))
    if path.is_file() and not entries and not faults:
        raise OpsError(f"{path} has no NAME=VALUE: give a file in the form of docker-compose's {ENV}")
    if len(entries) + len(faults) > _MOST:
        raise OpsError(f"{env} has more than {_MOST} variables: no installation has, so give another file")
    found.faults += [
        Fault(
            f"{env.name}:{one.line}",
            f"{one.name}: {one.reason}" if one.name else one.reason,
            "write it as NAME='VALUE'",
        )
        for one in faults
    ]
    values = {name: entry.value for name, entry in entries.items()}
    origins = {name: f"{env.name}:{entry.line}" for name, entry in entries.items()}
    files = compose_file.find(path, values) if path.is_dir() else []
    if files:
        compose = compose_file.read(files, values)
        found.faults += [
            Fault(place, reason, f"set it in {ENV}, or change it there") for place, reason in compose.faults
        ]
        _take_services(found, compose, values, origins)
        for name in SERVICES:
            if service := compose.services.get(name):
                _take_mounts(found, name, service, path)
        found.notes += list(_beyond(compose))
    else:
        found.variables += [Variable(name, value, origins[name]) for name, value in values.items()]
        if path.is_dir():
            _take_config(found, path, values)
    _take_statistics(found, path, statistics)
    _settle_certificate(found)
    kind = f"{ENV} and {' and '.join(file.name for file in files)}" if files else f"{env.name} alone"
    return Source(
        path=path,
        kind=kind,
        variables=tuple(found.variables),
        defaults=DEFAULTS,
        look=found.look,
        certificate=found.certificate,
        notes=tuple(found.notes),
        faults=tuple(found.faults),
    )


def _take_services(found: _Found, compose: Compose, values: Mapping[str, str], origins: Mapping[str, str]) -> None:
    """Each variable with the services that get it, then what the compose files say by other means."""
    reached: dict[tuple[str, str, str], set[str]] = {}
    for role in SERVICES:
        service = compose.services.get(role, Service())
        for name, given in service.environment.items():
            value = values.get(name) if given is None else given
            if value is not None:
                origin = origins.get(name, "") if given is None else service.origins[name]
                reached.setdefault((name, value, origin), set()).add(role)
    found.variables += [Variable(*one, frozenset(services)) for one, services in reached.items()]
    said = list(_said_otherwise(compose))
    found.variables += said
    handed = {name for name, _, _ in reached} | {one.name for one in said} | {"HTTP_PORT", "HTTPS_PORT"}
    for name, value in values.items():
        if name not in handed:
            services = None if name in compose.mentioned else frozenset[str]()
            found.variables.append(Variable(name, value, origins[name], services))


def _said_otherwise(compose: Compose) -> Iterator[Variable]:
    """Ports, restart policy and images, which are no variables of a container."""
    web = compose.services.get("web", Service())
    addresses = set()
    for port in web.ports:
        match = re.fullmatch(r"(?:(.+):)?([0-9]+):([0-9]+)(?:/tcp)?", port)
        if match and match[3] in _PUBLISHED:
            yield Variable(_PUBLISHED[match[3]], match[2], "docker-compose's ports")
            addresses.add((match[1] or "").strip("[]"))
    if addresses - {"", "0.0.0.0"}:
        yield Variable("bindAddress", ",".join(sorted(addresses)), "docker-compose's ports")
    policies = {one.restart for role in SERVICES if (one := compose.services.get(role)) and one.restart}
    for policy in sorted(policies):
        yield Variable("RESTART_POLICY", policy, "docker-compose's restart")
    images = {one.image for role in SERVICES if (one := compose.services.get(role)) and one.image}
    parts = {tuple(re.sub(r"/[^/:]+(?=:|$)", "", image, count=1).rpartition(":")[::2]) for image in images}
    for name, chosen in (
        ("JITSI_IMAGE_REPO", {one for one, _ in parts}),
        ("JITSI_IMAGE_VERSION", {one for _, one in parts}),
    ):
        for value in sorted(chosen - {""}):
            yield Variable(name, value, "docker-compose's image")


def _beyond(compose: Compose) -> Iterator[Note]:
    for name, service in compose.services.items():
        if name not in SERVICES:
            yield Note(f"service {name}", "a container that no stack has: run it beside by docker-compose", lost=True)
        for option in dict.fromkeys(service.beyond if name in SERVICES else ()):
            yield Note(f"{name}: {option}", "the images run as they are", lost=True)


def _take_mounts(found: _Found, role: str, service: Service, root: Path) -> None:
    for target, source in service.mounts.items():
        if not source.startswith((".", "/", "~")):
            continue  # a named volume
        path = (root / Path(source).expanduser()).resolve()
        if role == "web" and f"{target}/".startswith(FRONT_END) and target not in _DATA:
            _take_look(found, target.removeprefix(FRONT_END.rstrip("/")).strip("/"), path, source)
        elif target == "/config":
            _take_directory(found, role, path)
        elif role == "prosody" and target.startswith("/prosody-plugins"):
            _take_modules(found, path)
        elif target.startswith("/config/") and path.is_file():
            _take_file(found, role, path, target.removeprefix("/config/"))
        elif target not in _DATA:
            found.notes.append(Note(f"{role}: {source} at {target}", "no key mounts a file there", lost=path.exists()))


def _take_config(found: _Found, root: Path, values: Mapping[str, str]) -> None:
    """The directories below CONFIG, where no compose file says what is mounted."""
    base = root / Path(values.get("CONFIG") or "videoBackendConfig").expanduser()
    for role in SERVICES:
        _take_directory(found, role, base / role)
    _take_directory(found, "prosody", base / "prosody" / "config")
    _take_modules(found, base / "prosody" / "prosody-plugins-custom")
    custom = root / Path(values.get("CUSTOMFILES") or "beratungCustom").expanduser()
    for folder in branding.FOLDERS:
        if (custom / folder).is_dir():
            _take_look(found, folder, custom / folder, folder)
    for page in branding.PAGES:
        if (custom / "html" / page).is_file():
            _take_look(found, page, custom / "html" / page, page)


def _take_directory(found: _Found, role: str, path: Path) -> None:
    """What an image reads of its /config beside what it writes there itself."""
    names = {
        "web": (*_CUSTOM, "nginx-custom", "keys/cert.crt"),
        "prosody": tuple(f"conf.d/{one.name}" for one in sorted(path.glob("conf.d/*.cfg.lua"))),
    }.get(role, (_OWN_CONF.get(role, ""),))
    for name in names:
        if name and (path / name).exists():
            _take_file(found, role, path / name, name)


def _take_file(found: _Found, role: str, path: Path, name: str) -> None:
    if name in _CUSTOM:
        if dotenv_file.text_of(path).strip():
            found.look[_CUSTOM[name]] = path.read_bytes()
    elif path.name in SWITCH:
        _take_lua(found, path, path.name)
    elif name == "keys/cert.crt":
        _take_certificate(found, path)
    elif path.name not in _GENERATED:
        if (path.is_file() and not path.stat().st_size) or (path.is_dir() and not any(path.iterdir())):
            return
        found.notes.append(Note(f"{role}: {name}", "a configuration file of your own has no key", lost=True))


def _take_certificate(found: _Found, path: Path) -> None:
    """The operator's certificate; the one that the image made for itself stays."""
    key = path.with_name("cert.key")
    if not key.is_file():
        return
    from cryptography import x509
    from cryptography.x509.oid import ExtensionOID

    chain = dotenv_file.text_of(path)
    try:
        first = x509.load_pem_x509_certificate(chain.encode())
        names = any(one.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME for one in first.extensions)
    except ValueError:
        found.faults.append(Fault(str(path), "no certificate in PEM form", "put one there, or remove the file"))
        return
    if first.issuer == first.subject and not names:  # openssl req -x509, as the image calls it
        found.notes.append(
            Note("keys/cert.crt", "self-signed by the image; tls says where a certificate comes from here")
        )
        return
    found.certificate = (chain, dotenv_file.text_of(key))


def _settle_certificate(found: _Found) -> None:
    """The mounted certificate counts where web serves HTTPS by it: neither Let's Encrypt's nor a proxy's."""
    others = [
        one.name for one in found.variables if one.name in _OTHER_CERTIFICATES and one.value.lower() in ("1", "true")
    ]
    if found.certificate is not None and others:
        found.certificate = None
        found.notes.append(Note("keys/cert.crt", f"without effect beside {others[0]}"))


def _take_modules(found: _Found, path: Path) -> None:
    files = sorted(path.rglob("mod_*.lua")) if path.is_dir() else [path] if path.name.startswith("mod_") else []
    for file in files:
        name = file.stem.removeprefix("mod_")
        if name in OWN_MODULES:
            found.notes.append(Note(f"mod_{name}.lua", "the program brings its own"))
        elif name in LOBBY_MODULES:
            found.notes.append(Note(f"mod_{name}.lua", "enableLobby does it: on until the room ends, moderators pass"))
        else:
            found.notes.append(Note(f"mod_{name}.lua", "a Prosody module of your own has no key", lost=True))


def _take_look(found: _Found, place: str, path: Path, source: str) -> None:
    """Files at their place below the front end, which is their place below brandingDir."""
    if not path.exists():
        found.notes.append(Note(source, f"is not there: docker-compose put an empty directory at {place}"))
        return
    folder = path if path.is_dir() else path.parent
    below = islice(path.rglob("*"), _MAX_LOOK + 1) if path.is_dir() else (path,)
    files = [one for one in below if one.is_file()]
    if len(files) > branding.MAX_FILES or sum(one.stat().st_size for one in files) > branding.MAX_TOTAL:
        found.notes.append(Note(f"{source} at {place}", "more than brandingDir takes (docs/settings.md)", lost=True))
        return
    for file in sorted(files):
        relative = file.relative_to(folder).as_posix()
        name = f"{place}/{relative}".strip("/") if path.is_dir() else place
        if name.partition("/")[0] not in (*branding.FOLDERS, *branding.PAGES):
            found.notes.append(
                Note(f"{source} at {name}", "brandingDir has no place for it (docs/settings.md)", lost=True)
            )
        elif file.stat().st_size and not any(part.startswith(".") for part in name.split("/")):
            found.look[name] = file.read_bytes()


def _take_statistics(found: _Found, path: Path, given: Path | None) -> None:
    if given is not None:
        _take_lua(found, given, "statistics.cfg.lua")
    elif not found.statistics and path.is_dir():
        for name in _STATISTICS_PATHS:
            if (path / name).is_file():
                _take_lua(found, path / name, "statistics.cfg.lua")
                return


def _take_lua(found: _Found, path: Path, kind: str) -> None:
    """The values of one of Prosody's files of settings; nothing but its switch while that is off."""
    found.statistics = found.statistics or kind == "statistics.cfg.lua"
    values, line = lua_file.assignments(dotenv_file.text_of(path))
    if line is not None:
        found.faults.append(Fault(f"{path.name}:{line}", "no plain assignment", 'write NAME = "VALUE", one a line'))
        return
    found.variables = [one for one in found.variables if one.name not in LUA_NAMES[kind]]
    switch = SWITCH[kind]
    on = values.get(switch, "false") not in ("false", "")
    for name, value in values.items():
        if name not in LUA_NAMES[kind]:
            found.notes.append(Note(f"{path.name}: {name}", "no module of the program reads it", lost=True))
        elif on or name == switch:
            found.variables.append(Variable(name, value, path.name))
        else:
            found.notes.append(Note(name, f"without effect while {switch} is false"))
