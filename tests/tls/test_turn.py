"""A real browser asks a real coturn for a relay by TLS, with the certificate that web has."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.pem import certificate
from tests.prosody.servers import free_port
from tests.tls.browser import Browser, Nginx
from tests.tls.conftest import HOST, Certificate
from tests.turn import server
from tests.turn.client import credentials
from tests.turn.server import SECRET, Coturn
from tests.values import load

pytestmark = pytest.mark.servers

RELAY: Final = "192.0.2.7"
PATIENCE: Final = "--timeout=8000"
"""Milliseconds until the page is looked at, done or not: an image of it does not come before the gathering ends."""
_PAGE: Final = """<!doctype html><p id="seen">gathering</p><script>
const seen = document.getElementById("seen");
const connection = new RTCPeerConnection({
  iceTransportPolicy: "relay",
  iceServers: [{ urls: "turns:%s:%d?transport=tcp", username: "%s", credential: "%s" }],
});
connection.onicecandidate = (event) => {
  seen.textContent += event.candidate ? " " + event.candidate.candidate : " done";
  if (!event.candidate) document.getElementById("last").src = "/none";
};
connection.createDataChannel("any");
connection.createOffer().then((offer) => connection.setLocalDescription(offer));
</script><img id="last" src="/late">
"""


@pytest.fixture
def late() -> Iterator[int]:
    """A port that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("trusted", [True, False])
def test_a_browser_gets_a_relay_exactly_where_it_trusts_the_certificate(
    chromium: Browser, local_ca: Callable[[str], Certificate], tmp_path: Path, late: int, trusted: bool
) -> None:
    reason = server.missing()
    if reason:
        pytest.skip(reason)
    page = local_ca(HOST)
    chain, key = (page.chain, page.private_key) if trusted else certificate(HOST)
    settings = load(
        turn="embedded",
        dockerHostAddress=RELAY,
        jvbBindAddress="127.0.0.1",
        turnPort=str(free_port()),
        turnsPort=str(free_port()),
        turnRelayPorts="40100-40120",
        tls="own",
        tlsCertificate=chain,
        tlsPrivateKey=key,
    )
    coturn = Coturn(tmp_path / "coturn", settings, start=server.on_this_machine)
    nginx = Nginx.with_certificate(
        tmp_path / "nginx",
        page.chain,
        page.private_key,
        more=f"location /late {{ proxy_pass http://127.0.0.1:{late}; }}",
    )
    (tmp_path / "nginx" / "index.html").write_text(_PAGE % (HOST, settings.turns_port, *credentials(SECRET)))
    try:
        coturn.wait(lambda: server.listens("127.0.0.1", settings.turns_port))
        chromium.trust(page.authority)
        seen = chromium.visit(f"https://{HOST}:{nginx.port}/", PATIENCE)
    finally:
        coturn.stop()
        nginx.stop()
    said = re.search(r'<p id="seen">(gathering[^<]*)</p>', seen.dom)
    assert said is not None, seen
    assert (f" {RELAY} " in said[1] and " typ relay " in said[1]) is trusted, said[1]
