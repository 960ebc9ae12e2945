"""A whole stack on this machine, and the ways in which each check's set-up can be broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from components.resources.docker_cli import DockerCli
from ops.verify.deployed import DeployedStack
from tests.prosody.configuration import Broker as BrokerSettings
from tests.prosody.configuration import Setup
from tests.prosody.platform import Platform
from tests.prosody.servers import Installation, free_port
from tests.verify.docker_stand_in import docker_stand_in, jicofo_statistics
from tests.verify.outputs import HOST, outputs
from tests.verify.servers import (
    Bridge,
    Broker,
    Certificates,
    Coturn,
    Nginx,
    Site,
    XmppServer,
)

TURN_SECRET = "turn-secret-5d41402abc4b2a76b9719d911017c592"
TIMEOUT = 1
"""Seconds that a room stays after its last moderator left."""

CONFIG_JS = f"""// Jitsi Meet configuration.
var config = {{}};
config.hosts = {{}};
config.hosts.domain = 'meet.jitsi';
var subdir = '';
config.bosh = 'https://{HOST}:PORT/' + subdir + 'http-bind';
config.websocket = 'wss://{HOST}:PORT/' + subdir + 'xmpp-websocket';
config.p2p = {{
    enabled: true
}};
// Written by videobackend.
config.disableThirdPartyRequests = true;
config.p2p = config.p2p || {{}};
config.p2p.stunServers = [];
"""
"""As the web image renders it, with the additions of components/stack/services/web.py."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A stack, and what is wrong with it; the defaults are a healthy one."""

    resolves_to: tuple[str, ...] = ("127.0.0.1",)
    site: Mapping[str, Any] = field(default_factory=dict)
    """Fields of Site."""
    config_js: str = CONFIG_JS
    prosody: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of XmppServer."""
    prosody_runs: bool = True
    statistics: bool = False
    video_service: str = ""
    """`right` where it is told of a call's end, or what is wrong with it: `no user` where Keycloak does not know the user."""
    broker_works: bool = True
    turn_secret: str = TURN_SECRET
    """The one that the outputs tell and that prosody has; coturn has TURN_SECRET."""
    bridge_address: str = "127.0.0.1"
    bridge_answers: str = "right"
    """As Bridge has it, or `gone` where no bridge listens."""
    bridge_offered: bool = True
    """Whether jicofo offers the bridge to a call of two."""
    bridges: tuple[int, int] = (1, 1)
    """How many jicofo sees, and how many of them work."""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Changes to the output facts, by section."""
    outputs: Mapping[str, Any] = field(default_factory=dict)


class _StandIn(DockerCli):
    """The stand-in for `docker`, which needs no way to a host."""

    def command(self, *words: str) -> list[str]:
        return [*self.options, *words]


@dataclass(frozen=True, kw_only=True)
class Playing:
    """A scene whose servers run."""

    outputs: dict[str, Any]
    docker: Path
    broker: Broker
    prosody: XmppServer

    @property
    def stack(self) -> DeployedStack:
        return DeployedStack.of(self.outputs, _StandIn((str(self.docker),)))


@contextmanager
def play(
    scene: Scene, directory: Path, certificates: Certificates, installation: Installation, coturn: Coturn | None
) -> Iterator[Playing]:
    """Starts the servers of a scene, and ends them."""
    with ExitStack() as exits:
        broker = Broker(works=scene.broker_works)
        exits.callback(broker.stop)
        platform = Platform()
        exits.callback(platform.close)
        if scene.video_service == "no user":
            platform.keycloak.faults = [401] * 1000
        platform.unknown = 500  # of the test call's room
        platform.open()
        settings = BrokerSettings(url=broker.url, username="publisher", password="broker-password-0cc175b9")
        setup = Setup(
            c2s_port=free_port(),
            http_port=free_port(),
            timeout=TIMEOUT,
            broker=settings if scene.statistics else None,
            video_service_file=platform.file if scene.video_service else "",
        )
        turn = {"turn_urls": coturn.urls(), "turn_secret": scene.turn_secret} if coturn is not None else {}
        bridge = Bridge(scene.bridge_address, scene.bridge_answers)
        exits.callback(bridge.stop)
        offered = {"bridge": bridge if scene.bridge_offered else None}
        prosody = XmppServer(installation, setup, **(turn | offered | dict(scene.prosody)))
        exits.callback(prosody.remove)
        prosody.start()
        if not scene.prosody_runs:
            prosody.stop()
        site = Site(config_js=scene.config_js, prosody_port=setup.http_port, **scene.site)
        nginx = Nginx(directory / "nginx", certificates, site)
        exits.callback(nginx.stop)
        advertised = f"{bridge.address}#{bridge.port}"
        if scene.bridge_answers == "gone":
            bridge.stop()
        found = _outputs(scene, nginx, advertised, certificates)
        if coturn is not None:
            found["turn"] = {"urls": coturn.urls(), "secret": scene.turn_secret}
        docker = docker_stand_in(
            directory / "bin",
            {
                found["containers"]["jicofo"]: jicofo_statistics(*scene.bridges),
                found["containers"]["prosody"]: f"http://127.0.0.1:{setup.http_port}",
            },
        )
        yield Playing(outputs=found, docker=docker, broker=broker, prosody=prosody)


def _outputs(scene: Scene, nginx: Nginx, advertised: str, certificates: Certificates) -> dict[str, Any]:
    facts: dict[str, dict[str, Any]] = {
        "http": {"port": nginx.http_port, "redirects": False},
        "media": {"addresses": [advertised]},
        "statistics": {"broker": "external" if scene.statistics else None},
        "timeouts": {"conference": TIMEOUT},
    }
    if scene.video_service:
        facts["videoService"] = {"url": "http://videoservice:8080", "keycloak": "http://keycloak:8080"}
    for section, entries in scene.facts.items():
        facts[section] = facts.get(section, {}) | dict(entries)
    return outputs(nginx.port, caCertificate=certificates.authority, facts=facts) | dict(scene.outputs)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A set-up that one check must name."""

    check: str
    says: str
    """Part of what it says that it saw."""
    scene: Scene
    along: tuple[str, ...] = ()
    """Other checks that rightly fail with it."""
    fix: str = ""
    """Part of what it says to do."""


