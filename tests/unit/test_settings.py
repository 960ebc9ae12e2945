"""Reading a stack's configuration: all problems in one message, each with key, given, allowed and the command that fixes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pulumi
import pytest

from components.config.keys import KEYS
from components.config.load import load as load_settings
from components.config.problems import Problem, SettingsError, pulumi_command
from components.config.source import ConfigurationError
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, load

SHORT = "correct-horse-battery"


def refused(values: Mapping[str, str], *, secret_keys: frozenset[str] = frozenset(OWN_SECRETS)) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        load_settings(values, stack="dev", secret_keys=secret_keys)
    return error.value


def problem(values: Mapping[str, str]) -> Problem:
    """The one problem of these values."""
    (one,) = refused(values).problems
    return one


def command(values: Mapping[str, str]) -> str:
    """What fixes these values."""
    return pulumi_command(problem(values), "dev")


# One wrong configuration of each kind, with every word that the operator reads.

WRONG: dict[str, tuple[dict[str, str], str | None, str, str]] = {
    "a URL without scheme": (
        {"publicUrl": "video.example.org"},
        "'video.example.org'",
        "https://HOST or https://HOST:PORT, nothing behind it",
        "pulumi config --stack dev set publicUrl https://video.example.org",
    ),
    "a URL with credentials": (
        {"publicUrl": f"https://admin:{SHORT}@video.example.org"},
        "a URL with credentials",
        "https://HOST or https://HOST:PORT, nothing behind it; no user name or password",
        "pulumi config --stack dev set publicUrl https://video.example.org",
    ),
    "a port out of range": (
        {"httpsPort": "65536"},
        "'65536'",
        "a whole number from 1 to 65535",
        "pulumi config --stack dev set httpsPort VALUE",
    ),
    "colliding ports": (
        {"httpPort": "9000", "httpsPort": "9000"},
        "'9000'",
        "a port that no other service of the stack has; web's port for HTTP (httpPort) has this one",
        "pulumi config --stack dev set httpsPort 8443",
    ),
    "a port that the bridge has": (
        {"turn": "embedded", "dockerHostAddress": "192.0.2.10", "turnPort": "10000"},
        "'10000'",
        "a port that no other service of the stack has; jvb's port for media (jvbPort) has this one",
        "pulumi config --stack dev set turnPort 3478",
    ),
    "a loopback address": (
        {"dockerHostAddress": "127.0.0.1"},
        "'127.0.0.1'",
        "addresses that other machines can reach; not loopback (127.0.0.1), 0.0.0.0, multicast or reserved",
        "pulumi config --stack dev set dockerHostAddress ADDRESS",
    ),
    "a short JWT secret": (
        {"jwtAppSecret": SHORT},
        None,
        "at least 32 bytes (256 bits); this one has 21",
        "pulumi config --stack dev set --secret jwtAppSecret",
    ),
    "a space in a list": (
        {"jwtAcceptedIssuers": "videoservice, other"},
        "'videoservice, other'",
        "a comma separated list of names; no spaces and no empty items",
        "pulumi config --stack dev set jwtAcceptedIssuers videoservice,other",
    ),
    "a moderator module without JWT": (
        {"authType": "internal", "xmppMucModules": "token_moderation,close_room"},
        "token_moderation,close_room",
        "token_moderation only with enableAuth true and authType jwt: without tokens nobody could be moderator",
        "pulumi config --stack dev set xmppMucModules close_room",
    ),
    "a password that the shell would break": (
        {"jvbAuthPassword": f"{SHORT} *"},
        None,
        "letters, digits and . _ ~ + / @ % , and, but not first, = : - (the images pass it through shells)",
        "pulumi config --stack dev set --secret jvbAuthPassword",
    ),
    "a broker's address that is no publish URL": (
        {**STATISTICS, "rabbitUrl": "http://mq:15672/"},
        "'http://mq:15672/'",
        "http(s)://HOST:15672/api/exchanges/VHOST/EXCHANGE/publish (the vhost / is written %2F)",
        "pulumi config --stack dev set rabbitUrl http://mq:15672/api/exchanges/%2F/statistics.topic/publish",
    ),
    "statistics without the broker's password": (
        {name: value for name, value in STATISTICS.items() if name != "rabbitPassword"},
        None,
        "required because enableStatistics is true; the password of rabbitUsername",
        "pulumi config --stack dev set --secret rabbitPassword",
    ),
    "a release that is too old": (
        {"jitsiRelease": "stable-7210-2"},
        "'stable-7210-2'",
        "stable-11146 or newer: older images expect other ports, volumes and variables",
        "pulumi config --stack dev set jitsiRelease stable-11146-2",
    ),
    "a misspelt key": (
        {"publicURL": "https://video.example.org"},
        None,
        "no such key; did you mean publicUrl?",
        "pulumi config --stack dev rm publicURL && pulumi config --stack dev set publicUrl https://video.example.org",
    ),
    "a host outside the zone": (
        {**DOMAIN, "dnsZone": "example.com"},
        "'example.com'",
        "the zone that publicUrl's host video.example.org lies in",
        "pulumi config --stack dev set dnsZone example.org",
    ),
    "DNS without a public address": (
        {**DOMAIN, **DNS, "dockerHostAddress": "10.1.2.3"},
        "10.1.2.3",
        "at least one public address because dnsZone is set: the DNS records point to it",
        "pulumi config --stack dev set dockerHostAddress ADDRESS",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_configuration_is_explained(kind: str) -> None:
    values, given, allowed, fix = WRONG[kind]
    one = problem(values)
    assert one.given == given
    assert "; ".join(filter(None, (one.reason, one.allowed))) == allowed
    assert pulumi_command(one, "dev") == fix


@pytest.mark.parametrize("kind", WRONG)
def test_the_message_says_all_that_the_problem_knows(kind: str) -> None:
    error = refused(WRONG[kind][0])
    (one,) = error.problems
    message = str(error)
    for part in (f"videobackend:{one.key}", one.given or "", one.reason, one.allowed, pulumi_command(one, "dev")):
        assert part in message
    assert message.startswith("the configuration of stack 'dev' has 1 problem; nothing was created or changed.\n")
    assert SHORT not in message, "what may be a secret is not repeated"


def test_a_secret_in_plain_text_is_refused() -> None:
    error = refused({"rabbitPassword": SHORT}, secret_keys=frozenset())
    (one,) = error.problems
    assert one.given is None
    assert (one.reason, one.allowed) == ("a secret in plain text", "an encrypted value")
    assert pulumi_command(one, "dev") == "pulumi config --stack dev set --secret rabbitPassword"
    assert SHORT not in str(error)


@pytest.mark.parametrize("name", ["jwtAppId", "jwtAcceptedIssuers", "rabbitUsername", "dockerHostAddress", "httpPort"])
@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("[]", "text, not a list: write a,b"),
        ('["a", 1]', "text, not a list: write a,b"),
        ("{}", "text, not a map"),
        ('{"a":"b"}', "text, not a map"),
    ],
)
def test_a_list_or_map_is_refused_whatever_the_key(name: str, text: str, allowed: str) -> None:
    assert problem({name: text}).allowed == allowed


def test_a_text_that_only_begins_like_a_list_is_taken() -> None:
    assert load(jwtAppId="[a]").jwt_app_id == "[a]"


def test_a_secret_in_plain_text_that_is_also_too_short_is_one_problem() -> None:
    assert len(refused({"jwtAppSecret": "short"}, secret_keys=frozenset()).problems) == 1


def test_all_problems_come_in_one_message(golden: Callable[[str, str], None]) -> None:
    values = {
        "PUBLIC_URL": "https://video.example.org",
        "publicUrl": f"https://admin:{SHORT}@video.example.org",
        "httpPort": "0",
        "dockerHostAddress": "0.0.0.0",
        "jwtAppSecret": SHORT,
        "jwtAcceptedIssuers": "videoservice, other",
        "jwtAcceptedAudiences": ",",
        "authType": "internal",
        "xmppMucModules": "create_room,token_moderation",
        "jicofoAuthPassword": "x" * 300,
        "jvbAuthPassword": "päß",
        "enableStatistics": "1",
        "rabbitUrl": "amqp://mq:5672",
        "rabbitPassword": SHORT,
        "jitsiRelease": "stable-7210-2",
        "timeZone": "Europe/" + "B" * 100,
        "logMaxSize": "10m\n\x1b[31m",
        "dnsTtl": "2",
        "qqqqqqqq": "x",
    }
    error = refused(values, secret_keys=frozenset({"jwtAppSecret", "jvbAuthPassword", "jicofoAuthPassword"}))
    assert {one.key for one in error.problems} == {*values, "rabbitUsername"} - {"authType", "enableStatistics"}
    golden("settings_error.txt", f"{error}\n")


def test_a_broken_value_brings_no_second_problem_by_a_rule_that_needs_it() -> None:
    assert [one.key for one in refused({"httpPort": "x", "httpsPort": "8000"}).problems] == ["httpPort"]
    assert [one.key for one in refused({**STATISTICS, "rabbitUrl": "x"}).problems] == ["rabbitUrl"]


def test_a_broken_value_does_not_hide_that_others_are_missing() -> None:
    found = refused({"enableStatistics": "true", "rabbitUrl": "x"}).problems
    assert [one.key for one in found] == ["rabbitUrl", "rabbitUsername", "rabbitPassword"]


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("publicURL", "publicUrl"),
        ("publicUrls", "publicUrl"),
        ("httpsport", "httpsPort"),
        ("dockerHostAdress", "dockerHostAddress"),
        ("jvbAdvertiseIps", "dockerHostAddress"),
        ("JVB_ADVERTISE_IPS", "dockerHostAddress"),
        ("tz", "timeZone"),
        ("muc_modules", "xmppMucModules"),
        ("jwtSecret", "jwtAppSecret"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(given: str, nearest: str) -> None:
    one = problem({given: "x"})
    assert one.key == given
    assert one.reason == f"no such key; did you mean {nearest}?"
    assert pulumi_command(one, "dev") == f"pulumi config --stack dev rm {given}"


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if key.env and key.env != name])
def test_a_name_from_the_env_file_is_answered_with_its_key(name: str) -> None:
    assert problem({KEYS[name].env: "x"}).reason == f"no such key; did you mean {name}?"


def test_a_misnamed_key_is_renamed_with_its_value_where_that_is_no_secret_and_fits() -> None:
    for name, text, also in (
        ("JVB_PORT", "20100", "set jvbPort 20100"),
        ("TZ", "Europe/Paris", "set timeZone Europe/Paris"),
        ("JVB_PORT", "port", ""),
        ("JVB_AUTH_PASSWORD", "0123456789ab", ""),
    ):
        rest = f" && pulumi config --stack dev {also}" if also else ""
        assert pulumi_command(problem({name: text}), "dev") == f"pulumi config --stack dev rm {name}{rest}"


def test_a_key_like_no_other_is_answered_with_the_list() -> None:
    assert problem({"qqqqqqqq": "x"}).reason == "no such key; see docs/settings.md for the list of keys"


def test_the_value_of_an_unknown_key_is_not_shown() -> None:
    """It may be a misspelt secret."""
    assert SHORT not in str(refused({"jwtAppSecrett": SHORT, "JWT_APP_SECRET": SHORT}))


def test_a_key_that_the_shell_would_split_is_quoted_in_the_command() -> None:
    assert command({"a b": "x"}) == "pulumi config --stack dev rm 'a b'"
    assert command({"it's": "x"}) == """pulumi config --stack dev rm 'it'"'"'s'"""
    assert command({"a\x1b'": "x"}) == r"pulumi config --stack dev rm $'a\U0000001b\U00000027'"


def test_a_key_that_looks_like_an_option_is_not_taken_for_one() -> None:
    assert command({"-x": "y"}) == "pulumi config --stack dev rm -- -x"


@pytest.mark.parametrize(
    ("given", "meant"), [("yes", "true"), ("On", "true"), ("no", "false"), ("off", "false"), ("ja", "VALUE")]
)
def test_the_command_for_a_switch_says_what_was_meant_and_else_leaves_it_open(given: str, meant: str) -> None:
    assert command({"enableStatistics": given}) == f"pulumi config --stack dev set enableStatistics {meant}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"dnsZone": "example.com"}, "set publicUrl https://onlineberatung.example.com"),
        (
            {**DOMAIN, "dnsZone": "example.com", "publicUrl": "https://example.org"},
            "set dnsZone example.org",
        ),
    ],
)
def test_the_command_for_a_host_outside_the_zone_gives_what_would_do(values: dict[str, str], expected: str) -> None:
    assert pulumi_command(refused(values).problems[0], "dev") == f"pulumi config --stack dev {expected}"


def test_control_characters_do_not_reach_the_terminal() -> None:
    message = str(refused({"authType": "\x1b[2Jjwt", "evil\x1b[2J\nkey": "x", "timeZone": "a\u202eb\ud800"}))
    assert all(line.isprintable() for line in message.split("\n"))
    assert len(message.split("\n")) == len(str(refused({"authType": "a", "evilkey": "x", "timeZone": "b"})).split("\n"))
    message.encode()


def test_a_long_value_is_cut() -> None:
    lines = str(refused({"publicUrl": "x" * 10_000})).split("\n")
    assert max(map(len, lines)) < 200


def test_settings_error_is_shown_without_a_traceback() -> None:
    """Pulumi's Python host prints the message of a RunError and nothing else."""
    assert issubclass(ConfigurationError, pulumi.RunError)
    assert str(ConfigurationError("dev", "videobackend", [Problem("a", None, "b")])).startswith("the configuration of")
