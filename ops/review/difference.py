"""What differs between two snapshots, stack by stack, and what that does to people.

Owns the judgement. Says nothing about layout (`text`) and knows no file (`snapshot`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.resource import PROJECT
from policies.rules import replaced
from policies.violation import Violation, told

MANDATORY: Final = "mandatory"
CHANGED: Final = "changed (secret)"
_CALLS: Final = ("prosody", "jvb", "jicofo")
_LINKS: Final = ("jwtAppId", "jwtAcceptedIssuers", "jwtAcceptedAudiences")
_SETTINGS: Final = {
    "rabbitUrl": "events of calls go to another broker, which learns who called when",
    "videoServiceUrl": "the ends of calls are told to another VideoService",
    "keycloakUrl": "another Keycloak gets the password of videoServiceUsername",
    "embeddedBy": "other sites may show the page within theirs",
    "letsencryptAcmeServer": "another authority signs the certificate, which browsers may not trust",
    "imageRegistry": "the images come from elsewhere",
}
"""What a changed setting does that shows in nothing else."""

_SAID: Final = {"envs", "uploads", "labels", "image", "restart", "destroyGraceSeconds"}
"""Properties of a container that its fingerprint's lines tell of."""

Stack = Mapping[str, Any]


@dataclass
class Change:
    """One stack's difference.

    `kind` is added, removed, refused, changed or same; `refused` is why the head is refused.
    """

    stack: str
    kind: str
    settings: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """Key, old and new value; `-` where it is unset."""
    replaced: list[str] = dataclasses.field(default_factory=list)
    in_place: list[str] = dataclasses.field(default_factory=list)
    added: list[str] = dataclasses.field(default_factory=list)
    removed: list[str] = dataclasses.field(default_factory=list)
    details: list[str] = dataclasses.field(default_factory=list)
    people: list[str] = dataclasses.field(default_factory=list)
    warnings_new: list[str] = dataclasses.field(default_factory=list)
    warnings_gone: list[str] = dataclasses.field(default_factory=list)
    rules_broken: list[str] = dataclasses.field(default_factory=list)
    """Of `policies`, those that the base keeps."""
    rules_kept: list[str] = dataclasses.field(default_factory=list)
    """Those that the base breaks."""
    refused: str = ""
    drawing: str = ""
    """The stack's parts as a Mermaid flowchart, where there are others than before."""

    @property
    def must_not_be(self) -> bool:
        """Whether it breaks a rule that stops a change."""
        return any(f" ({MANDATORY}): " in one for one in self.rules_broken)


def compare(base: Mapping[str, Stack], head: Mapping[str, Stack]) -> list[Change]:
    """Every stack of either, those that are refused first, then by name."""
    changes = [_change(name, base.get(name), head.get(name)) for name in sorted(base.keys() | head.keys())]
    return sorted(changes, key=lambda one: one.kind != "refused")


def _change(name: str, old: Stack | None, new: Stack | None) -> Change:
    if new is None:
        text = "its containers keep running, and its state stays, until somebody destroys it: pulumi destroy before the merge"
        return Change(name, "removed", people=[text])
    if "error" in new:
        return Change(name, "refused", refused=str(new["error"]))
    if old is None or "error" in old:
        about = [] if old is None else ["the base was refused, so nothing can be compared with it"]
        about += _environment({}, new)
        kind = "added" if old is None else "changed"
        return Change(
            name,
            kind,
            added=list(new["containers"]),
            details=about,
            people=list(_less_guarded({}, new)),
            warnings_new=list(new["warnings"]),
            drawing=new["drawing"],
            rules_broken=_broken({}, new),
        )
    return _both(name, old, new)


def _both(name: str, old: Stack, new: Stack) -> Change:
    change = Change(name, "changed")
    change.settings = list(_settings(old, new))
    containers, before = new["containers"], old["containers"]
    change.added = [role for role in containers if role not in before]
    change.removed = [role for role in before if role not in containers]
    change.replaced = _replaced(old, new)
    change.in_place = [
        role
        for role in containers
        if role in before and role not in change.replaced and containers[role] != before[role]
    ]
    change.drawing = new["drawing"] if change.added or change.removed else ""
    change.details = [*_details(old, new), *_environment(old, new), *_resources(old, new, change)]
    change.people = list(dict.fromkeys(_people(old, new, change)))
    change.warnings_new = [one for one in new["warnings"] if one not in old["warnings"]]
    change.warnings_gone = [one for one in old["warnings"] if one not in new["warnings"]]
    change.rules_broken = [one for one in _broken(old, new) if one not in _broken({}, old)]
    change.rules_kept = [one for one in _broken({}, old) if one not in _broken({}, new)]
    if change == Change(name, "changed"):
        change.kind = "same"
    return change