WITHOUT_TOKENS: Mapping[str, Scene] = {
    "without sign-in": Scene(
        facts={"auth": {"required": False, "token": None}}, prosody={"authentication": "anonymous"}
    ),
    "with accounts": Scene(facts={"auth": {"token": None}}, prosody={"authentication": "internal_hashed"}),
}
"""Healthy ones of stacks that take no tokens."""

_GUESTS = {"auth": {"guests": True}}
WITH_GUESTS = Scene(facts=_GUESTS)
"""A healthy one that lets in guests without a token."""

_REDIRECT = {"http": {"redirects": True}}

BROKEN: Mapping[str, Broken] = {
    "the name leads to another server": Broken(
        check="name",
        says="not to 192.0.2.7",
        scene=Scene(
            resolves_to=("127.0.0.1", "192.0.2.8"), outputs={"hostsEntry": None, "dnsRecords": [f"{HOST} A 192.0.2.7"]}
        ),
    ),
    "the certificate is for another host": Broken(
        check="certificate", says="for another host than", scene=Scene(site={"certificate": "other-host"})
    ),
    "plain HTTP does not redirect": Broken(
        check="http", says="HTTP 200 instead of a redirect", scene=Scene(facts=_REDIRECT)
    ),
    "publicUrl lost its port": Broken(
        check="config.js", says="not to https://", scene=Scene(config_js=CONFIG_JS.replace(":PORT", ""))
    ),
    "the proxy does not pass the query of /http-bind": Broken(
        check="bosh",
        says="refuses a right token (not-allowed: token required)",
        scene=Scene(site={"bosh": "without query"}),
    ),
    "the proxy does not upgrade to WebSocket": Broken(
        check="websocket",
        says="no sign-in: the stream is closed without a word",
        scene=Scene(site={"websocket": "without upgrade"}),
    ),
    "create_room is not loaded": Broken(
        check="guest", says="without the moderator claim opened a room", scene=Scene(prosody={"without": "create_room"})
    ),
    "jicofo is not there": Broken(
        check="moderator", says="jicofo does not open a room", scene=Scene(prosody={"focus": False})
    ),
    "jicofo sees no working bridge": Broken(check="bridge", says="none works", scene=Scene(bridges=(1, 0))),
    "nothing listens at the media port": Broken(
        check="media", says="nothing listens at UDP 127.0.0.1#", scene=Scene(bridge_answers="gone")
    ),
    "the TURN secret is another one": Broken(
        check="turn",
        says="gives no relay address: error 401",
        scene=Scene(turn_secret="another-secret-7d793037a0760186"),
    ),
    "the broker refuses events": Broken(
        check="statistics",
        says="does not reach the broker: HTTP status 503",
        scene=Scene(statistics=True, broker_works=False),
    ),
    "Keycloak does not know the user for the VideoService": Broken(
        check="videoservice",
        says="does not reach the VideoService: Keycloak: HTTP status 401",
        scene=Scene(video_service="no user"),
    ),
}
"""One for each check."""

