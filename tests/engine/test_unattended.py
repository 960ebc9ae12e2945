"""What CI does with a stack, by the real engine: nothing but what was shown, and drift that is really there."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from ops.unattended import foreseen, stack
from ops.unattended.stack import Done, Stack
from tests.engine.conftest import WorkspaceMaker
from tests.engine.toolbox import DOCKER
from tests.engine.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(make_workspace: WorkspaceMaker) -> Workspace:
    end = datetime.date.today() + datetime.timedelta(days=30)
    return make_workspace(
        dockerHostAddress="9.9.9.10",
        policyExceptions=f"image-registry until {end} because the images are stand-ins",
    )


def watched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack as CI has it; of `verify` alone, which wants Jitsi's own images, the answer is made up."""
    monkeypatch.setattr(stack, "ROOT", workspace.project)

    def call(command: Sequence[str], environ: Mapping[str, str]) -> Done:
        if "verify" in command:
            return Done(0, json.dumps({"checks": []}), "")
        return stack.call(command, environ)

    environ = {**workspace._environment, "CI": "true", "VIDEOBACKEND_RUNNER_IS_DOCKER_HOST": "1"}
    return Stack(workspace.stack, {**environ, "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}, call)


def test_a_stack_is_previewed_brought_up_as_shown_and_watched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = watched(workspace, monkeypatch)
    shown = one.preview()
    assert shown.errors == ()
    assert {step.op for step in shown.steps} == {"create"}
    names = [step.name for step in shown.steps if step.type == "docker:index/container:Container"]
    assert sorted(name.rpartition("-")[2] for name in names) == ["jicofo", "jvb", "prosody", "web"]
    assert one.up(shown) == []
    assert one.preview() == foreseen.Foreseen(workspace.stack)
    assert one.drift() == foreseen.Foreseen(workspace.stack)

    workspace.write(enableLobby=False)
    changed = one.preview()
    replaced = {step.name.rpartition("-")[2]: step for step in changed.steps if step.op == "replace"}
    assert set(replaced) == {"prosody", "jvb", "jicofo"}
    assert replaced["jvb"].reasons == ("labels",), "it follows prosody"
    (refusal,) = one.up(shown)
    assert "something else than the preview showed" in refusal
    workspace.write()

    web = next(name for name in names if name.endswith("-web"))
    container = subprocess.run(
        [*DOCKER, "ps", "--quiet", "--filter", f"name=^videobackend-{workspace.stack}-web$"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    subprocess.run([*DOCKER, "rm", "--force", container], capture_output=True, check=True)
    assert one.preview() == foreseen.Foreseen(workspace.stack), "a plain preview does not look at Docker"
    found = one.drift()
    assert [step.name for step in found.steps if step.op == "create"] == [web]


def test_a_stack_that_is_not_ready_or_that_the_backend_does_not_have_says_why(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = watched(workspace, monkeypatch)
    workspace.write(jvbPort="70000")
    assert "jvbPort" in "".join(one.preview().errors)
    workspace.write()
    lines = Stack(workspace.stack, {**one._environ, "PULUMI_CONFIG_PASSPHRASE": "wrong-passphrase"}, one._call).up(None)
    assert "passphrase" in " ".join(lines)
    assert "wrong-passphrase" not in " ".join(lines)
    assert lines[-1] == "Nothing was changed."
