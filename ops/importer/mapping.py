"""From an installation's variables to the keys of a stack file, and to a report of what became of each.

Owns which name goes where: to a key, to what the program fixes, to what no image reads any more, to a container that no
stack has, on by `environment`; and the names that only make sense together. Does not own the names themselves (`names`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from components.config import checks
from components.config.keys import KEYS
from components.config.settings import MODERATION_MODULES
from components.config.suggestions import nearest
from ops.importer import names
from ops.importer.checkout import LOBBY_MODULES
from ops.importer.outcome import (
    BY_ENV,
    Outcome,
    comma_list,
    hand_on,
    key_of,
    set_value,
    switch,
    value_of,
    web_address,
)
from ops.importer.source import Source, Variable

_UPSTREAM_STUN: Final = "meet-jit-si-turnrelay.jitsi.net:443"
_DEFAULT_TURN_PORT: Final = "443"
_ACME_WORDS: Final = {"letsencrypt": "", "zerossl": "https://acme.zerossl.com/v2/DV90", "letsencrypt_test": ""}
TURN: Final = ("TURN_HOST", "TURN_PORT", "TURNS_HOST", "TURNS_PORT", "TURN_CREDENTIALS")


def outcome_of(source: Source, *, renew: bool = False, branding_dir: str = "") -> Outcome:
    """Keys and report of an installation.

    Args:
        source: what was read.
        renew: refused secrets are left out, so that new ones are generated.
        branding_dir: where the files of the look will be.
    """
    result = Outcome(faults=list(source.faults))
    for note in source.notes:
        (result.lost if note.lost else result.needless).append((note.name, note.reason))
    by_name = {one.name: one.value for one in source.variables}
    for one in source.variables:
        _take(result, one, by_name)
    _take_turn(result, source.variables, by_name)
    _take_look(result, source, branding_dir)
    _tell_defaults(result, source.defaults, by_name)
    _renew(result, renew)
    return result


def _take(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    """One variable, into one of the groups."""
    name = one.name
    if name in TURN:
        return
    if not one.value and name != "XMPP_MUC_MODULES":
        return  # as unset, to compose file and templates alike
    if special := SPECIAL.get(name):
        special(result, one, by_name)
    elif since := names.DEAD.get(name):
        result.dead.append((name, f"no longer there since {since}"))
    elif one.services == frozenset() and (name in names.SERVICES_READING or key_of(name) or name in names.FIXED):
        result.needless.append((name, "without effect: the compose file hands it to no container"))
    elif key := key_of(name):
        set_value(result, one, key, value_of(key, one.value))
    elif (reason := names.FIXED.get(name) or names.STARTED.get(name)) or (reason := _elsewhere(name)):
        result.needless.append((name, reason))
    elif services := names.SERVICES_READING.get(name):
        hand_on(result, one, services)
    else:
        meant = nearest(name, [*BY_ENV, *names.SERVICES_READING, *names.FIXED, *names.DEAD])
        if one.services == frozenset() and not meant:
            result.needless.append((name, "without effect: the compose file hands it to no container"))
        else:
            result.lost.append(
                (name, f"no image reads it; {f'did you mean {meant}?' if meant else 'no such name is known'}")
            )


def _elsewhere(name: str) -> str:
    """Why a variable means nothing here; empty where it may."""
    if part := names.ABSENT.get(name):
        return f"of {part}, a container that no stack has"
    if name in names.UNREAD:
        return "handed over by the compose file, and read by no image"
    if name.startswith("COMPOSE_"):
        return "docker-compose's own"
    if name in ("CONFIG", "CUSTOMFILES"):
        return "a directory on the Docker host; files are uploaded here, and data is on volumes"
    return ""


def _address(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    if by_name.get("JVB_ADVERTISE_IPS"):
        result.needless.append((one.name, "JVB_ADVERTISE_IPS is set, and counts alone"))
    else:
        set_value(result, one, "dockerHostAddress", comma_list(one.value))


def _stun(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    if switch(by_name.get("JVB_DISABLE_STUN", "0")) == "true":
        result.needless.append((one.name, "JVB_DISABLE_STUN is set"))
    elif comma_list(one.value) == _UPSTREAM_STUN:
        result.needless.append(
            (one.name, "the sample's, a third party's; none is contacted unless stunServers names it")
        )
    else:
        set_value(result, one, "stunServers", comma_list(one.value))


def _no_stun(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    if one.name == "P2P_STUN_SERVERS" and comma_list(one.value) not in (
        comma_list(by_name.get("JVB_STUN_SERVERS", "")),
        _UPSTREAM_STUN,
    ):
        set_value(result, one, "stunServers", comma_list(one.value))
    else:
        result.needless.append(
            (one.name, "stunServers is of bridge and peer-to-peer calls alike; unset, none is contacted")
        )


def _muc_modules(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    """The rooms' modules without those of the lobby, which are enableLobby here."""
    modules = comma_list(one.value).split(",") if one.value else []
    kept = [module for module in modules if module not in LOBBY_MODULES]
    if len(kept) < len(modules):
        result.needless.append(
            ("token_lobby_bypass, lobby_autostart", "enableLobby does it: moderators pass the lobby")
        )
    if not kept:
        return  # told by _tell_defaults
    if set(kept) == set(MODERATION_MODULES):
        result.needless.append((one.name, "the default with JWT"))
    else:
        set_value(result, one, "xmppMucModules", ",".join(kept))


