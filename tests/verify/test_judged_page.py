"""What the check of config.js makes of a page, with no server."""

from __future__ import annotations

import pytest

from ops.verify.checks import config_js
from ops.verify.result import Status
from tests.verify.contexts import context, with_facts
from tests.verify.outputs import HOST
from tests.verify.scenes import CONFIG_JS

JS = CONFIG_JS.replace("PORT", "8443")


def test_the_page_as_the_program_makes_it_is_good() -> None:
    assert config_js.judge(context(), JS).status is Status.OK


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            ":8443/' + subdir + 'http-bind'",
            "/' + subdir + 'http-bind'",
            "not to https://video.verify.test:8443/http-bind",
        ),
        ("wss://video.verify.test", "wss://localhost", "not to wss://video.verify.test:8443/xmpp-websocket"),
        ("config.websocket", "config.other", "no config.websocket"),
        ("config.p2p.stunServers = [];", "", "names no STUN servers"),
        ("stunServers = [];", "stunServers = [{ urls: 'stun:meet-jit-si-turnrelay.jitsi.net:443' }];", "jitsi.net:443"),
        ("stunServers = [];", "stunServers = 'stun.example.org:3478'.split(',');", "stun.example.org:3478"),
        ("enabled: true", "stunServers: [{ urls: 'stun:a.example.org:3478' }]", "a.example.org:3478"),
    ],
)
def test_a_page_that_leads_elsewhere_or_to_a_third_party_fails(old: str, new: str, says: str) -> None:
    assert old in JS
    result = config_js.judge(context(), JS.replace(old, new))
    assert result.status is Status.FAILED
    assert says in result.detail
    assert result.fix


OTHER = "https://other.example.org"


@pytest.mark.parametrize(
    "line",
    [
        f"config.bosh = '{OTHER}/http-bind'",
        f"config.bosh = '{OTHER}/http-bind'; // ours",
        f"config.bosh = '{OTHER}/http-bind' /* ours */",
        f"config.bosh =\n  '{OTHER}/'\n  + 'http-bind'",
        f"config['bosh'] = '{OTHER}/http-bind';",
        f'window.config["bosh"] = "{OTHER}/http-bind";',
        f"config.bosh = `{OTHER}/http-bind`;",
        f"Object.assign(config, {{ bosh: '{OTHER}/http-bind' }});",
        f"Object.assign(config, {{ bosh: '{OTHER}/' + subdir + 'http-bind' }})",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\nconfig.other = 'x';\n"])
def test_a_line_that_sends_browsers_elsewhere_fails_however_it_is_written(line: str, end: str) -> None:
    result = config_js.judge(context(), JS + line + end)
    assert result.status is Status.FAILED, result
    assert f"{OTHER}/http-bind" in result.detail
    websocket = line.replace("bosh", "websocket").replace("http-bind", "xmpp-websocket")
    assert config_js.judge(context(), JS + websocket + end).status is Status.FAILED


@pytest.mark.parametrize(
    "line",
    [
        f"config.bosh = 'https://{HOST}:8443/http-bind'",
        f"config['bosh'] = 'https://{HOST}:8443/' + subdir + 'http-bind' // ours",
        f"Object.assign(config, {{ bosh: 'https://{HOST}:8443/tenant/http-bind' }})",
        "config.bosh = '/http-bind', config.other = 'https://other.example.org/'",
        "config.otherbosh = 1; myconfig.bosh = 'x'; if (config.bosh == 'y') { z(); }",
    ],
)
def test_a_line_that_leaves_browsers_here_is_good_however_it_is_written(line: str) -> None:
    assert config_js.judge(context(), JS + line + "\n").status is Status.OK


def test_a_url_elsewhere_that_a_later_line_replaces_is_a_warning() -> None:
    result = config_js.judge(context(), f"var config = {{ bosh: '{OTHER}/http-bind' }};\n" + JS)
    assert result.status is Status.WARNING
    assert OTHER in result.detail


def test_stun_servers_without_a_semicolon_count_too() -> None:
    line = "config.p2p.stunServers = [{ urls: 'stun:stun.example.org:3478' }] // ours\n"
    assert "stun.example.org:3478" in config_js.judge(context(), JS + line).detail


def test_what_is_commented_out_in_the_page_does_not_count() -> None:
    commented = "// config.bosh = 'https://a/';\n/* config.p2p.stunServers = [{ urls: 'stun:a.example.org' }]; */\n"
    assert config_js.judge(context(), JS + commented).status is Status.OK
    assert (
        config_js.judge(context(), JS + "config.a = 'b'; // config.bosh = 'https://a/http-bind'\n").status is Status.OK
    )


def test_configured_stun_servers_are_not_foreign() -> None:
    given = "config.p2p.stunServers = 'a.example.org:3478,b.example.org:3478'.split(',').map(function (url) { return { urls: 'stun:' + url }; } );\n"
    one = with_facts(media={"stunServers": ["a.example.org:3478", "b.example.org:3478"]})
    assert config_js.judge(one, JS + given).status is Status.OK
    other = with_facts(media={"stunServers": ["a.example.org:3478"]})
    assert "b.example.org:3478" in config_js.judge(other, JS + given).detail


def test_relative_urls_in_the_page_are_good() -> None:
    relative = JS.replace(f"https://{HOST}:8443/", "/").replace(f"wss://{HOST}:8443/", "/")
    assert config_js.judge(context(), relative).status is Status.OK
