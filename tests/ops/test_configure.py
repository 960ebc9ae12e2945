"""`make config`: what is kept, and what is refused before anything is."""

from __future__ import annotations

import pytest

from tests.ops.cli import Ops, calls
from tests.ops.project import Project, one_line_error

SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "imageRegistery", "x"], "imageRegistery: no such key; did you mean imageRegistry?"),
        (["set", "docker:hots", "x"], "docker:hots: no such key; did you mean docker:host?"),
        (["set", "httpPort", "80000"], "httpPort is '80000', allowed: "),
        (["set", "enableGuests", "ja"], "make config ARGS='set enableGuests VALUE'"),
        (["set", "docker:host", "http://box"], "docker:host is 'http://box'"),
        (["set", "httpPort"], "no value given for httpPort; make config ARGS='set httpPort VALUE'"),
        (["set", "httpPort", ""], "no value given for httpPort"),
        (["set", "httpPort=8001"], "write make config ARGS='set httpPort 8001'"),
        (["set", "jwtAppSecret=" + SECRET], "write make config ARGS='set --secret jwtAppSecret'"),
        (["set", "--plaintext", "jwtAppSecret", SECRET], "make config ARGS='set --secret jwtAppSecret'"),
        (["set", "jwtAppSecret", SECRET], "make config ARGS='set --secret jwtAppSecret'"),
        (["set", "cloudflare:apiToken", SECRET], "make config ARGS='set --secret cloudflare:apiToken'"),
        (["set", "--secret", "jwtAppSecret"], "no value given for jwtAppSecret"),
        (["set", "--secret", "jwtAppSecret", "short"], "jwtAppSecret: "),
        (["set", "--secret", "httpPort", "8001"], "httpPort: "),
    ],
)
def test_what_is_not_sound_is_refused_with_the_command_that_is_and_reaches_no_file(
    ready: Project, ops: Ops, words: list[str], said: str
) -> None:
    message = one_line_error(ops("config", *words))
    assert "nothing was kept" in message
    assert said in message
    assert SECRET not in message
    assert not calls(ready)
    assert not (ready.root / ".local").exists()


def test_what_only_the_engine_takes_apart_is_judged_afterwards_and_taken_back(ready: Project, ops: Ops) -> None:
    assert ops("config", "set-all", "--plaintext", "jvbHttpPort=8099").returncode == 1
    copy = ready.root / ".local" / "Pulumi.dev.yaml"
    before = copy.read_bytes()
    run = ops("config", "set-all", "--plaintext", f"jwtAppSecret={SECRET}", "--plaintext", "xmppDomain=a.b")
    assert "make config ARGS='set --secret jwtAppSecret'" in one_line_error(run)
    assert copy.read_bytes() == before


@pytest.mark.parametrize("secret", [True, False])
def test_a_value_that_is_not_on_the_command_line_comes_from_stdin_and_is_judged_too(
    ready: Project, ops: Ops, secret: bool
) -> None:
    words = ["set", "--secret", "jwtAppSecret"] if secret else ["set", "httpPort"]
    assert one_line_error(ops("config", *words, stdin="\x01\n"))
    assert not calls(ready)
    sound = SECRET if secret else "8001"
    assert ops("config", *words, stdin=f"{sound}\n").returncode == 0
    assert calls(ready)[-1]["stdin"] == sound


def test_a_value_that_wants_another_one_is_kept_and_the_other_is_named(ready: Project, ops: Ops) -> None:
    text = (ready.root / "Pulumi.dev.yaml").read_text()
    ready.stack("dev", text + "  tls: own\n")
    run = ops("config", "set", "xmppMucModules", "token_moderation")
    assert run.returncode == 0, run.stderr
    assert "with it there is more to set before make up" in run.stdout
    assert "make config ARGS='set --secret tlsCertificate'" in run.stderr


def test_a_stack_with_a_backend_of_its_own_is_told_in_pulumis_own_words(
    ready: Project, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (ready.root / "own").as_uri())
    message = one_line_error(ops("config", "set", "httpPort", "80000"))
    assert "pulumi config --stack dev set httpPort VALUE" in message
    assert not calls(ready)


def test_what_was_set_here_alone_gives_way_to_the_tracked_value_and_what_is_none_is_not_removed(
    ready: Project, ops: Ops
) -> None:
    assert "nothing was removed: nosuch is not set for stack 'dev'" in one_line_error(ops("config", "rm", "nosuch"))
    ready.stack("dev", (ready.root / "Pulumi.dev.yaml").read_text() + "  logMaxSize: 5m\n")
    copy = ready.root / ".local" / "Pulumi.dev.yaml"
    assert ops("config", "set-all", "--plaintext", "timeZone=Europe/Paris").returncode == 0
    kept = copy.read_text()
    copy.write_text(kept.replace("5m", "9m"))
    assert "9m" in copy.read_text()
    back = ops("config", "rm", "logMaxSize")
    assert "logMaxSize comes from Pulumi.dev.yaml again" in back.stdout, back.stderr
    assert sorted(copy.read_text().splitlines()) == sorted(kept.splitlines())
    gone = ops("config", "rm", "logMaxSize")
    again = "make config ARGS='set logMaxSize 5m'"
    assert (
        f"removed on this machine only: Pulumi.dev.yaml still sets it, and counts here again after: {again}"
        in gone.stdout
    )
    assert "logMaxSize" not in copy.read_text()
    assert again in one_line_error(ops("config", "rm", "logMaxSize"))
    ready.stack("dev", (ready.root / "Pulumi.dev.yaml").read_text() + f"  jwtAppSecret: {SECRET}\n")
    secret = ops("config", "rm", "jwtAppSecret")
    assert "after: make config ARGS='set --secret jwtAppSecret'" in secret.stdout
    assert SECRET not in secret.stdout + secret.stderr