def _broken(old: Stack, new: Stack) -> list[str]:
    """The rules that a stack breaks by itself, and by what it makes anew."""
    nothing: dict[str, Any] = {"violations": [], "kept": {}}
    before, after = (one.get("policies", nothing) for one in (old, new))
    return told([*(Violation(**one) for one in after["violations"]), *replaced(before["kept"], after["kept"])])


def _settings(old: Stack, new: Stack) -> Iterator[tuple[str, str, str]]:
    for key in sorted(old["settings"].keys() | new["settings"].keys()):
        before, after = (one["settings"].get(key, "-") for one in (old, new))
        if before != after:
            yield key, before, after
        elif old["secrets"].get(key) != new["secrets"].get(key):
            yield key, CHANGED, CHANGED


def _new_secrets(old: Stack, new: Stack) -> set[str]:
    """Names, as containers have them, of the secrets that get another value."""
    keys = {
        key
        for key in old["secrets"].keys() | new["secrets"].keys()
        if old["secrets"].get(key) != new["secrets"].get(key)
    }
    names = {"".join(f"_{char.lower()}" if char.isupper() else char for char in key) for key in keys}
    names |= set(old["generated"]) ^ set(new["generated"])
    if (old["authority"], old["certificateHost"], old["tls"]) != (new["authority"], new["certificateHost"], new["tls"]):
        names |= {"tls_certificate", "tls_private_key"}
    return names


def _replaced(old: Stack, new: Stack) -> list[str]:
    secrets = _new_secrets(old, new)
    before, after = old["containers"], new["containers"]
    if _host_moves(old, new):
        return [role for role in after if role in before]
    found = {
        role
        for role, one in after.items()
        if role in before
        and (one["fingerprint"] != before[role]["fingerprint"] or secrets & {*one["secrets"], *before[role]["secrets"]})
    }
    while more := {role for role, one in after.items() if one["follows"] in found and role in before} - found:
        found |= more
    return [role for role in after if role in found]


def _host_moves(old: Stack, new: Stack) -> bool:
    hosts = [(one["dockerHost"], *map(one["secrets"].get, ("docker:host", "docker:context"))) for one in (old, new)]
    return hosts[0] != hosts[1]


def _details(old: Stack, new: Stack) -> Iterator[str]:
    """What no setting and no container's name says."""
    images = {
        (before["image"], after["image"]): role
        for role, after in new["containers"].items()
        if (before := old["containers"].get(role)) and before["image"] != after["image"]
    }
    for (before, after), role in images.items():
        yield f"image of {role}: {before} → {after}"
    if not list(_settings(old, new)):
        for role, after in new["containers"].items():
            before = old["containers"].get(role, {}).get("environment", after["environment"])
            for name in sorted(before.keys() | after["environment"].keys()):
                if before.get(name) != after["environment"].get(name):
                    yield f"{role}, {name}: {before.get(name, '-')} → {after['environment'].get(name, '-')}"
        for role, after in new["containers"].items():
            files = old["containers"].get(role, after)["files"]
            if names := sorted(
                path for path in {**files, **after["files"]} if files.get(path) != after["files"].get(path)
            ):
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                yield f"files of {role}: {', '.join(names[:3])}{more}"
    for record in sorted(set(old["dns"]) ^ set(new["dns"])):
        yield f"DNS record {record} {'added' if record in new['dns'] else 'removed'}"
    if old["branding"] != new["branding"]:
        yield "the files of brandingDir"
    if old["key"] != new["key"]:
        yield "the key that encrypts the stack's secrets (encryptionsalt, secretsprovider, encryptedkey)"
    ports = [
        {
            f"{port['key']} {port['first']}-{port['last']} on {', '.join(port['addresses'])}"
            for port in one["outputs"]["facts"]["ports"]
        }
        for one in (old, new)
    ]
    for port in sorted(ports[0] ^ ports[1]):
        yield f"port {port} {'opened' if port in ports[1] else 'closed'}"


def _environment(old: Stack, new: Stack) -> list[str]:
    """That values come from an environment of Pulumi ESC, or from another one."""
    before, after = (one.get("environment", "-") for one in (old, new))
    told = f"environment {before} → {after}: the engine alone sees the values from there, and no review does"
    return [told] if before != after else []


