from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from ops.errors import OpsError
from ops.project import stackfile, state
from ops.project.state import Place

SALT = "encryptionsalt: v1:abc\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "Pulumi.yaml").write_text("name: videobackend\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("# mine\nconfig:\n  httpPort: 8000\n  timeZone: UTC\n")
    return Place("dev", tmp_path, embedded=True)


def _checkpoint(place: Place, resources: str = "[]") -> None:
    place.checkpoint.parent.mkdir(parents=True)
    latest = {"resources": json.loads(resources)}
    place.checkpoint.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))


def _take_over(place: Place) -> tuple[dict[str, Any], list[str]]:
    content, dropped = state.next_copy(place)
    state.write_copy(place, content)
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
    assert state.merge(tracked, base, copy) == (merged, dropped)


def test_what_is_set_on_this_machine_outlives_edits_of_the_tracked_file_which_stays_as_it_is(place: Place) -> None:
    before = place.tracked.read_text()
    _take_over(place)
    # As the engine and `config set` write there.
    place.config_file.write_text(
        SALT + "config:\n  videobackend:httpPort: '8000'\n  videobackend:timeZone: UTC\n  docker:host: unix:///d\n"
    )
    assert place.tracked.read_text() == before
    place.tracked.write_text("config:\n  httpPort: 8001\n  timeZone: UTC\n")
    config, dropped = _take_over(place)
    assert config == {"videobackend:httpPort": 8001, "videobackend:timeZone": "UTC", "docker:host": "unix:///d"}
    assert dropped == []
    assert SALT in place.config_file.read_text()


def test_a_lost_copy_is_made_anew_from_the_tracked_file(place: Place) -> None:
    _take_over(place)
    place.config_file.unlink()
    assert _take_over(place)[0] == {"videobackend:httpPort": 8000, "videobackend:timeZone": "UTC"}


def test_local_files_are_their_owners_alone(place: Place) -> None:
    state.ensure_passphrase(place, {})
    assert place.directory.stat().st_mode & 0o777 == 0o700
    assert place.passphrase.stat().st_mode & 0o777 == 0o600


def test_the_passphrase_is_random_and_stays(place: Place) -> None:
    state.ensure_passphrase(place, {})
    first = place.passphrase.read_text()
    state.ensure_passphrase(place, {})
    assert place.passphrase.read_text() == first
    place.passphrase.unlink()
    state.ensure_passphrase(place, {})
    assert place.passphrase.read_text() != first
    assert len(first.strip()) >= 32


def test_a_lost_passphrase_is_not_replaced_while_a_state_needs_it(place: Place) -> None:
    _checkpoint(place)
    with pytest.raises(OpsError, match="passphrase is gone"):
        state.ensure_passphrase(place, {})
    assert not place.passphrase.exists()


@pytest.mark.parametrize("variable", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
def test_an_operators_own_passphrase_is_respected(place: Place, variable: str) -> None:
    environ = {variable: "/own"}
    state.ensure_passphrase(place, environ)
    assert not place.passphrase.exists()
    child = state.environment(place, environ, Path("/usr/bin/pulumi"))
    assert child[variable] == "/own"
    assert {one for one in child if "PASSPHRASE" in one} == {variable}


def test_a_stack_with_nothing_of_its_own_gets_the_embedded_state(place: Place) -> None:
    assert state.place_of("dev", {}, place.root).embedded
    child = state.environment(place, {"PATH": "/bin"}, Path("/usr/bin/pulumi"))
    assert child["PULUMI_BACKEND_URL"] == place.state.as_uri()
    assert child["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(place.passphrase)
    assert child["PATH"] == "/bin"


@pytest.mark.parametrize("environ", [{"PULUMI_BACKEND_URL": "s3://states"}, {"PULUMI_ACCESS_TOKEN": "pul-x"}])
def test_an_operators_own_backend_is_respected(place: Place, environ: dict[str, str]) -> None:
    own = state.place_of("dev", environ, place.root)
    assert not own.embedded
    assert own.config_file == place.tracked
    assert state.environment(own, environ, Path("/usr/bin/pulumi")) == {"PULUMI_SKIP_UPDATE_CHECK": "true", **environ}


@pytest.mark.parametrize("line", [SALT, "secretsprovider: awskms://alias/x\n", "encryptedkey: abc\n"])
def test_a_stack_file_with_secrets_of_its_own_belongs_to_the_operators_backend(place: Place, line: str) -> None:
    place.tracked.write_text(line)
    own = state.place_of("dev", {}, place.root)
    assert not own.embedded
    assert line.partition(":")[0] in own.note


def test_a_backend_in_the_project_file_is_respected(place: Place) -> None:
    (place.root / "Pulumi.yaml").write_text("name: videobackend\nbackend: {url: 's3://states'}\n")
    stackfile.read_project.cache_clear()
    assert not state.place_of("dev", {}, place.root).embedded


def test_the_variables_of_make_env_still_mean_the_embedded_state(place: Place) -> None:
    variables = state.embedded_environment(place, {})
    assert state.place_of("dev", variables, place.root).embedded


def test_a_stack_that_is_in_both_places_is_refused_rather_than_guessed(place: Place) -> None:
    _checkpoint(place)
    place.tracked.write_text(SALT)
    with pytest.raises(OpsError, match=r"Pulumi\.dev\.yaml has encryptionsalt.*\.local/state has this stack too"):
        state.place_of("dev", {}, place.root)


def test_a_stack_is_empty_until_it_has_resources(place: Place) -> None:
    assert place.is_empty
    _checkpoint(place, '[{"urn": "urn:pulumi:dev::videobackend::t::n"}]')
    assert not place.is_empty


def test_a_download_of_the_cli_says_so_beside_what_a_command_prints(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON of verify and the link of token are read by other programs."""
    monkeypatch.setenv("PATH", str(place.root))
    monkeypatch.setattr(automation.PulumiCommand, "install", lambda **_: None)
    state.find_cli(place)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "downloading" in shown.err
