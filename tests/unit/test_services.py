"""What each service is told: golden files for the defaults, and the rules behind the values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import pytest

from components.config.tables import image_variables
from components.stack import services
from components.stack.services.web import custom_config
from components.stack.spec import ContainerSpec, SecretRef
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, TLS_OWN, TURN_EXTERNAL, load

LAN: Final = {"dockerHostAddress": "192.168.1.5"}
SETTINGS: Final[dict[str, dict[str, str]]] = {
    "defaults": {},
    "domain": {**DOMAIN, **DNS, **STATISTICS},
    "own secrets": OWN_SECRETS,
    "TURN elsewhere": TURN_EXTERNAL,
    "TURN": {**LAN, "turn": "embedded"},
    "TURN without TLS": {**DOMAIN, "turn": "embedded"},
    "STUN": {"stunServers": "stun.example.org:3478,192.0.2.3:443"},
    "guests": {"enableGuests": "true"},
    "accounts": {"authType": "internal"},
    "open": {"enableAuth": "false"},
    "own modules": {"xmppMucModules": "close_room"},
}
JITSI: Final = image_variables.SERVICES
PASSED_BUT_UNREAD: Final = {"prosody": frozenset({"JICOFO_COMPONENT_SECRET"})}
"""Handed over for the sake of the operators' .env, though no image reads it."""


def specs(**values: str) -> dict[str, ContainerSpec]:
    return {spec.role: spec for spec in services.specs(load(**values))}


def environment(role: str, **values: str) -> dict[str, str]:
    return specs(**values)[role].plain_environment