def _resources(old: Stack, new: Stack, change: Change) -> Iterator[str]:
    """What the program registers otherwise that no other line says: a property for which no container has a field."""
    before, after = (one.get("policies", {}).get("resources") for one in (old, new))
    if before is None or after is None:
        return
    said = {*change.replaced, *change.in_place}
    own = {*change.added, *change.removed}
    found: dict[str, list[str]] = {}
    for key in sorted(before.keys() | after.keys()):
        kind, _, full = key.partition(" ")
        name = full.removeprefix(f"{PROJECT}-")
        if key not in before or key not in after:
            if name.removesuffix("-image") not in own:
                found.setdefault(f"resource {kind} {'added' if key in after else 'removed'}", []).append(name)
            continue
        properties = {one for one in {**before[key], **after[key]} if before[key].get(one) != after[key].get(one)}
        properties -= _SAID if name.removesuffix("-image") in said else set()
        if properties:
            found.setdefault(f"{', '.join(sorted(properties))} of {kind}", []).append(name)
    yield from (f"{what}: {', '.join(names)}" for what, names in found.items())


def _people(old: Stack, new: Stack, change: Change) -> Iterator[str]:
    if _host_moves(old, new):
        yield f"the stack moves from {old['dockerHost']} to {new['dockerHost']}; the old containers keep running there"
    touched = {*change.replaced, *change.removed}
    if touched & set(_CALLS):
        yield "running calls end"
    elif "coturn" in touched:
        yield "calls that go through TURN break off"
    if "web" in touched:
        yield "the page is away for seconds"
    if "rabbitmq" in touched:
        yield "events of ended calls wait until the broker is back"
    lost = {name for one in old["containers"].values() for name in one["volumes"]} - {
        name for one in new["containers"].values() for name in one["volumes"]
    }
    if lost:
        yield f"what is stored in {', '.join(sorted(lost))} is lost"
    yield from _links(old, new, change)
    if new["authority"] and new["authority"] != old["authority"]:
        yield "participants' browsers must trust a new authority"
    if new["tls"] != old["tls"]:
        yield f"the certificate comes from elsewhere: tls {old['tls']} → {new['tls']}"
    if old["dns"] and not new["dns"]:
        yield "the name leads nowhere once its DNS records are gone"
    if old["key"] != new["key"]:
        yield "the secrets of the state cannot be read with another key: deploys fail"
    for key, text in _SETTINGS.items():
        if any(key == one and new_value != "-" for one, _, new_value in change.settings):
            yield text
    yield from _less_guarded(old, new)


def _links(old: Stack, new: Stack, change: Change) -> Iterator[str]:
    keys = {key for key, *_ in change.settings}
    if "jwt_app_secret" in _new_secrets(old, new) or keys & set(_LINKS):
        yield "links already sent stop working, and the VideoService needs the new videoServiceProperties"
    if old["outputs"]["publicUrl"] != new["outputs"]["publicUrl"]:
        yield (
            "links already sent lead to the old address and stop working, and the VideoService needs the new "
            "videoServiceProperties"
        )


def _less_guarded(old: Stack, new: Stack) -> Iterator[str]:
    """What is less guarded than before, or than a stack is by default."""
    now = new["outputs"]["facts"]
    before = old["outputs"]["facts"] if old else {}
    auth, auth_before = now["auth"], before.get("auth", {"required": True, "guests": False, "token": {}})
    if not auth["required"] and auth_before["required"]:
        yield "whoever has the URL gets in: sign-in is off"
    if auth["guests"] and not auth_before["guests"]:
        yield "guests without a token enter rooms that are open"
    if auth["required"] and auth["token"] is None and auth_before["token"] is not None:
        yield "the VideoService's links are not accepted any more: people sign in with accounts"
    rooms, rooms_before = now["rooms"], before.get("rooms", {"lobby": True, "modules": [], "breakoutRooms": False})
    if rooms_before["lobby"] and not rooms["lobby"]:
        yield "nobody waits for admission any more: the lobby is off"
    if not rooms_before["lobby"] and rooms["lobby"]:
        yield "people wait in a lobby until a moderator admits them"
    for module in rooms_before["modules"]:
        if module not in rooms["modules"]:
            yield f"rooms lose the module {module}"
    servers = [one for one in now["media"]["stunServers"] if one not in before.get("media", {}).get("stunServers", [])]
    if servers:
        yield f"{', '.join(servers)} learn the addresses of participants: a third party"
    if before.get("statistics", {}).get("broker") and not now["statistics"]["broker"]:
        yield "no event says any more when a call ends"
    if old and now["media"] != before["media"] and now["media"]["addresses"] != before["media"]["addresses"]:
        yield "media goes to other addresses: without a way there calls have no audio and video"
    if (
        new["settings"].get("letsencryptUseStaging")
        == "true"
        != (old.get("settings") or {}).get("letsencryptUseStaging")
    ):
        yield "browsers do not trust the certificate: it comes from Let's Encrypt's staging"
