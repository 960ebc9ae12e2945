"""The platform's Helm chart as a `Source`: its `values.yaml`, or that of the chart around it.

Owns the names of the chart's values and what its templates fix. The values file alone says what an installation sets;
a file with the same section beside it, given to Helm by `-f`, is read in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from components.config import branding
from ops.errors import OpsError
from ops.importer import compose_file
from ops.importer.source import LUA_NAMES, SWITCH, Fault, Note, Source, Variable

SECTION: Final = "online-counseling-videobackend"
"""The chart's name as a part of the platform's chart."""
VARIABLES: Final = {
    "jicofoComponentSecret": "JICOFO_COMPONENT_SECRET",
    "jicofoAuthUser": "JICOFO_AUTH_USER",
    "jicofoAuthPassword": "JICOFO_AUTH_PASSWORD",
    "jvbAuthPassword": "JVB_AUTH_PASSWORD",
    "jvbAuthUser": "JVB_AUTH_USER",
    "jibriRecorderPassword": "JIBRI_RECORDER_PASSWORD",
    "jibriRecorderUser": "JIBRI_RECORDER_USER",
    "jibriXmppPassword": "JIBRI_XMPP_PASSWORD",
    "jibriXmppUser": "JIBRI_XMPP_USER",
    "jigasiXmppPassword": "JIGASI_XMPP_PASSWORD",
    "jigasiXmppUser": "JIGASI_XMPP_USER",
    "jwtAcceptedAudiences": "JWT_ACCEPTED_AUDIENCES",
    "jwtAcceptedIssuers": "JWT_ACCEPTED_ISSUERS",
    "jwtAppId": "JWT_APP_ID",
    "jwtAppSecret": "JWT_APP_SECRET",
    "videoCallServerUrl": "PUBLIC_URL",
    "turnCredentials": "TURN_CREDENTIALS",
    "turnHost": "TURN_HOST",
    "turnPort": "TURN_PORT",
    "enablePersistentRooms": "enable_persistent_rooms",
    "jitsiTechnicalUser": "jitsi_technical_username",
    "jitsiTechnicalUserPassword": "jitsi_technical_password",
    "keycloakserviceAppClientid": "keycloak_app_client_id",
}
GLOBAL: Final = {
    "statisticsEnabled": "enable_statistics",
    "rabbitStatisticsUser": "rabbit_username",
    "rabbitStatisticsPassword": "rabbit_password",
}
FIXED: Final = {
    "ENABLE_AUTH": "1",
    "AUTH_TYPE": "jwt",
    "ENABLE_GUESTS": "0",
    "ENABLE_LOBBY": "1",
    "ENABLE_PREJOIN_PAGE": "0",
    "ENABLE_CLOSE_PAGE": "1",
    "ENABLE_END_CONFERENCE": "0",
    "XMPP_MODULES": "persistent_lobby",
    "XMPP_MUC_MODULES": "create_room,token_moderation,token_lobby_bypass,close_room,lobby_autostart",
    "TZ": "UTC",
}
"""What the chart's templates set whatever its values are."""
_NEEDLESS: Final = {
    "videoCallServerHost": "no template of the chart reads it",
}
_IMAGES: Final = tuple(
    f"{role}{what}" for role in ("jicofo", "jvb", "prosody", "web") for what in ("ImageName", "Version")
)
_ELSEWHERE: Final = (
    ("LOG_LEVEL debug", "its log has what people say and who they are"),
    ("JVB_PORT 30300", "a port of the cluster's nodes; jvbPort here, unless set 10000"),
    ("DOCKER_HOST_ADDRESS", "the address of a node of the cluster; dockerHostAddress is the Docker host's"),
    ("JVB_STUN_SERVERS", "servers of a third party; none is contacted here unless stunServers names it"),
    ("ingress", "its certificate stays in the cluster; tls says where one comes from here"),
)


def is_values_file(path: Path) -> bool:
    """Whether the path looks like a values file: one of YAML, or a directory with one and no `.env`."""
    return path.suffix in (".yaml", ".yml") or (path / "values.yaml").is_file()