@pytest.mark.parametrize("role", JITSI)
def test_the_default_environment_is_the_reviewed_one(role: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{role}.env", "".join(f"{name}={value}\n" for name, value in environment(role).items()))


@pytest.mark.parametrize("role", JITSI)
def test_what_runs_by_default_is_the_reviewed_one(role: str, golden: Callable[[str, str], None]) -> None:
    spec = specs()[role]
    shape = {
        "image": spec.image,
        "health": [*spec.health.command],
        "networks": [*spec.networks],
        "aliases": [*spec.aliases],
        "ports": [f"{one.ip}:{one.external}->{one.internal}/{one.protocol}" for one in spec.ports],
        "files": sorted(one.path for one in spec.files if not one.path.endswith(".lua") or "conf.d" in one.path),
        "volumes": {one.name: one.path for one in spec.volumes},
        "tmpfs": dict(spec.tmpfs),
        "read_only": spec.read_only,
        "memory": spec.memory,
        "capabilities": [*spec.capabilities],
        "gains_capabilities": spec.gains_capabilities,
        "starts_after": [*spec.starts_after],
        "awaited": spec.awaited,
        "needs": [*spec.needs],
        "replaced_with": spec.replaced_with,
        "stop_grace": spec.stop_grace,
        "restart": spec.restart,
    }
    golden(f"{role}.json", json.dumps(shape, indent=2) + "\n")


@pytest.mark.parametrize("role", JITSI)
@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_one_that_the_image_reads(name: str, role: str) -> None:
    """A misspelt or outgrown name is ignored in silence."""
    known = image_variables.read_by(role) | PASSED_BUT_UNREAD.get(role, frozenset())
    assert set(environment(role, **SETTINGS[name])) <= known


@pytest.mark.parametrize("name", SETTINGS)
def test_services_come_after_those_they_wait_for(name: str) -> None:
    seen: set[str] = set()
    for spec in services.specs(load(**SETTINGS[name])):
        assert set(spec.starts_after) <= seen, spec.role
        assert spec.role not in seen
        seen.add(spec.role)


@pytest.mark.parametrize("name", SETTINGS)
def test_no_value_is_empty_or_has_a_line_break(name: str) -> None:
    """The images take an empty variable for their own default."""
    for spec in services.specs(load(**SETTINGS[name])):
        for variable, value in spec.plain_environment.items():
            assert value, f"{spec.role} {variable}"
            assert "\n" not in value, f"{spec.role} {variable}"


@pytest.mark.parametrize("name", SETTINGS)
def test_passwords_and_keys_travel_as_references(name: str) -> None:
    for spec in services.specs(load(**SETTINGS[name])):
        for variable, value in spec.environment.items():
            if variable.endswith(("_PASSWORD", "_SECRET", "_CREDENTIALS")):
                assert isinstance(value, SecretRef), f"{spec.role} {variable}"


def test_the_xmpp_domains_are_the_same_everywhere() -> None:
    values: dict[str, set[str]] = {}
    for role in JITSI:
        for variable, value in environment(role).items():
            if variable.startswith("XMPP_"):
                values.setdefault(variable, set()).add(value)
    assert {variable for variable, found in values.items() if len(found) > 1} == set()


# Who moderates


def test_with_token_moderation_jicofo_promotes_nobody() -> None:
    """Neither the first to arrive nor whoever has signed in."""
    told = environment("jicofo")
    assert told["ENABLE_AUTO_OWNER"] == "0"
    assert told["JICOFO_ENABLE_AUTH"] == "0"
    assert told["ENABLE_AUTH"] == "1", "prosody still lets in signed-in users only"


@pytest.mark.parametrize(
    "values", [{"enableAuth": "false"}, {"xmppMucModules": "close_room"}, {"authType": "internal"}]
)
def test_without_token_moderation_somebody_becomes_moderator(values: dict[str, str]) -> None:
    assert environment("jicofo", **values)["ENABLE_AUTO_OWNER"] == "1"


def test_jicofo_asks_for_a_login_where_accounts_moderate() -> None:
    assert environment("jicofo", authType="internal")["JICOFO_ENABLE_AUTH"] == "1"
    assert environment("jicofo", enableAuth="false")["JICOFO_ENABLE_AUTH"] == "0"


def test_prosody_loads_the_modules_of_the_rooms() -> None:
    assert environment("prosody")["XMPP_MUC_MODULES"] == "token_moderation,close_room,create_room"
    assert environment("prosody", enableAuth="false")["XMPP_MUC_MODULES"] == "close_room"
    assert environment("prosody", xmppMucModules="create_room,token_moderation")["XMPP_MUC_MODULES"] == (
        "create_room,token_moderation"
    )


# Who gets in


def test_a_fresh_stack_is_closed_to_strangers() -> None:
    told = environment("prosody")
    assert (told["ENABLE_AUTH"], told["AUTH_TYPE"], told["ENABLE_GUESTS"]) == ("1", "jwt", "0")
    assert told["JWT_ALLOW_EMPTY"] == "0"


def test_guests_are_let_in_when_the_operator_says_so() -> None:
    for role in ("prosody", "web"):
        assert environment(role, enableGuests="true")["ENABLE_GUESTS"] == "1", role
        assert environment(role)["ENABLE_GUESTS"] == "0", role


@pytest.mark.parametrize("values", [{"enableAuth": "false"}, {"authType": "internal"}])
def test_nobody_is_told_of_tokens_without_token_authentication(values: dict[str, str]) -> None:
    for role in JITSI:
        assert not [variable for variable in environment(role, **values) if variable.startswith("JWT_")], role


def test_prosody_accepts_the_configured_tokens() -> None:
    told = environment(
        "prosody", jwtAppId="app", jwtAcceptedIssuers="service,other", jwtAcceptedAudiences="backend,more"
    )
    assert told["JWT_APP_ID"] == "app"
    assert told["JWT_ACCEPTED_ISSUERS"] == "service,other"
    assert told["JWT_ACCEPTED_AUDIENCES"] == "backend,more"
    assert specs()["prosody"].environment["JWT_APP_SECRET"] == SecretRef("jwt_app_secret")


def test_the_key_of_the_tokens_goes_to_prosody_alone() -> None:
    for role in JITSI:
        assert ("JWT_APP_SECRET" in environment(role)) is (role == "prosody"), role


# Addresses, ports, third parties


def test_the_bridge_advertises_the_configured_addresses() -> None:
    told = environment("jvb", dockerHostAddress="203.0.113.10#10001,2001:DB8::1")
    assert told["JVB_ADVERTISE_IPS"] == "203.0.113.10#10001,2001:db8::1"


def test_without_an_address_the_bridge_is_told_none() -> None:
    assert "JVB_ADVERTISE_IPS" not in environment("jvb")
    assert "DOCKER_HOST_ADDRESS" not in environment("jvb", **LAN), "the outgrown name makes the image warn"


def test_no_third_party_is_contacted_by_default() -> None:
    """With an empty list the bridge would ask a server of the Jitsi project, and so would browsers."""
    assert environment("jvb")["JVB_DISABLE_STUN"] == "1"
    assert "JVB_STUN_SERVERS" not in environment("jvb")
    assert "P2P_STUN_SERVERS" not in environment("web")
    page = custom_config(load())
    assert "config.p2p.stunServers = [];" in page
    assert "config.disableThirdPartyRequests = true;" in page


def test_own_stun_servers_reach_bridge_and_browsers() -> None:
    servers = "stun.example.org:3478,192.0.2.3:443"
    told = environment("jvb", stunServers=servers)
    assert told["JVB_STUN_SERVERS"] == servers
    assert "JVB_DISABLE_STUN" not in told
    assert environment("web", stunServers=servers)["P2P_STUN_SERVERS"] == servers
    assert "stunServers = []" not in custom_config(load(stunServers=servers))


def test_the_public_url_carries_its_port_where_it_is_not_443() -> None:
    for role in ("web", "prosody"):
        assert environment(role)["PUBLIC_URL"] == "https://onlineberatung.local:8443", role
        assert environment(role, **DOMAIN)["PUBLIC_URL"] == "https://video.example.org", role


def test_http_is_redirected_only_to_the_port_that_the_image_can_name() -> None:
    assert environment("web")["ENABLE_HTTP_REDIRECT"] == "0"
    assert environment("web", **DOMAIN)["ENABLE_HTTP_REDIRECT"] == "1"


def test_web_is_healthy_once_it_serves_the_page_with_a_certificate() -> None:
    """With Let's Encrypt acme.sh answers plain HTTP until then, whatever it is asked."""
    for values in ({}, DOMAIN, {**DOMAIN, "tls": "self-signed"}):
        command = specs(**values)["web"].health.command
        assert command[-1] == "https://127.0.0.1:8443/_health"
        assert "--insecure" in command, "whoever signed it"
    assert specs(**DOMAIN, tls="proxy")["web"].health.command[-1] == "http://127.0.0.1:8000/_health"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_health_check_comes_soon_after_a_start_and_is_patient_with_a_slow_one(name: str) -> None:
    """The first check comes after one interval, and `up` waits for it."""
    for spec in services.specs(load(**SETTINGS[name])):
        health = spec.health
        assert health.interval <= 2, spec.role
        assert health.timeout * health.retries >= 15, spec.role
        assert health.start_period >= 30, spec.role
        gives_up = health.start_period + health.retries * (health.interval + health.timeout)
        assert gives_up + 20 <= health.deadline <= (180 if spec.role == "web" else 90), "some time after Docker"


def test_an_authority_may_take_longer_to_give_a_certificate() -> None:
    assert specs(**DOMAIN)["web"].health.deadline == 180
    assert specs(**DOMAIN, tls="proxy")["web"].health.deadline == 90


def test_webs_health_check_leaves_no_line_in_its_log_and_gets_the_page() -> None:
    """It would be a line every two seconds."""
    (conf,) = [one.content for one in specs()["web"].files if one.path == "/config/nginx-custom/health.conf"]
    assert isinstance(conf, str)
    block = conf.partition("location = /_health {")[2].partition("}")[0]
    assert {line.strip() for line in block.splitlines()} == {"", "access_log off;", "try_files /index.html =404;"}


def test_jicofo_is_healthy_once_browsers_get_an_answer_from_prosody_too() -> None:
    """`up` does not wait for prosody's own health, so this is where a prosody that does not serve is noticed."""
    command = specs()["jicofo"].health.command
    assert command.index("http://xmpp.meet.jitsi:5280/http-bind") < len(command) - 1
    assert "--fail-early" in command, "without it curl tells of its last URL alone"
    for at, word in enumerate(command):
        if word.startswith("http"):
            assert command[at - 2 : at] == ("--output", "/dev/null"), "one for each URL"


def test_web_finds_prosody_at_a_new_address_within_seconds() -> None:
    assert environment("web")["NGINX_RESOLVER"] == "127.0.0.11 valid=5s"


def test_jicofos_health_check_is_switched_on() -> None:
    assert environment("jicofo")["JICOFO_ENABLE_HEALTH_CHECKS"] == "1"


@pytest.mark.parametrize(
    ("role", "url"),
    [
        ("web", "https://127.0.0.1:8443/_health"),
        ("prosody", "http://127.0.0.1:5280/health"),
        ("jvb", "http://127.0.0.1:8080/about/health"),
        ("jicofo", "http://127.0.0.1:8888/about/health"),
    ],
)
def test_each_service_is_asked_where_it_answers(role: str, url: str) -> None:
    command = specs()[role].health.command
    assert command[0] == "CMD", "no shell in between"
    assert command[-1] == url
    assert "--fail" in command, "an answer of 500 is not healthy"


@pytest.mark.parametrize(
    ("key", "variable", "role"),
    [
        ("enableLobby", "ENABLE_LOBBY", "prosody"),
        ("enableBreakoutRooms", "ENABLE_BREAKOUT_ROOMS", "prosody"),
        ("enableBreakoutRooms", "ENABLE_BREAKOUT_ROOMS", "web"),
        ("enablePrejoinPage", "ENABLE_PREJOIN_PAGE", "web"),
        ("enableClosePage", "ENABLE_CLOSE_PAGE", "web"),
        ("enableGuests", "ENABLE_GUESTS", "prosody"),
        ("enableAuth", "ENABLE_AUTH", "jicofo"),
        ("enableAuth", "ENABLE_AUTH", "web"),
    ],
)
def test_a_switch_reaches_its_service_as_the_templates_read_it(key: str, variable: str, role: str) -> None:
    assert environment(role, **{key: "true"})[variable] == "1"
    assert environment(role, **{key: "false"})[variable] == "0"


def test_time_zone_restart_policy_and_log_rotation_reach_every_service() -> None:
    values = {"timeZone": "UTC", "restartPolicy": "always", "logMaxSize": "1m", "logMaxFiles": "7"}
    for role, spec in specs(**values).items():
        assert spec.plain_environment["TZ"] == "UTC", role
        assert (spec.restart, spec.log_max_size, spec.log_max_files) == ("always", "1m", 7), role


@pytest.mark.parametrize(
    ("values", "ancestors"),
    [
        ({}, None),
        ({"embeddedBy": "self"}, "frame-ancestors 'self'"),
        (
            {"embeddedBy": "https://app.example.org,http://localhost:9001"},
            "frame-ancestors 'self' https://app.example.org http://localhost:9001",
        ),
    ],
)
def test_only_those_who_may_embed_the_page_are_its_frames_ancestors(
    values: dict[str, str], ancestors: str | None
) -> None:
    policy = environment("web", **values)["CSP_HEADER"].split("; ")
    assert [one for one in policy if one.startswith("frame-ancestors")] == ([ancestors] if ancestors else [])


def test_the_page_may_talk_to_its_own_host_alone_whatever_a_link_says() -> None:
    """A link can switch disableThirdPartyRequests off, but not what the browser was told with the page."""
    policy = dict(one.split(" ", 1) for one in environment("web", **DOMAIN)["CSP_HEADER"].split("; "))
    assert policy["connect-src"] == "'self' wss://video.example.org data: blob:"
    assert policy["img-src"] == "'self' data: blob: https://app.example.org"
    assert "wss://onlineberatung.local:8443" in environment("web")["CSP_HEADER"], "with its port"


@pytest.mark.parametrize("name", SETTINGS)
def test_the_policy_passes_through_nginx_quotes_unharmed(name: str) -> None:
    assert not set('"\\$\n') & set(environment("web", **SETTINGS[name])["CSP_HEADER"])


@pytest.mark.parametrize(("role", "variable"), [("jvb", "VIDEOBRIDGE_MAX_MEMORY"), ("jicofo", "JICOFO_MAX_MEMORY")])
def test_javas_heap_leaves_room_within_the_containers_memory(role: str, variable: str) -> None:
    """Threads, code and packets lie beside the heap; the kernel kills what grows beyond the limit."""
    spec = specs()[role]
    heap = spec.plain_environment[variable]
    assert heap.endswith("m")
    assert 512 <= spec.memory - int(heap[:-1]) <= 1024


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "0"),
        (DOMAIN, "1"),
        ({**DOMAIN, "letsencryptUseStaging": "true"}, "0"),
        ({**DOMAIN, "letsencryptAcmeServer": "https://acme-staging-v02.api.letsencrypt.org/directory"}, "0"),
        ({**DOMAIN, "letsencryptAcmeServer": "https://ca.example.org/acme/directory"}, "0"),
        ({**DOMAIN, "letsencryptAcmeServer": "https://acme.zerossl.com/v2/DV90"}, "1"),
        ({**DOMAIN, "tls": "self-signed"}, "0"),
        ({**DOMAIN, "tls": "proxy"}, "0"),
        ({**DOMAIN, **TLS_OWN}, "1"),
        (TLS_OWN, "0"),
    ],
)
def test_browsers_are_told_to_take_https_alone_where_a_public_name_has_a_trusted_certificate(
    values: dict[str, str], told: str
) -> None:
    """With one that they refuse they would offer no way on; a local name may be another machine's tomorrow."""
    assert environment("web", **values)["ENABLE_HSTS"] == told


def test_registry_and_release_name_the_images() -> None:
    found = specs(imageRegistry="registry.example.org/jitsi", jitsiRelease="stable-12000")
    for role in JITSI:
        assert found[role].image == f"registry.example.org/jitsi/{role}:stable-12000"


def test_every_file_has_content() -> None:
    """Docker's provider refuses an empty upload."""
    for name in SETTINGS:
        for spec in services.specs(load(**SETTINGS[name])):
            assert all(one.content for one in spec.files), spec.role
