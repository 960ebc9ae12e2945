"""Digests from a real registry (Debian's docker-registry): of a pushed image, of a tag that moved, and of none."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest

from ops import pin, registry
from ops.registry import Unavailable
from tests.registry import server

pytestmark = [pytest.mark.servers, server.needed]
TYPE: Final = "application/vnd.oci.image.manifest.v1+json"


class Pushed:
    """A registry with what a `docker push` leaves there: a configuration and a manifest."""

    def __init__(self, host: str) -> None:
        self.host = host

    def _send(self, method: str, url: str, body: bytes, kind: str) -> str:
        headers = {"Content-Type": kind}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers.get("Location", ""))

    def push(self, name: str, tag: str, content: str) -> str:
        """An image of this content; its digest."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}, "x": content}
        ).encode()
        blob = f"sha256:{hashlib.sha256(config).hexdigest()}"
        base = f"http://{self.host}/v2/{name}"
        where = self._send("POST", f"{base}/blobs/uploads/", b"", "application/octet-stream")
        self._send("PUT", f"{where}&digest={blob}", config, "application/octet-stream")
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": TYPE,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": blob,
                    "size": len(config),
                },
                "layers": [],
            }
        ).encode()
        self._send("PUT", f"{base}/manifests/{tag}", manifest, TYPE)
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    with server.running(tmp_path_factory.mktemp("registry")) as host:
        yield Pushed(host)


def test_the_digest_is_that_of_the_pushed_manifest(mirror: Pushed) -> None:
    digest = mirror.push("jitsi/web", "stable-1", "first")
    assert registry.digest_of(f"{mirror.host}/jitsi/web:stable-1", {}) == digest


def test_a_tag_that_was_pushed_anew_has_moved_and_is_not_taken_without_a_yes(mirror: Pushed) -> None:
    image = f"{mirror.host}/jitsi/jvb:stable-1"
    first = mirror.push("jitsi/jvb", "stable-1", "first")
    known = pin.renewed([image], {}, lambda one: registry.digest_of(one, {}), yes=False).digests
    assert known == {image: first}
    second = mirror.push("jitsi/jvb", "stable-1", "second")
    again = pin.renewed([image], known, lambda one: registry.digest_of(one, {}), yes=False)
    assert (again.digests, again.open) == ({image: first}, True)
    assert pin.renewed([image], known, lambda one: registry.digest_of(one, {}), yes=True).digests == {image: second}


def test_what_is_not_there_has_no_digest(mirror: Pushed) -> None:
    with pytest.raises(Unavailable, match="404"):
        registry.digest_of(f"{mirror.host}/jitsi/web:stable-404", {})
