"""`environment`: which variables of the images are taken, what is said of the others, and where the values go."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from components.config import rules
from components.config.environment import owner, refusal
from components.config.keys import KEYS
from components.config.load import load as load_settings
from components.config.problems import Problem, SettingsError
from components.config.secret import HIDDEN
from components.config.settings import Settings
from components.config.tables import image_variables as table
from components.stack import services
from components.stack.blueprint import blueprint
from components.stack.credentials import passed_on
from components.stack.spec import SecretRef
from ops import image_variables
from tests.tables import each
from tests.values import DOMAIN, STATISTICS, TLS_OWN, TURN_EXTERNAL

REFUSED: Final = [
    ("jvb", "VIDEOBRIDGE_MAX_MEMRY", "did you mean VIDEOBRIDGE_MAX_MEMORY?"),
    ("web", "RESOLUTON", "did you mean RESOLUTION?"),
    ("web", "NEVER_HEARD_OF", "reads no such variable; docs/settings.md"),
    ("jvb", "JVB_TCP_PORT", "a dead name: no image reads it since stable-7001"),
    ("jicofo", "ENABLE_SCTP", "a dead name"),
    ("jvb", "JVB_PORT", "the key jvbPort decides it"),
    ("jvb", "JVB_ADVERTISE_IPS", "the key dockerHostAddress decides it"),
    ("web", "DISABLE_HTTPS", "the key tls decides it"),
    ("web", "TZ", "the key timeZone decides it"),
    ("prosody", "JWT_APP_SECRET", "the key jwtAppSecret decides it"),
    ("prosody", "XMPP_DOMAIN", "names and ports between the containers are fixed"),
    ("prosody", "JWT_ALLOW_EMPTY", "so that nobody gets in without a token"),
    ("prosody", "LDAP_URL", "AUTH_TYPE ldap alone"),
    ("jvb", "HOSTNAME", "the container's own start sets it"),
    ("jicofo", "RESOLUTION", "there is environment.web.RESOLUTION"),
    ("jicofo", "GF_ANALYTICS_REPORTING_ENABLED", "of a Grafana, a container that no stack has"),
    ("web", "ENABLE_STATS_ID", "no image reads it"),
]
"""Service, name, and what is said."""
OVERRIDABLE: Final = {"JICOFO_MAX_MEMORY", "VIDEOBRIDGE_MAX_MEMORY", "DYNAMIC_BRANDING_URL"}
"""What the program sets unless the operator does; the last with a file of brandingDir alone, which is a rule."""


def settings_of(variables: Mapping[str, Any], secret: Collection[str] = (), **values: str) -> Settings:
    given = {"environment": json.dumps(variables), **values}
    return load_settings(given, stack="dev", secret_keys=secret)


def refused(variables: Mapping[str, Any], secret: Collection[str] = (), **values: str) -> list[Problem]:
    try:
        settings_of(variables, secret, **values)
    except SettingsError as error:
        return list(error.problems)
    return []


def test_a_variable_that_cannot_be_set_is_refused_with_the_reason() -> None:
    def check(service: str, name: str, said: str) -> None:
        (problem,) = refused({service: {name: "1"}})
        assert problem.key == f"environment.{service}.{name}"
        assert said in problem.reason
        assert problem.config_arguments == ["rm", "--path", problem.key]

    each(REFUSED, check)


def test_what_an_image_reads_is_taken_unless_something_else_decides_it() -> None:
    """Nothing that the program sets itself could be set over it."""
    rich: tuple[dict[str, str], ...] = (
        {},
        {**DOMAIN, **STATISTICS, **TURN_EXTERNAL},
        TLS_OWN,
        {"authType": "internal"},
    )
    taken = {(one, name) for one in table.SERVICES for name in table.read_by(one) if refusal(one, name) is None}
    assert len(taken) > 200
    for values in rich:
        secret = [name for name in values if KEYS[name].secret]
        for spec in services.specs(load_settings(values, stack="dev", secret_keys=secret)):
            own = {name for name in spec.environment if (spec.role, name) in taken}
            assert own <= OVERRIDABLE, spec.role


def test_every_owner_is_a_key_and_every_variable_of_a_key_has_one() -> None:
    for service in table.SERVICES:
        for name in table.read_by(service):
            assert not owner(name) or owner(name) in KEYS, name


def test_a_newer_release_than_the_table_s_is_warned_of_and_not_refused() -> None:
    newer = {"jitsiRelease": "stable-99999"}
    settings = settings_of({"jvb": {"JVB_NEVER_HEARD_OF": "1", "JVB_LOG_FILE": "x"}}, **newer)
    (warning,) = [one for one in rules.warnings(settings) if one.startswith("environment.")]
    assert "environment.jvb.JVB_NEVER_HEARD_OF" in warning
    assert f"in {table.release()}" in warning
    assert refused({"jvb": {"JVB_PORT": "1"}}, **newer), "what a key decides stays refused"
    assert table.release() == KEYS["jitsiRelease"].default, (
        "the table is of another release: ops.image_variables writes it"
    )


def test_plain_variables_reach_their_container_alone_and_are_shown() -> None:
    before = {one.role: one for one in services.specs(load_settings({}, stack="dev"))}
    settings = settings_of({"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "1g", "JVB_CC_TRUST_BWE": False}})
    plan = blueprint(settings)
    after = {one.role: one for one in plan.containers}
    assert {role for role in after if after[role].fingerprint != before[role].fingerprint} == {"jvb"}
    shown = plan.outputs["settings"]["jvb"]
    assert shown["VIDEOBRIDGE_MAX_MEMORY"] == "1g"
    assert shown["JVB_CC_TRUST_BWE"] == "false"
    assert not plan.passed_on


def test_a_secret_is_taken_encrypted_alone_and_never_shown() -> None:
    secret = "environment-9f86d081884c7d659a2feaa0c55ad015"
    (plain,) = refused({"jvb": {"SENTRY_DSN": secret}})
    assert plain.config_arguments == ["set", "--secret", "--path", "environment.jvb.SENTRY_DSN"]
    assert secret not in repr(plain)
    variables = {"jvb": {"SENTRY_DSN": secret, "JVB_CC_TRUST_BWE": "false"}}
    settings = settings_of(variables, ["environment"])
    jvb = next(one for one in services.specs(settings) if one.role == "jvb")
    assert secret not in repr(settings) + repr(blueprint(settings))
    assert jvb.environment["SENTRY_DSN"] == SecretRef("environment.jvb.SENTRY_DSN")
    # The engine does not say which part of a map is encrypted, so none of it is shown.
    assert jvb.plain_environment["JVB_CC_TRUST_BWE"] == HIDDEN
    assert passed_on(settings)["environment.jvb.SENTRY_DSN"].reveal() == secret


def test_beside_the_engine_it_is_seen_which_part_is_encrypted() -> None:
    told = {"jvb": {"SENTRY_DSN": HIDDEN, "JVB_CC_TRUST_BWE": "false"}}
    assert {one.value for one in settings_of(told, ["environment"]).environment} != {HIDDEN}
    (needless,) = refused({"jvb": {"JVB_CC_TRUST_BWE": HIDDEN}}, ["environment"])
    assert needless.allowed == "plain text"
    both = refused({"jvb": {"SENTRY_DSN": "plain"}, "web": {"RESOLUTION": HIDDEN}}, ["environment"])
    assert [one.key for one in both] == ["environment.jvb.SENTRY_DSN", "environment.web.RESOLUTION"]


def test_all_faults_of_a_map_are_told_at_once_without_a_value() -> None:
    found = refused({"jbv": {}, "jvb": {"SENTRY_DSN": "hunter2\n", "JVB_LOG_FILE": 'hunter2"', "x": "hunter2"}})
    assert [one.key for one in found] == [
        "environment.jbv",
        "environment.jvb.SENTRY_DSN",
        "environment.jvb.JVB_LOG_FILE",
        "environment.jvb.x",
    ]
    assert "hunter2" not in repr(found)


def test_the_table_of_names_is_made_from_templates_and_scripts(tmp_path: Path) -> None:
    """A checkout in small; what a script sets before it uses it is its own."""
    for service in table.SERVICES:
        root = tmp_path / service / "rootfs"
        (root / "defaults" / "conf.d").mkdir(parents=True)
        (root / "etc" / "s6-overlay").mkdir(parents=True)
        (root / "defaults" / "conf.d" / "a.cfg").write_text('x = "{{ .Env.ONE | default $ENV.TWO }}" {{ $LOCAL }}')
        script = '# $NOT\n[ -z "${THREE}" ] && export THREE=1\nOWN="$FOUR"\necho $OWN\nexport FIVE="${FIVE:-$(date)}"\n'
        (root / "etc" / "s6-overlay" / "config").write_text(script)
    text = image_variables.table(tmp_path, "stable-1")
    (web,) = re.findall(r'^web = """\n(.*)\n"""', text, re.MULTILINE)
    assert web.split() == ["FIVE", "FOUR", "ONE", "THREE", "TWO", "TZ"]
    assert 'release = "stable-1"' in text
    assert image_variables.main([str(tmp_path / "nowhere")]) == 2


TYPED: Final = [
    ("enableEndConference", "false", "prosody", "ENABLE_END_CONFERENCE", "0"),
    ("maxParticipants", "10", "prosody", "MAX_PARTICIPANTS", "10"),
    ("logLevel", "warn", "prosody", "LOG_LEVEL", "warn"),
    ("language", "de", "web", "DEFAULT_LANGUAGE", "de"),
    ("jvbMemory", "6g", "jvb", "VIDEOBRIDGE_MAX_MEMORY", "5120m"),
    ("jicofoMemory", "1g", "jicofo", "JICOFO_MAX_MEMORY", "512m"),
]
"""Key, value, and the variable of a container that it becomes."""


def test_a_key_of_one_variable_reaches_it_and_leaves_the_other_containers_as_they_are() -> None:
    before = {one.role: one.fingerprint for one in services.specs(load_settings({}, stack="dev"))}

    def check(key: str, value: str, role: str, name: str, told: str) -> None:
        after = {one.role: one for one in services.specs(load_settings({key: value}, stack="dev"))}
        assert after[role].environment[name] == told
        assert {one for one in after if after[one].fingerprint != before[one]} == {role}
        (problem,) = refused({role: {name: told}}) if role in ("web", "prosody") else [None]
        assert problem is None or f"the key {key} decides it" in problem.reason

    each(TYPED, check)


def test_memory_reaches_its_container_and_replaces_it_only_where_the_heap_follows() -> None:
    before = {one.role: one for one in services.specs(load_settings({}, stack="dev"))}
    for role in table.SERVICES:
        after = {one.role: one for one in services.specs(load_settings({f"{role}Memory": "9g"}, stack="dev"))}
        assert {one: after[one].memory for one in after if after[one].memory != before[one].memory} == {role: 9216}
        replaced = {one for one in after if after[one].fingerprint != before[one].fingerprint}
        assert replaced == ({role} if role in ("jvb", "jicofo") else set())


def test_a_heap_of_one_s_own_fits_into_the_container() -> None:
    (large,) = refused({"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "4g"}})
    assert "jvbMemory is 4096m" in large.reason
    assert large.config_arguments == ["set", "--path", "environment.jvb.VIDEOBRIDGE_MAX_MEMORY", "3840m"]
    assert not refused({"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "4g"}}, jvbMemory="5g")
    (nonsense,) = refused({"jicofo": {"JICOFO_MAX_MEMORY": "much"}})
    assert nonsense.example == "1280m"


def test_a_log_that_has_who_wrote_to_whom_is_warned_of() -> None:
    assert [one for one in rules.warnings(load_settings({"logLevel": "debug"}, stack="dev")) if "logLevel" in one]
    assert not [one for one in rules.warnings(load_settings({"logLevel": "error"}, stack="dev")) if "logLevel" in one]