MORE_BROKEN: Mapping[str, Broken] = {
    "a firewall drops what comes to the media port": Broken(
        check="media",
        says="the bridge does not answer at UDP 127.0.0.1#",
        fix="(jvbPort) in through each firewall",
        scene=Scene(bridge_answers="none"),
    ),
    "another program has the media port": Broken(
        check="media",
        says="something other than the bridge answers at UDP 127.0.0.1#",
        scene=Scene(bridge_answers="everybody"),
    ),
    "nothing listens at the media port, and jicofo offers no bridge": Broken(
        check="media",
        says="nothing listens at UDP 127.0.0.1#",
        scene=Scene(bridge_answers="gone", bridge_offered=False),
    ),
    "nothing listens at the media port of a stack without tokens": Broken(
        check="media",
        says="nothing listens at UDP 127.0.0.1#",
        scene=replace(WITHOUT_TOKENS["without sign-in"], bridge_answers="gone"),
    ),
    "the certificate has expired": Broken(
        check="certificate", says="has expired", scene=Scene(site={"certificate": "expired"})
    ),
    "the certificate is of an unknown authority": Broken(
        check="certificate", says="does not lead to", scene=Scene(site={"certificate": "self"})
    ),
    "plain HTTP redirects though it should serve": Broken(
        check="http", says="configured to serve the page", scene=Scene(site={"redirects": True})
    ),
    "custom-config.js is missing": Broken(
        check="config.js", says="names no STUN servers", scene=Scene(config_js=CONFIG_JS.partition("// Written")[0])
    ),
    "branding brings a foreign STUN server": Broken(
        check="config.js",
        says="not configured: stun.example.org:3478",
        scene=Scene(config_js=CONFIG_JS + "config.p2p.stunServers = [{ urls: 'stun:stun.example.org:3478' }];\n"),
    ),
    "the proxy has no /http-bind": Broken(check="bosh", says="HTTP 404", scene=Scene(site={"bosh": "absent"})),
    "prosody tells clients of no TURN server": Broken(
        check="turn",
        says="prosody does not tell clients of turn:",
        fix="logs videobackend-test-prosody",
        scene=Scene(prosody={"turn_urls": ()}),
    ),
    "prosody tells clients of another TURN server": Broken(
        check="turn",
        says="prosody does not tell clients of turn:",
        scene=Scene(prosody={"turn_urls": ["turn:turn.example.org:3478"]}),
    ),
    "prosody has another TURN secret than the stack": Broken(
        check="turn",
        says="gives no relay address: error 401",
        scene=Scene(prosody={"turn_secret": "another-secret-7d793037a0760186"}),
    ),
    "TURN relays at another address than the stack's": Broken(
        check="turn",
        says="relays at 127.0.0.1, while clients know 127.0.0.2",
        fix="jvbBindAddress",
        scene=Scene(
            bridge_address="127.0.0.2",
            outputs={"containers": outputs()["containers"] | {"coturn": "videobackend-test-coturn"}},
        ),
    ),
    "prosody is down": Broken(
        check="bosh",
        says="no sign-in: /http-bind answers HTTP 502",
        fix="logs videobackend-test-prosody",
        along=("websocket",),
        scene=Scene(prosody_runs=False),
    ),
    **{
        f"prosody is down in a stack {name}": Broken(
            check="websocket",
            says="no sign-in: /xmpp-websocket answers HTTP 502",
            fix="logs videobackend-test-prosody",
            along=("bosh",),
            scene=replace(scene, prosody_runs=False),
        )
        for name, scene in WITHOUT_TOKENS.items()
    },
    "the proxy has no /http-bind, and the stack takes no tokens": Broken(
        check="bosh",
        says="HTTP 404",
        fix="must pass POST /http-bind",
        scene=replace(WITHOUT_TOKENS["with accounts"], site={"bosh": "absent"}),
    ),
    "a stack with accounts asks for none": Broken(
        check="bosh",
        says="lets in whoever comes without an account",
        along=("websocket",),
        scene=replace(WITHOUT_TOKENS["with accounts"], prosody={"authentication": "anonymous"}),
    ),
    "a stack without sign-in asks for accounts": Broken(
        check="websocket",
        says="no sign-in: prosody asks for an account",
        fix="authType",
        along=("bosh",),
        scene=replace(WITHOUT_TOKENS["without sign-in"], prosody={"authentication": "internal_hashed"}),
    ),
    "create_room is not loaded, and guests are let in": Broken(
        check="guest",
        says="a token without the moderator claim and an anonymous guest (enableGuests) opened a room",
        scene=replace(WITH_GUESTS, prosody={"without": "create_room"}),
    ),
    "anonymous guests are asked for accounts": Broken(
        check="guest",
        says="anonymous guests cannot sign in",
        scene=replace(WITH_GUESTS, prosody={"guests": "internal_hashed"}),
    ),
    "moderators do not become owners": Broken(
        check="moderator", says="not owner", scene=Scene(prosody={"without": "token_moderation"})
    ),
    "the stack's key is not prosody's": Broken(
        check="bosh",
        says="refuses a right token",
        along=("websocket",),
        scene=Scene(outputs={"credentials": {"jwt_app_secret": "another-key-c4ca4238a0b923820dcc509a6f75849b"}}),
    ),
    **{
        f"prosody overlooks the {what}": Broken(
            check="bosh",
            says=f"lets in whoever comes {says}",
            along=("websocket",),
            scene=Scene(prosody={"overlooks": what}),
        )
        for what, says in {
            "absence": "without a token",
            "signature": "with a wrong signature",
            "issuer": "with a wrong issuer",
            "audience": "with a wrong audience",
            "expiry": "with an expired token",
        }.items()
    },
}
"""Other faults, of which some hit two checks at once."""