def read(path: Path) -> Source:
    """The chart's values. Raises OpsError where the file has none of them."""
    file = path / "values.yaml" if path.is_dir() else path
    content = compose_file.read_yaml(file)
    if not isinstance(content, dict):
        raise OpsError(f"{file} is no values file: it has no `NAME: VALUE`")
    whole = SECTION in content
    section = content[SECTION] if whole else content
    if not isinstance(section, dict) or not set(section) & set(VARIABLES):
        raise OpsError(
            f"{file} has none of the chart's values, such as jwtAppSecret: give the values.yaml of charts/videobackend, or the "
            f"platform's with its section {SECTION}"
        )
    shared = content.get("global") or section.get("global") or {}
    faults = [
        Fault(name, "no text, of which Helm may print another one than stands there", "put the value in quotes")
        for name, value in section.items()
        if name in VARIABLES and not _plain(name, value)
    ]
    variables = [Variable(VARIABLES[name], _text(value), name) for name, value in section.items() if name in VARIABLES]
    variables += [
        Variable(GLOBAL[name], _text(value), f"global.{name}")
        for name, value in (shared.items() if isinstance(shared, dict) else ())
        if name in GLOBAL
    ]
    port = section.get("turnPort")
    if section.get("turnHost"):
        variables += [Variable("TURNS_HOST", _text(section["turnHost"]), "turnHost")]
        variables += [Variable("TURNS_PORT", _text(port), "turnPort")] if port else []
    variables += [Variable(name, value, "the chart") for name, value in FIXED.items()]
    return Source(
        path=path,
        kind=f"the chart's {file.name}" + (f", section {SECTION}" if whole else ""),
        variables=tuple(_switched_on(variables)),
        defaults={"conference_timeout": "5"},
        look=_look(file.parent),
        asked=_asked(variables),
        faults=tuple(faults),
        notes=tuple(_notes(section)),
    )


def _plain(name: str, value: Any) -> bool:
    """Whether Helm prints what stands there: of a number it makes a float, of 0123 and yes something else."""
    if isinstance(value, bool):
        return name == "enablePersistentRooms"
    port = name == "turnPort" and isinstance(value, int) and 0 < value < 65536
    return value is None or isinstance(value, str) or port


def _text(value: Any) -> str:
    """A value as Helm's templates print it; nothing for a list or map, which none of them prints."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _switched_on(variables: list[Variable]) -> Iterator[Variable]:
    """Without the broker's and the VideoService's values where the chart does not use them."""
    values = {one.name: one.value for one in variables}
    off = [kind for kind, switch in SWITCH.items() if values.get(switch) != "true"]
    idle = {name for kind in off for name in LUA_NAMES[kind] if name != SWITCH[kind]}
    return (one for one in variables if one.name not in idle)


def _asked(variables: list[Variable]) -> dict[str, str]:
    """Addresses that the chart's templates fix, and that mean nothing outside the cluster."""
    on = {one.name for one in variables if one.name in SWITCH.values() and one.value == "true"}
    keys = ["dockerHostAddress"]
    keys += ["rabbitUrl"] if SWITCH["statistics.cfg.lua"] in on else []
    keys += ["videoServiceUrl", "keycloakUrl"] if SWITCH["videoservice.cfg.lua"] in on else []
    return dict.fromkeys(keys, "the chart's is an address within the cluster")


def _notes(section: Mapping[Any, Any]) -> Iterator[Note]:
    for name in map(str, section):
        if name in _NEEDLESS:
            yield Note(name, _NEEDLESS[name])
        elif name in _IMAGES:
            yield Note(name, "imageRegistry and jitsiRelease: the images of one supported release")
        elif name == "resources":
            yield Note(name, "each container has a memory limit here (docs/hardening.md)")
        elif name not in VARIABLES and name != "global":
            yield Note(name, "no value of the chart", lost=True)
    yield from (Note(name, reason) for name, reason in _ELSEWHERE)


def _look(directory: Path) -> dict[str, bytes]:
    """The platform's `customization/jitsi-resources` beside the values file, at its place below brandingDir."""
    for base in (directory, directory.parent.parent):
        root = base / "customization" / "jitsi-resources"
        if root.is_dir():
            return dict(_files(root))
    return {}


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    custom = root / "beratungCustom"
    places = [(custom / folder, folder) for folder in ("images", "static")]
    files = [
        (file, f"{place}/{file.relative_to(base).as_posix()}") for base, place in places for file in base.rglob("*")
    ]
    files += [(custom / "html" / page, page) for page in branding.PAGES]
    files += [(custom / "css" / name, f"css/{name}") for name in ("styles.css", "styles.css.map")]
    files += [(root / "web" / f"custom-{name}", name) for name in (branding.CONFIG, branding.INTERFACE_CONFIG)]
    for file, name in sorted(files, key=lambda one: one[1]):
        if file.is_file() and 0 < file.stat().st_size <= branding.MAX_TOTAL:
            yield name, file.read_bytes()