def _modules(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    kept = [module for module in comma_list(one.value).split(",") if module not in LOBBY_MODULES]
    if not kept:
        result.needless.append((f"{one.name}={one.value}", "enableLobby does it: the lobby stays until the room ends"))
    else:
        hand_on(result, Variable(one.name, ",".join(kept), one.origin, one.services), ("prosody",))


def _letsencrypt(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    if switch(one.value) == "true":
        if switch(by_name.get("DISABLE_HTTPS", "0")) != "true":
            result.needless.append((one.name, "tls is letsencrypt for a public name unless set"))
    else:
        result.needless.append((one.name, "tls says where the certificate comes from"))


def _letsencrypt_domain(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    host = urlsplit(web_address(by_name.get("PUBLIC_URL", ""))).hostname
    if one.value.strip() == host:
        result.needless.append((one.name, "publicUrl's host"))
    elif switch(by_name.get("ENABLE_LETSENCRYPT", "0")) != "true":
        result.needless.append((one.name, "without effect while ENABLE_LETSENCRYPT is off"))
    else:
        result.lost.append((one.name, "the certificate is for publicUrl's host alone"))


def _letsencrypt_detail(result: Outcome, one: Variable, by_name: Mapping[str, str]) -> None:
    """What counts with Let's Encrypt alone."""
    key = key_of(one.name)
    value = _ACME_WORDS.get(one.value, one.value) if key == "letsencryptAcmeServer" else one.value
    if switch(by_name.get("ENABLE_LETSENCRYPT", "0")) != "true":
        result.needless.append((one.name, "without effect while ENABLE_LETSENCRYPT is off"))
    elif not value:
        result.needless.append((one.name, f"{key} is Let's Encrypt's unless set"))
    else:
        set_value(result, one, key, value_of(key, value))


def _no_https(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    if switch(one.value) == "true":
        result.config["tls"] = "proxy"
        result.taken.append((one.name, "tls", "proxy"))
    else:
        result.needless.append((one.name, "tls says where the certificate comes from"))


def _release(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    number = re.match(r"stable-([0-9]+)", one.value)
    if number and int(number[1]) >= checks.containers.SUPPORTED_RELEASE:
        set_value(result, one, "jitsiRelease", one.value)
    else:
        result.needless.append(
            (one.name, f"jitsiRelease is {KEYS['jitsiRelease'].default}; older images are not supported")
        )


def _registry(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    if one.value in ("jitsi", "docker.io/jitsi"):
        result.needless.append((one.name, f"imageRegistry is {KEYS['imageRegistry'].default}, Jitsi's own"))
    else:
        set_value(result, one, "imageRegistry", one.value)


def _sentry(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    """docker-jitsi-meet's compose file hands over `0` where nothing is set, in some releases with its quotes."""
    if one.value.strip("\"'") == "0":
        result.needless.append((one.name, "off, as it is unless set"))
    else:
        hand_on(result, one, ("jicofo", "jvb"))


def _persistent_rooms(result: Outcome, one: Variable, _: Mapping[str, str]) -> None:
    result.needless.append((one.name, "it turns the VideoService's stop call on; videoServiceUrl does here"))


Special = Callable[[Outcome, Variable, Mapping[str, str]], None]
SPECIAL: Final[dict[str, Special]] = {
    "DOCKER_HOST_ADDRESS": _address,
    "JVB_STUN_SERVERS": _stun,
    "P2P_STUN_SERVERS": _no_stun,
    "JVB_DISABLE_STUN": _no_stun,
    "XMPP_MUC_MODULES": _muc_modules,
    "XMPP_MODULES": _modules,
    "ENABLE_LETSENCRYPT": _letsencrypt,
    "LETSENCRYPT_DOMAIN": _letsencrypt_domain,
    "LETSENCRYPT_EMAIL": _letsencrypt_detail,
    "LETSENCRYPT_USE_STAGING": _letsencrypt_detail,
    "LETSENCRYPT_ACME_SERVER": _letsencrypt_detail,
    "DISABLE_HTTPS": _no_https,
    "JITSI_IMAGE_VERSION": _release,
    "JITSI_IMAGE_REPO": _registry,
    "SENTRY_DSN": _sentry,
    "enable_persistent_rooms": _persistent_rooms,
}


def _take_turn(result: Outcome, variables: Sequence[Variable], by_name: Mapping[str, str]) -> None:
    """An external TURN server, where one is named."""
    given = {one.name: one for one in variables if one.name in TURN and one.value}
    host, hosts = by_name.get("TURN_HOST", ""), by_name.get("TURNS_HOST", "")
    if not host and not hosts:
        result.needless.extend((name, "without effect: TURN_HOST is not set") for name in given)
        return
    if host and hosts and host != hosts:
        result.lost.append(("TURNS_HOST", "turnHost is the host of TURN and TURN over TLS alike"))
    result.config["turn"] = "external"
    set_value(result, given["TURN_HOST" if host else "TURNS_HOST"], "turnHost", host or hosts)
    if host and hosts == host:
        result.needless.append(("TURNS_HOST", "turnHost is the host of both"))
    for name, key in (("TURN_PORT", "turnPort"), ("TURNS_PORT", "turnsPort")):
        set_value(
            result,
            given.get(name, Variable(name, "", "the images' default")),
            key,
            by_name.get(name) or _DEFAULT_TURN_PORT,
        )
    if "TURN_CREDENTIALS" in given:
        set_value(result, given["TURN_CREDENTIALS"], "turnSecret", given["TURN_CREDENTIALS"].value)


def _take_look(result: Outcome, source: Source, branding_dir: str) -> None:
    if source.certificate is not None:
        chain, key = source.certificate
        result.config["tls"] = "own"
        set_value(result, Variable("keys/cert.crt", chain, ""), "tlsCertificate", chain)
        set_value(result, Variable("keys/cert.key", key, ""), "tlsPrivateKey", key)
    if source.look and branding_dir:
        result.config["brandingDir"] = branding_dir
        result.taken.append((f"{len(source.look)} files of the look", "brandingDir", branding_dir))


def _tell_defaults(result: Outcome, defaults: Mapping[str, str], by_name: Mapping[str, str]) -> None:
    """Where the old default was another one, and nothing was set."""
    for name, before in defaults.items():
        key = key_of(name)
        if by_name.get(name) or not key or key in result.config:
            continue
        now = KEYS[key].default or ",".join(MODERATION_MODULES)
        same: Any = KEYS[key].check is checks.boolean and switch(before) == now
        if before != now and not same:
            was = before or "none"
            result.otherwise.append((name, f"not set, which meant {was}; {key} is {now} unless set"))


def _renew(result: Outcome, renew: bool) -> None:
    """Leaves refused secrets out, where new ones are generated for them."""
    if not renew:
        return
    for fault in [one for one in result.faults if one.renewable]:
        result.faults.remove(fault)
        result.needless.append((fault.renewable, f"{fault.reason}; a new one is generated"))
