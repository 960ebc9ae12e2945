from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest
from pulumi import automation

from components.resources import docker_cli
from ops.errors import OpsError
from ops.project import checkpoint, engine, local_copy, stackfile, state
from ops.project.state import StackState

SALT = "encryptionsalt: v1:abc\n"


@pytest.fixture
def stack_state(tmp_path: Path) -> StackState:
    (tmp_path / "Pulumi.yaml").write_text("name: videobackend\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("# mine\nconfig:\n  httpPort: 8000\n  timeZone: UTC\n")
    return StackState("dev", tmp_path, embedded=True)


def _checkpoint(stack_state: StackState, resources: str = "[]") -> None:
    stack_state.checkpoint.parent.mkdir(parents=True)
    latest = {"resources": json.loads(resources)}
    stack_state.checkpoint.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))


def _take_over(stack_state: StackState) -> tuple[dict[str, Any], list[str]]:
    content, dropped = local_copy.next_copy(stack_state)
    local_copy.write_copy(stack_state, content)
    return content["config"], dropped


@pytest.mark.parametrize(
    ("tracked", "base", "copy", "merged", "dropped"),
    [
        pytest.param({"a": 1}, {}, {}, {"a": 1}, [], id="the first copy is the tracked file"),
        pytest.param({"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, [], id="a key set here stays"),
        pytest.param({"a": 1}, {"a": 1}, {"a": 3}, {"a": 3}, [], id="a key changed here stays changed"),
        pytest.param({"a": 1}, {"a": 1}, {}, {}, [], id="a key removed here stays removed"),
        pytest.param({"a": 2}, {"a": 1}, {"a": 1}, {"a": 2}, [], id="a change of the tracked file arrives"),
        pytest.param({}, {"a": 1}, {"a": 1}, {}, [], id="a removal in the tracked file arrives"),
        pytest.param({}, {"a": 1}, {"a": 3}, {"a": 3}, [], id="a removal leaves what was set here"),
        pytest.param({}, {"a": 1}, {}, {}, [], id="a removal on both sides is one"),
        pytest.param({"a": 2}, {"a": 1}, {"a": 3}, {"a": 2}, ["a"], id="the tracked file's change wins and is told"),
        pytest.param({"a": 2}, {}, {"a": 3}, {"a": 2}, ["a"], id="a key new in the tracked file wins and is told"),
        pytest.param({"a": 2}, {"a": 1}, {"a": 2}, {"a": 2}, [], id="the same change on both sides is none"),
        pytest.param({"a": 2}, {"a": 1}, {"a": "1"}, {"a": 2}, [], id="1 written back as text is no change"),
        pytest.param({"a": True}, {"a": True}, {"a": "true"}, {"a": "true"}, [], id="nor is true"),
        pytest.param(
            {"a": {"secure": "x"}}, {}, {"a": {"secure": "y"}}, {"a": {"secure": "x"}}, ["a"], id="secrets differ"
        ),
    ],
)
def test_the_copy_takes_over_what_changed_in_the_tracked_file_and_keeps_the_rest(
    tracked: dict[str, Any], base: dict[str, Any], copy: dict[str, Any], merged: dict[str, Any], dropped: list[str]
) -> None:
    assert local_copy.merge(tracked, base, copy) == (merged, dropped)


def test_what_is_set_on_this_machine_outlives_edits_of_the_tracked_file_which_stays_as_it_is(
    stack_state: StackState,
) -> None:
    before = stack_state.tracked.read_text()
    _take_over(stack_state)
    # As the engine and `config set` write there.
    stack_state.config_file.write_text(
        SALT + "config:\n  videobackend:httpPort: '8000'\n  videobackend:timeZone: UTC\n  docker:host: unix:///d\n"
    )
    assert stack_state.tracked.read_text() == before
    stack_state.tracked.write_text("config:\n  httpPort: 8001\n  timeZone: UTC\n")
    config, dropped = _take_over(stack_state)
    assert config == {"videobackend:httpPort": 8001, "videobackend:timeZone": "UTC", "docker:host": "unix:///d"}
    assert dropped == []
    assert SALT in stack_state.config_file.read_text()


def test_plain_settings_of_this_machine_alone_are_known_by_their_keys(stack_state: StackState) -> None:
    local_copy.write_copy(stack_state, local_copy.next_copy(stack_state)[0])
    assert local_copy.own_plain_keys(stack_state) == []
    content, _ = local_copy.next_copy(stack_state)
    own = {"httpPort": "8001", "jwtAppSecret": {"secure": "v1:abc=:def="}, "dockerHostAddress": "192.0.2.44"}
    own = {f"videobackend:{key}": value for key, value in own.items()}
    local_copy.write_copy(stack_state, {**content, "config": {**content["config"], **own}})
    local_copy.keep_detected(stack_state, {"dockerHostAddress": "192.0.2.44"})
    assert local_copy.own_plain_keys(stack_state) == ["httpPort"]


def test_a_lost_copy_is_made_anew_from_the_tracked_file(stack_state: StackState) -> None:
    _take_over(stack_state)
    stack_state.config_file.unlink()
    assert _take_over(stack_state)[0] == {"videobackend:httpPort": 8000, "videobackend:timeZone": "UTC"}


def test_local_files_are_their_owners_alone(stack_state: StackState) -> None:
    state.ensure_passphrase(stack_state, {})
    assert stack_state.directory.stat().st_mode & 0o777 == 0o700
    assert stack_state.passphrase.stat().st_mode & 0o777 == 0o600


def test_the_passphrase_is_random_and_stays(stack_state: StackState) -> None:
    state.ensure_passphrase(stack_state, {})
    first = stack_state.passphrase.read_text()
    state.ensure_passphrase(stack_state, {})
    assert stack_state.passphrase.read_text() == first
    stack_state.passphrase.unlink()
    state.ensure_passphrase(stack_state, {})
    assert stack_state.passphrase.read_text() != first
    assert len(first.strip()) >= 32


def test_a_lost_passphrase_is_not_replaced_while_a_state_needs_it(stack_state: StackState) -> None:
    _checkpoint(stack_state)
    with pytest.raises(OpsError, match="passphrase is gone"):
        state.ensure_passphrase(stack_state, {})
    assert not stack_state.passphrase.exists()


FOREIGN_PASSPHRASES: Final = [
    {"PULUMI_CONFIG_PASSPHRASE": "the shell's"},
    {"PULUMI_CONFIG_PASSPHRASE": ""},
    {"PULUMI_CONFIG_PASSPHRASE_FILE": "/own"},
    {"PULUMI_CONFIG_PASSPHRASE": "the shell's", "PULUMI_CONFIG_PASSPHRASE_FILE": "/own"},
]


@pytest.mark.parametrize("environ", FOREIGN_PASSPHRASES)
def test_a_passphrase_of_the_shell_moves_no_local_stack(stack_state: StackState, environ: dict[str, str]) -> None:
    """Neither on the first `up` nor later: without that shell the secrets could not be read any more."""
    state.ensure_passphrase(stack_state, environ)
    assert stack_state.passphrase.exists()
    for later in (False, True):
        if later:
            _checkpoint(stack_state)
        child = engine.environment(stack_state, environ, Path("/usr/bin/pulumi"))
        assert {name: child[name] for name in child if "PASSPHRASE" in name} == {
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(stack_state.passphrase)
        }
        dropped = engine.superseded_variables(stack_state, environ)
        assert dropped == tuple({"PULUMI_CONFIG_PASSPHRASE"} & environ.keys()), "the CLI prefers it to the file"
        assert state.of_stack("dev", environ, stack_state.root).note == ""


@pytest.mark.parametrize("environ", FOREIGN_PASSPHRASES)
def test_a_state_without_its_own_passphrase_takes_the_shells_and_says_so(
    stack_state: StackState, environ: dict[str, str]
) -> None:
    _checkpoint(stack_state)
    state.ensure_passphrase(stack_state, environ)
    assert not stack_state.passphrase.exists()
    child = engine.environment(stack_state, environ, Path("/usr/bin/pulumi"))
    assert {name: child[name] for name in child if "PASSPHRASE" in name} == environ
    note = state.of_stack("dev", environ, stack_state.root).note
    assert note.endswith(next(iter(environ)))
    assert ".local/passphrase is missing" in note


def test_a_stack_with_nothing_of_its_own_gets_the_embedded_state(stack_state: StackState) -> None:
    assert state.of_stack("dev", {}, stack_state.root).embedded
    child = engine.environment(stack_state, {"PATH": "/bin"}, Path("/usr/bin/pulumi"))
    assert child["PULUMI_BACKEND_URL"] == stack_state.state.as_uri()
    assert child["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(stack_state.passphrase)
    assert child["PATH"] == "/bin"


@pytest.mark.parametrize("environ", [{"PULUMI_BACKEND_URL": "s3://states"}, {"PULUMI_ACCESS_TOKEN": "pul-x"}])
def test_an_operators_own_backend_is_respected(stack_state: StackState, environ: dict[str, str]) -> None:
    own = state.of_stack("dev", environ, stack_state.root)
    assert not own.embedded
    assert own.config_file == stack_state.tracked
    assert engine.environment(own, environ, Path("/usr/bin/pulumi")) == {"PULUMI_SKIP_UPDATE_CHECK": "true", **environ}


@pytest.mark.parametrize("line", [SALT, "secretsprovider: awskms://alias/x\n", "encryptedkey: abc\n"])
def test_a_stack_file_with_secrets_of_its_own_belongs_to_the_operators_backend(
    stack_state: StackState, line: str
) -> None:
    stack_state.tracked.write_text(line)
    own = state.of_stack("dev", {}, stack_state.root)
    assert not own.embedded
    assert line.partition(":")[0] in own.note


def test_a_backend_in_the_project_file_is_respected(stack_state: StackState) -> None:
    (stack_state.root / "Pulumi.yaml").write_text("name: videobackend\nbackend: {url: 's3://states'}\n")
    stackfile.read_project.cache_clear()
    assert not state.of_stack("dev", {}, stack_state.root).embedded


def test_the_variables_of_make_env_still_mean_the_embedded_state(stack_state: StackState) -> None:
    variables = engine.embedded_environment(stack_state, {})
    assert state.of_stack("dev", variables, stack_state.root).embedded


def test_a_stack_that_is_in_both_places_is_refused_rather_than_guessed(stack_state: StackState) -> None:
    _checkpoint(stack_state)
    stack_state.tracked.write_text(SALT)
    with pytest.raises(OpsError, match=r"Pulumi\.dev\.yaml has encryptionsalt.*\.local/state has this stack too"):
        state.of_stack("dev", {}, stack_state.root)


def test_a_stack_is_empty_until_it_has_resources(stack_state: StackState) -> None:
    assert checkpoint.is_empty(stack_state)
    _checkpoint(stack_state, '[{"urn": "urn:pulumi:dev::videobackend::t::n"}]')
    assert not checkpoint.is_empty(stack_state)


def test_a_download_of_the_cli_says_so_beside_what_a_command_prints(
    stack_state: StackState, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON of verify and the link of token are read by other programs."""
    monkeypatch.setenv("PATH", str(stack_state.root))
    monkeypatch.setattr(automation.PulumiCommand, "install", lambda **_: None)
    engine.find_cli(stack_state)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "downloading" in shown.err


def test_a_downloaded_cli_is_on_the_engines_path_before_all_else(stack_state: StackState) -> None:
    cli = stack_state.directory / "pulumi" / "bin" / "pulumi"
    assert engine.environment(stack_state, {"PATH": "/usr/bin"}, cli)["PATH"] == f"{cli.parent}:/usr/bin"
    assert engine.environment(stack_state, {"PATH": "/usr/bin"}, Path("/usr/bin/pulumi"))["PATH"] == "/usr/bin"


@pytest.mark.parametrize("embedded", [True, False])
def test_no_variable_leads_the_docker_provider_to_another_host(stack_state: StackState, embedded: bool) -> None:
    moved = dict.fromkeys(docker_cli.LEADING, "elsewhere")
    child = engine.environment(dataclasses.replace(stack_state, embedded=embedded), moved, Path("/usr/bin/pulumi"))
    assert not set(child) & set(moved)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("environment: [team/prod]\nconfig:\n  httpPort: 8000\n", "environment"),
        ("config:\n  jwtAppSecret: {secure: AAABAHk3Q2ZCq8iX0hFQ1c2V0LXN0YWNr}\n", "jwtAppSecret in encrypted form"),
        ("secretsprovider: awskms://x\n", "secretsprovider"),
    ],
)
def test_a_stack_file_that_another_backend_wrote_is_no_local_one(stack_state: StackState, text: str, sign: str) -> None:
    stack_state.tracked.write_text(text)
    found = state.of_stack("dev", {}, stack_state.root)
    assert not found.embedded
    assert f"has {sign}: using your backend" in found.note


def test_a_placeholder_is_no_sign_of_another_backend(stack_state: StackState) -> None:
    stack_state.tracked.write_text("config:\n  rabbitPassword: {secure: REPLACE-ME}\n")
    assert state.of_stack("dev", {}, stack_state.root).embedded


@pytest.mark.parametrize(
    ("current", "selected", "embedded"),
    [
        ("https://api.pulumi.com", "team/videobackend/dev", False),
        ("https://api.pulumi.com", "dev", False),
        ("https://api.pulumi.com", "prod", True),
        ("file://~", "dev", True),
    ],
)
def test_a_stack_that_is_selected_in_pulumi_cloud_is_no_local_one(
    stack_state: StackState, current: str, selected: str, embedded: bool
) -> None:
    home = stack_state.root / "home"
    (home / "workspaces").mkdir(parents=True)
    digest = hashlib.sha1(str(stack_state.root / "Pulumi.yaml").encode()).hexdigest()
    (home / "credentials.json").write_text(json.dumps({"current": current}))
    (home / "workspaces" / f"videobackend-{digest}-workspace.json").write_text(json.dumps({"stack": selected}))
    found = state.of_stack("dev", {"PULUMI_HOME": str(home)}, stack_state.root)
    assert found.embedded is embedded
    assert embedded or "selected in Pulumi Cloud" in found.note


def test_a_local_file_is_written_whole_or_stays_as_it_was(
    stack_state: StackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take_over(stack_state)
    before = stack_state.config_file.read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        state.write_whole(stack_state.config_file, "config:\n  half")
    assert stack_state.config_file.read_text() == before
    assert [one.name for one in stack_state.directory.iterdir() if one.name.endswith(".part")] == []
