from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.config.keys import KEYS
from components.config.problems import Problem, SettingsError
from ops.project import fixes, stackfile
from ops.project.state import StackState

HTTP_PORT = Problem("httpPort", None, "a port", example="8000")
UNKNOWN = Problem("httpport", None, "no such key", remove=True)
RENAMED = Problem("JVB_PORT", None, example="20100", remove=True, renamed="jvbPort")
OWN_KEY = Problem("jwtAppSecret", None, "an encrypted value", secret=True)
REGISTRY = Problem("docker:registryAuth[0].password", None, "an encrypted value", secret=True, path=True)
ENCRYPTED = {"secure": "v1:abc"}


def _fixed(
    problem: Problem, tracked: Mapping[str, Any], copy: Mapping[str, Any] | None = None, *, embedded: bool = True
) -> str:
    error = fixes.with_fixes(
        SettingsError("a3", "videobackend", [problem]),
        StackState("a3", Path("/project"), embedded=embedded),
        {"config": tracked},
        None if copy is None else {"config": copy},
    )
    return str(error).rpartition("fix:     ")[2]


@pytest.mark.parametrize(
    ("problem", "tracked", "copy", "fix"),
    [
        pytest.param(
            HTTP_PORT,
            {"videobackend:httpPort": 0},
            {"videobackend:httpPort": "0"},
            "in Pulumi.a3.yaml: videobackend:httpPort: 8000",
            id="a value of the tracked file changes there",
        ),
        pytest.param(
            HTTP_PORT, {"httpPort": 0}, None, "in Pulumi.a3.yaml: httpPort: 8000", id="spelled as it stands there"
        ),
        pytest.param(
            HTTP_PORT,
            {"httpPort": 80},
            {"videobackend:httpPort": 0},
            "make config STACK=a3 ARGS='set httpPort 8000'",
            id="a value set on this machine changes here",
        ),
        pytest.param(
            HTTP_PORT, {}, {}, "in Pulumi.a3.yaml: videobackend:httpPort: 8000", id="a missing one goes into the file"
        ),
        pytest.param(UNKNOWN, {"httpport": 1}, None, "remove httpport from Pulumi.a3.yaml", id="a key to remove there"),
        pytest.param(
            RENAMED, {"JVB_PORT": 1}, None, "rename JVB_PORT to jvbPort in Pulumi.a3.yaml", id="a key to rename there"
        ),
        pytest.param(
            RENAMED,
            {},
            {"videobackend:JVB_PORT": 1},
            "make config STACK=a3 ARGS='rm JVB_PORT' && make config STACK=a3 ARGS='set jvbPort 20100'",
            id="a key to rename here",
        ),
        pytest.param(
            UNKNOWN,
            {},
            {"videobackend:httpport": 1},
            "make config STACK=a3 ARGS='rm httpport'",
            id="a key to remove here",
        ),
        pytest.param(
            OWN_KEY, {}, {}, "make config STACK=a3 ARGS='set --secret jwtAppSecret'", id="a missing secret is set here"
        ),
        pytest.param(
            OWN_KEY,
            {"jwtAppSecret": "x"},
            {"videobackend:jwtAppSecret": "x"},
            "remove jwtAppSecret from Pulumi.a3.yaml, then: make config STACK=a3 ARGS='set --secret jwtAppSecret'",
            id="a secret in plain text leaves the file first",
        ),
        pytest.param(
            OWN_KEY,
            {"jwtAppSecret": "x"},
            {"videobackend:jwtAppSecret": ENCRYPTED},
            "remove jwtAppSecret from Pulumi.a3.yaml",
            id="and only that where it is set here already",
        ),
        pytest.param(
            OWN_KEY,
            {"jwtAppSecret": ENCRYPTED},
            {"videobackend:jwtAppSecret": ENCRYPTED},
            "make config STACK=a3 ARGS='set --secret jwtAppSecret'",
            id="an encrypted one need not",
        ),
        pytest.param(
            REGISTRY,
            {"docker:registryAuth": [{"password": "x"}]},
            None,
            "remove docker:registryAuth[0].password from Pulumi.a3.yaml, then: "
            """make config STACK=a3 ARGS='set --secret --path '"'"'docker:registryAuth[0].password'"'"''""",
            id="a secret within a value",
        ),
    ],
)
def test_a_stack_that_make_keeps_is_fixed_in_the_file_that_has_the_value(
    problem: Problem, tracked: Mapping[str, Any], copy: Mapping[str, Any] | None, fix: str
) -> None:
    assert _fixed(problem, tracked, copy) == fix


def test_a_stack_with_a_backend_of_its_own_is_fixed_by_pulumi() -> None:
    assert _fixed(HTTP_PORT, {"httpPort": 0}, embedded=False) == "pulumi config --stack a3 set httpPort 8000"


@pytest.mark.parametrize("words", [["rm", "it's"], ["rm", "--", "-x"], ["rm", 'a "b" $c'], ["set", "key", "$HOME"]])
def test_words_survive_the_shell_and_make(words: list[str]) -> None:
    make, config, arguments = shlex.split(fixes.config_command("dev", words))
    assert [make, config] == ["make", "config"]
    assert shlex.split(arguments.removeprefix("ARGS=").replace("$$", "$")) == words


def test_every_example_means_the_same_as_a_line_of_the_stack_file(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    examples = {name: key.example for name, key in KEYS.items() if key.example}
    path.write_text("config:\n" + "".join(f"  {name}: {example}\n" for name, example in examples.items()))
    values = stackfile.engine_config(stackfile.read(path), {"name": "videobackend"}).values
    assert values == {f"videobackend:{name}": example for name, example in examples.items()}
