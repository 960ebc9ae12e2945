"""The calls of Pulumi that make the targets of make: what they are given, and what is said before and after."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from ops import preflight, run
from ops.project import engine, stackfile
from tests.ops import played
from tests.ops.cli import Ops, calls, config, docker, free_port, must_up
from tests.ops.project import Project, one_line_error

SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"


def test_up_makes_the_stack_in_the_embedded_state_and_runs_pulumi_on_the_copy(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.stop(monkeypatch)  # here alone the programs are processes
    tracked = (ready.root / "Pulumi.dev.yaml").read_text()
    must_up(ops)
    init, up, output = calls(ready)
    local = ready.root / ".local"
    assert init["words"] == ["stack", "init", "dev", "--no-select", "--non-interactive"]
    assert init["cwd"] == str(local / "init"), "the salt must not land beside the project's Pulumi.yaml"
    assert up["words"][:5] == ["up", "--stack", "dev", "--config-file", str(local / "Pulumi.dev.yaml")]
    assert "--yes" in up["words"]
    assert up["cwd"] == str(ready.root)
    assert up["environ"]["PULUMI_BACKEND_URL"] == (local / "state").as_uri()
    assert up["umask"] == 0o077
    assert output["words"][:2] == ["stack", "output"]
    assert stackfile.read(local / "Pulumi.dev.yaml")["encryptionsalt"] == "v1:fresh"
    assert (ready.root / "Pulumi.dev.yaml").read_text() == tracked


def test_up_ends_with_what_matters(ready: Project, ops: Ops) -> None:
    said = must_up(ops)
    assert "The video backend is up: https://x.invalid" in said
    assert "add to /etc/hosts: 192.0.2.44 x.invalid" in said
    assert "make outputs NAME=caCertificate > videobackend-ca.pem" in said
    assert "make outputs SHOW_SECRETS=1" in said


def test_up_says_its_warnings_again_where_they_are_seen_and_leaves_the_outputs_to_make_outputs(
    ready: Project, ops: Ops
) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  enableAuth: false\n  dockerHostAddress: 10.254.253.252\n")
    end = must_up(ops).partition("The video backend is up")[2]
    assert "warning: enableAuth is false" in end
    assert "warning: dockerHostAddress is 10.254.253.252" in end
    assert "its outputs: make outputs;" in end
    assert "--suppress-outputs" in calls(ready)[1]["words"]


def test_a_preview_shows_outputs_only_where_some_of_them_change(ready: Project, ops: Ops) -> None:
    for brought_up in (False, True):
        if brought_up:
            must_up(ops)
        assert ops("preview").returncode == 0
        assert ("--suppress-outputs" in calls(ready)[-1]["words"]) is not brought_up


def test_examples_of_the_documentation_are_refused_in_an_up_alone(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 203.0.113.10\n  stunServers: stun.example.org:3478\n")
    assert ops("preview").returncode == 0, "of which the program warns"
    run = ops("up")
    assert run.returncode == 1
    assert "has 2 problems" in run.stderr
    for key in ("dockerHostAddress", "stunServers"):
        assert f"fix:     in Pulumi.dev.yaml: {key}: VALUE" in run.stderr


def test_a_value_that_another_key_encrypted_is_named_before_anything_is_done(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"  {name}: {{secure: 'v1:abcd:efgh'}}\n" for name in ("jvbAuthPassword", "turnSecret")]
    ready.stack("dev", "encryptionsalt: v1:own\n" + (ready.root / "Pulumi.dev.yaml").read_text() + "".join(lines))
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    for wrong in ("jvbAuthPassword", "jvbAuthPassword turnSecret"):
        keys = wrong.split()
        monkeypatch.setenv("UNDECRYPTABLE", wrong)
        run = ops("up", "--yes")
        error = one_line_error(run)
        assert error.startswith(f"error: Pulumi.dev.yaml: the encrypted value of {', '.join(keys)} is another key's"), (
            error
        )
        again = " && ".join(f"pulumi config --stack dev set --secret {key}" for key in keys)
        assert error.endswith(again)
        assert not any(one["words"][0] == "up" for one in calls(ready))


def test_examples_and_all_else_that_is_wrong_are_one_message(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    extra = "  stunServers: stun.example.org:3478\n  enableGuests: ja\n  jwtAppSecret:\n    secure: REPLACE-ME\n"
    ready.stack("dev", text + extra + "  turnHots: x\n")
    said = ops("up").stderr
    assert "has 4 problems" in said
    for key in ("stunServers", "enableGuests", "jwtAppSecret", "turnHots"):
        assert f"videobackend:{key}" in said


def test_a_port_that_is_taken_is_in_the_way_of_an_up_alone(ready: Project, ops: Ops) -> None:
    port = stackfile.read(ready.root / "Pulumi.dev.yaml")["config"]["httpPort"]
    with socket.create_server(("127.0.0.1", port)):
        assert ops("preview").returncode == 0
        assert f"TCP port {port} (httpPort) is taken" in ops("up").stderr


def test_a_placeholder_for_a_secret_is_named_before_the_engine_stumbles_over_it(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  jwtAppSecret:\n    secure: REPLACE-ME\n")
    run = ops("preview")
    assert run.returncode == 1
    assert "fix:     make config ARGS='set --secret jwtAppSecret'" in run.stderr


def test_a_second_up_finds_all_in_place_and_changes_no_file(ready: Project, ops: Ops) -> None:
    def files() -> dict[Path, str]:
        local = ready.root / ".local"
        return {path: path.read_text() for path in local.rglob("*") if path.is_file()}

    first = must_up(ops)
    assert "dockerHostAddress is 192.0.2.44" in first
    before = files()
    second = must_up(ops)
    assert "dockerHostAddress" not in second
    assert files() == before
    assert [one["words"][0] for one in calls(ready)] == ["stack", "up", "stack", "up", "stack"]


def test_a_first_use_keeps_the_address_it_found_on_this_machine_only(ready: Project, ops: Ops) -> None:
    must_up(ops)
    assert config(ready)["videobackend:dockerHostAddress"] == "192.0.2.44"


def test_an_address_that_was_found_here_is_found_again_in_another_network(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_up(ops)
    monkeypatch.setattr(preflight, "lan_address", lambda: "192.0.2.77")
    assert "dockerHostAddress is 192.0.2.77, this machine in its network, and was 192.0.2.44" in must_up(ops)
    assert config(ready)["videobackend:dockerHostAddress"] == "192.0.2.77"
    monkeypatch.setattr(preflight, "lan_address", lambda: None)
    assert "no network: dockerHostAddress stays 192.0.2.77" in must_up(ops)


def test_an_address_that_was_set_stays_and_is_warned_of_where_this_machine_has_it_not(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 10.254.253.252\n")
    assert "warning: dockerHostAddress is 10.254.253.252, which this machine does not have now" in must_up(ops)


def test_an_address_that_is_set_is_not_looked_for(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  dockerHostAddress: 9.9.9.7\n")
    assert "dockerHostAddress" not in must_up(ops)
    assert config(ready)["videobackend:dockerHostAddress"] == "9.9.9.7"


def test_a_first_use_follows_docker_to_another_host_and_later_ones_stay_there(ready: Project, ops: Ops) -> None:
    docker(ready, "unix:///run/user/1000/docker.sock")
    assert "docker:host is unix:///run/user/1000/docker.sock" in must_up(ops)
    docker(ready, "ssh://elsewhere")
    must_up(ops)
    assert config(ready)["docker:host"] == "unix:///run/user/1000/docker.sock"


def test_docker_commands_that_go_elsewhere_do_not_move_a_running_stack(ready: Project, ops: Ops) -> None:
    must_up(ops)
    docker(ready, "ssh://elsewhere")
    must_up(ops)
    assert "docker:host" not in config(ready)


def test_a_stack_other_than_dev_shows_its_preview(ready: Project, ops: Ops) -> None:
    run = ops("up", "--stack", "team", "--yes")
    assert run.returncode == 0, run.stderr
    words = calls(ready)[1]["words"]
    assert "--skip-preview" not in words
    assert "--suppress-outputs" in words
    assert "--non-interactive" in words


def test_with_a_backend_of_the_operators_own_pulumi_is_called_plainly(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    ops("up", "--yes")
    export, up, *_ = calls(ready)
    assert export["words"][:2] == ["stack", "export"]
    assert "--config-file" not in up["words"]
    assert set(up["environ"]) == {"PULUMI_BACKEND_URL", "PULUMI_SKIP_UPDATE_CHECK"}
    assert not (ready.root / ".local").exists()


def test_a_failed_up_gives_pulumis_own_exit_code_and_no_summary(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "3")
    run = ops("up")
    assert run.returncode == 3
    assert "is up" not in run.stdout


def test_a_wrong_configuration_comes_before_everything_else(project: Project, ops: Ops) -> None:
    project.stack("dev", "config:\n  httpPort: 70000\n")  # neither Docker nor the CLI is there
    run = ops("up")
    assert run.returncode == 1
    assert "'70000'" in run.stderr
    assert "fix:     in Pulumi.dev.yaml: httpPort: VALUE" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (project.root / ".local").exists()


def test_a_secret_in_plain_text_has_to_leave_the_tracked_file_and_the_one_set_here_outlives_it(
    ready: Project, ops: Ops
) -> None:
    sound = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", sound + "  jwtAppSecret: visible-in-the-file-0123456789abcdef\n")
    first = "remove jwtAppSecret from Pulumi.dev.yaml"
    assert f"fix:     {first}, then: make config ARGS='set --secret jwtAppSecret'" in ops("preview").stderr
    assert ops("config", "set", "--secret", "jwtAppSecret", stdin=SECRET).returncode == 0
    # As the engine writes it.
    copy = ready.root / ".local" / "Pulumi.dev.yaml"
    encrypted = "videobackend:jwtAppSecret: {secure: v1:abc=:def=}"
    copy.write_text(re.sub("videobackend:jwtAppSecret: .*", encrypted, copy.read_text()))
    again = ops("preview")
    assert again.returncode == 1, "the secret can be read in the tracked file all the same"
    assert f"fix:     {first}\n" in again.stderr
    ready.stack("dev", sound)
    assert ops("preview").returncode == 0
    assert config(ready)["videobackend:jwtAppSecret"] == {"secure": "v1:abc=:def="}


def test_a_key_that_does_not_exist_has_to_leave_the_tracked_file_even_where_it_is_removed_here(
    ready: Project, ops: Ops
) -> None:
    must_up(ops)
    copy = (ready.root / ".local" / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", (ready.root / "Pulumi.dev.yaml").read_text() + "  PUBLIC_URL: https://x\n")
    assert ops("config").returncode == 0
    (ready.root / ".local" / "Pulumi.dev.yaml").write_text(copy)
    assert "fix:     remove PUBLIC_URL from Pulumi.dev.yaml" in ops("preview").stderr


def test_without_a_cli_and_a_network_up_says_what_to_do(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ready.root / "bin" / "pulumi").unlink()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port(socket.SOCK_STREAM)}")
    run = ops("up")
    progress, message = run.stderr.splitlines()
    assert run.returncode == 1
    assert "downloading" in progress
    assert message.startswith("error: ")
    assert "cannot be downloaded" in message
    assert "https://www.pulumi.com/docs/install/" in message


@pytest.mark.parametrize("command", ["up", "refresh", "destroy"])
def test_what_asks_wants_a_yes_where_there_is_no_terminal_and_names_the_stack(
    ready: Project, ops: Ops, command: str
) -> None:
    assert ops("up", "--stack", "team", "--yes").returncode == 0
    before = calls(ready)
    assert f"make {command} STACK=team YES=1" in one_line_error(ops(command, "--stack", "team"))
    assert calls(ready) == before, "nothing was called"


def test_destroy_goes_on_with_a_yes_and_says_what_pulumis_own_advice_needs(ready: Project, ops: Ops) -> None:
    must_up(ops)
    run = ops("destroy", "--yes")
    assert run.returncode == 0
    assert 'eval "$(make env)"' in run.stdout
    assert calls(ready)[-1]["words"][0] == "destroy"


def test_destroy_of_what_is_not_up_does_nothing(ready: Project, ops: Ops) -> None:
    run = ops("destroy", "--yes")
    assert run.returncode == 0
    assert "nothing to destroy" in run.stdout
    assert not calls(ready)


def test_destroy_does_not_need_a_sound_configuration(ready: Project, ops: Ops) -> None:
    must_up(ops)
    ready.stack("dev", "config:\n  httpPort: 70000\n")
    assert ops("destroy", "--yes").returncode == 0


def test_one_output_alone_is_asked_for_by_its_name(ready: Project, ops: Ops) -> None:
    must_up(ops)
    assert ops("outputs", "caCertificate", "--show-secrets").returncode == 0
    assert calls(ready)[-1]["words"][:3] == ["stack", "output", "caCertificate"]
    assert "--show-secrets" in calls(ready)[-1]["words"]


def test_an_output_that_is_none_or_secret_is_told_with_the_command_that_shows_it(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_up(ops)
    message = one_line_error(ops("outputs", "hostEntry"))
    assert "did you mean hostsEntry? outputs: caCertificate, hostsEntry, publicUrl" in message
    monkeypatch.setenv("NO_OUTPUT", "hostsEntry")
    message = one_line_error(ops("outputs", "hostsEntry"))
    assert (
        "is for a local name alone. Its URL is https://x.invalid: the name of a public one gets a DNS record" in message
    )
    secret = ops("outputs", "credentials")
    assert secret.stdout == "[secret]\n"
    assert "make outputs NAME=credentials SHOW_SECRETS=1" in secret.stderr


def test_what_the_cli_says_of_a_failure_is_repeated_without_a_second_error_before_it() -> None:
    failed = subprocess.CompletedProcess([], 255, stdout="", stderr="warning: slow\nerror: no such stack\n")
    assert run._first_error(failed) == "no such stack"


def test_destroy_of_a_backend_of_the_operators_own_wants_a_yes_too(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    assert "make destroy YES=1" in one_line_error(ops("destroy"))
    assert not calls(ready)


def test_what_the_environment_says_moves_no_call_of_the_cli(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", "/elsewhere")
    monkeypatch.setenv("PULUMI_OPTION_TARGET", "urn")
    monkeypatch.setenv("PULUMI_STACK", "other")
    must_up(ops)
    for one in calls(ready):
        told = {
            name: value for name, value in one["environ"].items() if name.startswith(("PULUMI_OPTION", "PULUMI_STACK"))
        }
        copy = {"PULUMI_OPTION_STACK": "dev", "PULUMI_OPTION_CONFIG_FILE": str(ready.root / ".local/Pulumi.dev.yaml")}
        assert told == ({} if one["words"][:2] == ["stack", "init"] else copy), one["words"]


def test_the_shells_passphrase_reaches_no_call_of_the_cli(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CLI would prefer it to the file with the state's own."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "the shell's")
    must_up(ops)
    for one in calls(ready):
        assert "PULUMI_CONFIG_PASSPHRASE" not in one["environ"], one["words"]
        assert one["environ"]["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(ready.root / ".local/passphrase"), one["words"]


def test_outputs_without_the_states_passphrase_say_that_it_is_lost(ready: Project, ops: Ops) -> None:
    must_up(ops)
    before = len(calls(ready))
    (ready.root / ".local/passphrase").unlink()
    assert ".local/passphrase is gone" in one_line_error(ops("outputs"))
    assert len(calls(ready)) == before, "the CLI would speak of a wrong passphrase"


def test_a_plugin_that_cannot_be_had_is_named_before_a_state_is_made(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ready.root / ".venv/lib/python3.11/site-packages/pulumi_random"
    package.mkdir(parents=True)
    (package / "pulumi-plugin.json").write_text('{"resource": true, "name": "random", "version": "4.21.4"}')
    monkeypatch.setenv("PULUMI_HOME", str(ready.root / "pulumi-home"))
    for name in engine._OTHER_WAYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engine, "_unreachable", lambda host: f"{host}: no network")
    assert "the Pulumi plugin random 4.21.4 is not on this machine" in one_line_error(ops("up"))
    assert not calls(ready)
    assert not (ready.root / ".local/state").exists()


def test_outputs_of_what_is_not_up_says_so(ready: Project, ops: Ops) -> None:
    assert "make up" in one_line_error(ops("outputs"))


def test_config_works_on_the_copy_and_says_where_the_value_is(ready: Project, ops: Ops) -> None:
    run = ops("config", "set", "--secret", "jwtAppSecret", stdin=SECRET)
    assert run.returncode == 0, run.stderr
    copy = str(ready.root / ".local" / "Pulumi.dev.yaml")
    where = ["config", "--stack", "dev", "--config-file", copy]
    assert calls(ready)[-1]["words"] == [*where, "set", "--secret", "jwtAppSecret"]
    assert "kept in .local/Pulumi.dev.yaml" in run.stdout


def test_config_takes_a_key_that_looks_like_an_option(ready: Project, ops: Ops) -> None:
    assert ops("config", "rm", "--", "-x").returncode == 0
    assert calls(ready)[-1]["words"][-3:] == ["rm", "--", "-x"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "make token STACK=team ROOM=name"),
        (("--room", ""), "make token STACK=team ROOM=name"),
        (("--room", "a", "--expires", "1", "hour"), "--expires is '1 hour', allowed is 1m to 24h: write 1h"),
        (("--room", "a", "--expires", "90 min"), "write 90m"),
        (("--room", "a", "--expires", "48h"), "allowed is 1m to 24h, such as 90m or 3h"),
    ],
)
def test_a_join_link_without_a_room_or_with_another_time_says_the_words_that_do(
    ready: Project, ops: Ops, words: tuple[str, ...], said: str
) -> None:
    assert said in one_line_error(ops("token", "--stack", "team", *words))


def test_env_prints_nothing_but_what_a_shell_can_evaluate(ready: Project, ops: Ops) -> None:
    run = ops("env")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert {line.partition("=")[0] for line in lines} == {
        "export PULUMI_BACKEND_URL",
        "export PULUMI_CONFIG_PASSPHRASE_FILE",
        "export PULUMI_OPTION_CONFIG_FILE",
        "export PULUMI_OPTION_STACK",
    }
