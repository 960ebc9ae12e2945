"""Digests: what a registry says, by its protocol, and what of it becomes a pin."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from components.config.load import load as load_settings
from components.stack import images, services
from ops import pin, registry
from ops.plan import screen
from ops.project.stackfile import ROOT
from ops.registry import Unavailable

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
DIGEST: Final = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
OTHER: Final = "sha256:" + "a" * 64
LOGIN: Final = base64.b64encode(b"deploy:hunter2-of-the-mirror").decode()


class Registry:
    """A registry on the loopback address that wants a token, as Docker Hub does; attributes make it misbehave."""

    def __init__(self) -> None:
        self.body, self.kind = MANIFEST, INDEX
        self.says = DIGEST
        self.status = 200
        self.realm: str | None = None
        self.scheme = "Bearer"
        self.asked: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = self.headers.get("Authorization", "")
                mine.asked.append((self.path, said))
                if self.path.startswith("/token?"):
                    scope = parse_qs(urlsplit(self.path).query)["scope"][0]
                    self._send(200, {"Content-Type": "application/json"}, json.dumps({"token": scope[::-1]}).encode())
                elif not said:
                    realm = mine.realm if mine.realm is not None else f"http://{mine.host}/token"
                    challenge = f'{mine.scheme} realm="{realm}",service="registry.test"'
                    self._send(401, {"WWW-Authenticate": challenge}, b"")
                else:
                    headers = {"Content-Type": mine.kind, "Location": f"http://{mine.host}/elsewhere"}
                    if mine.says:
                        headers["Docker-Content-Digest"] = mine.says
                    self._send(mine.status, headers, mine.body)

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def digest(self, **logins: str) -> str:
        return registry.digest_of(f"{self.host}/jitsi/web:stable-1", {self.host: LOGIN} if logins else {})


@pytest.fixture
def hub() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_digest_is_asked_for_with_a_token_for_pulling_that_repository_alone(hub: Registry) -> None:
    assert hub.digest() == DIGEST
    (_, token, (path, said)) = hub.asked
    assert path == "/v2/jitsi/web/manifests/stable-1"
    assert parse_qs(urlsplit(token[0]).query) == {"service": ["registry.test"], "scope": ["repository:jitsi/web:pull"]}
    assert token[1] == "", "there is no log-in"
    assert said == f"Bearer {'repository:jitsi/web:pull'[::-1]}"


def test_a_log_in_goes_to_the_realm_and_never_to_the_registry_beside_a_token(hub: Registry) -> None:
    assert hub.digest(login="yes") == DIGEST
    assert [said for _, said in hub.asked] == ["", f"Basic {LOGIN}", f"Bearer {'repository:jitsi/web:pull'[::-1]}"]


def test_a_registry_of_ones_own_may_want_the_log_in_itself(hub: Registry) -> None:
    hub.scheme = "Basic"
    assert hub.digest(login="yes") == DIGEST
    with pytest.raises(Unavailable, match="docker login"):
        hub.digest()


FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no such tag": ({"status": 404}, "answers 404"),
    "a page instead": ({"kind": "text/html", "body": b"<html>"}, "no manifest but text/html"),
    "a redirect": ({"status": 302}, "answers 302"),
    "another digest than what it sent": ({"says": OTHER}, f"says {OTHER}, and what it sent is {DIGEST}"),
    "an endless manifest": ({"body": b"x" * (4 * 1024 * 1024 + 1), "says": ""}, "no manifest"),
    "a token from a host without encryption": ({"realm": "http://tokens.test/"}, "wants a log-in"),
    "no realm": ({"realm": ""}, "wants a log-in"),
}


def test_a_digest_that_cannot_be_had_is_never_made_up(hub: Registry) -> None:
    faults = []
    before = dict(vars(hub))
    for name, (changes, words) in FAULTS.items():
        vars(hub).update(before)
        vars(hub).update(changes)
        try:
            faults.append(f"{name}: {hub.digest()}")
        except Unavailable as error:
            if words not in str(error) or LOGIN in str(error):
                faults.append(f"{name}: {error}")
    assert faults == []


def test_a_registry_that_does_not_answer_says_so() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        registry.digest_of("127.0.0.1:9/jitsi/web:stable-1", {})


def answers(**digests: str) -> Callable[[str], str]:
    def ask(image: str) -> str:
        if image not in digests:
            raise Unavailable("the registry answers 404")
        return digests[image]

    return ask


def test_a_new_digest_is_taken_and_one_that_cannot_be_had_is_left_out() -> None:
    pins = pin.renewed(["a", "b"], {}, answers(a=DIGEST), yes=False)
    assert pins.digests == {"a": DIGEST}
    assert pins.lines == [f"a: {DIGEST}", "b: left out: the registry answers 404"]
    assert pins.open


def test_a_digest_stays_while_its_registry_is_away_and_goes_with_its_image() -> None:
    pins = pin.renewed(["a"], {"a": DIGEST, "old": OTHER}, answers(), yes=True)
    assert pins.digests == {"a": DIGEST}
    assert pins.lines == ["a: stays as it was: the registry answers 404", "old: no stack has it any more"]


def test_a_tag_that_moved_is_named_and_taken_with_a_yes_alone() -> None:
    kept = pin.renewed(["a"], {"a": DIGEST}, answers(a=OTHER), yes=False)
    assert (kept.digests, kept.open) == ({"a": DIGEST}, True)
    assert f"moved from {DIGEST} to {OTHER}; not taken" in kept.lines[0]
    taken = pin.renewed(["a"], {"a": DIGEST}, answers(a=OTHER), yes=True)
    assert (taken.digests, taken.open, taken.lines) == ({"a": OTHER}, False, [f"a: {DIGEST} -> {OTHER}"])


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """Writes the pins file that the program reads."""
    monkeypatch.setattr(images, "PINS", tmp_path / "images.toml")

    def write(digests: dict[str, str]) -> None:
        pin.write(images.PINS, digests)
        images.digests.cache_clear()

    yield write
    images.digests.cache_clear()


WEB: Final = "ghcr.io/jitsi/web:stable-11146-2"


def test_a_stack_runs_by_digest_what_has_one_and_nothing_else_of_it_changes(
    pinned: Callable[[dict[str, str]], None],
) -> None:
    settings = load_settings({"rabbitMq": "embedded"}, stack="dev")
    pinned({})
    before = {spec.role: spec for spec in services.specs(settings)}
    pinned({WEB: DIGEST, images.RABBITMQ: OTHER})
    after = {spec.role: spec for spec in services.specs(settings)}
    assert after["web"].image == f"{WEB}@{DIGEST}"
    assert after["rabbitmq"].image == f"{images.RABBITMQ}@{OTHER}"
    changed = {role for role in before if before[role].fingerprint != after[role].fingerprint}
    assert changed == {"web", "rabbitmq"}, "whoever has no digest keeps its container"


def test_a_mirror_has_digests_of_its_own(pinned: Callable[[dict[str, str]], None]) -> None:
    """A copy of one platform alone, as docker push makes it, has another digest than the original."""
    pinned({WEB: DIGEST})
    settings = load_settings({"imageRegistry": "mirror.example.org/jitsi"}, stack="dev")
    assert {spec.image for spec in services.specs(settings) if "@" in spec.image} == set()


def test_the_plan_shows_the_start_of_a_digest(pinned: Callable[[dict[str, str]], None]) -> None:
    pinned({WEB: DIGEST})
    shown = screen.render(load_settings({}, stack="dev"), [])
    assert f"{WEB}@{DIGEST[7:19]} " in shown


def test_the_images_of_all_stacks_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "Pulumi.a.yaml").write_text(
        "config:\n  publicUrl: https://a.local:8443\n  imageRegistry: mirror.example.org/jitsi\n"
    )
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  publicUrl: https://b.local:8443\n")
    assert set(pin.used(tmp_path)) >= {
        WEB,
        "mirror.example.org/jitsi/jvb:stable-11146-2",
        images.COTURN,
        images.RABBITMQ,
    }


def test_every_digest_in_the_repository_is_one() -> None:
    for image, digest in images.digests().items():
        assert re.fullmatch(r"[a-z0-9./:_-]+:[\w.-]+", image), image
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest), image


def test_log_ins_are_read_where_docker_keeps_them_in_the_clear(tmp_path: Path) -> None:
    assert registry.docker_logins(tmp_path) == {}
    auths = {"a.test": {"auth": LOGIN}, "b.test": {}, "c.test": {"auth": "not base64"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    assert registry.docker_logins(tmp_path) == {"a.test": LOGIN}
