"""A runner of workflows, as far as this project's use Actions: jobs in order, matrices, conditions, event files, artefacts.

Runs no shell: a step's `run` is one `python3 -m MODULE ...`, called in this process. What it does not know is an error.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from ops.project import stackfile

Module = Callable[[list[str], Mapping[str, str]], int]
_TOKEN: Final = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w.-]*)|(&&|\|\||==|!=|[!(),])|(\d+))")
_STATUS: Final = re.compile(r"\b(?:success|failure|cancelled|always)\(\)")


@dataclass
class Job:
    """What came of a job, or of one of its matrix."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    """Names of the steps that ran, with their result."""


class Runner:
    """One repository's settings, and the modules that its workflows call."""

    def __init__(
        self,
        directory: Path,
        modules: Mapping[str, Module],
        *,
        environ: Mapping[str, str],
        variables: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        chdir: Callable[[Path], None],
    ) -> None:
        self.directory, self.modules, self.environ = directory, modules, environ
        self.variables, self.secrets, self.chdir = variables, secrets, chdir
        self.summary = directory / "summary.md"
        self._artefacts = directory / "artefacts"

    def run(self, name: str, event_name: str, event: Mapping[str, Any], **github: str) -> dict[str, Job]:
        """The workflow `name`; its jobs by name, those of a matrix with the stack's."""
        workflow = yaml.safe_load(
            (stackfile.ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
        )
        file = self.directory / "event.json"
        file.write_text(json.dumps(event))
        if event_name != "workflow_run":  # which reads what another run left
            shutil.rmtree(self._artefacts, ignore_errors=True)
        self._artefacts.mkdir(exist_ok=True)
        temporary = self.directory / "temp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        context = {
            "runner": {"temp": str(temporary)},
            "github": {
                "event": event,
                "event_name": event_name,
                "token": "github-token",
                "repository": "o/r",
                **github,
            },
            "vars": self.variables,
            "needs": {},
        }
        environ = {**self.environ, "GITHUB_EVENT_PATH": str(file), "GITHUB_STEP_SUMMARY": str(self.summary)}
        jobs: dict[str, Job] = {}
        for key, about in workflow["jobs"].items():
            jobs |= self._job(key, about, context, environ)
        return jobs

    def _job(
        self, key: str, about: Mapping[str, Any], context: dict[str, Any], environ: dict[str, str]
    ) -> dict[str, Job]:
        needs = [about["needs"]] if isinstance(about.get("needs"), str) else about.get("needs", [])
        good = all(context["needs"][one]["result"] == "success" for one in needs)
        jobs: dict[str, Job] = {}
        if not _holds(about.get("if", ""), context, good=good):
            context["needs"][key] = {"result": "skipped", "outputs": {}}
            return {key: Job("skipped")}
        strategy = about.get("strategy", {})
        for stack in _text(strategy.get("matrix", {}).get("stack", '["-"]'), context, whole=True) or []:
            failed = any(one.result == "failure" for one in jobs.values())
            # Those that run side by side have begun by then.
            if failed and strategy.get("fail-fast", True) and strategy.get("max-parallel") == 1:
                jobs[f"{key} {stack}"] = Job("cancelled")
                continue
            own = {**context, "matrix": {"stack": stack}, "steps": {}}
            secrets = self.secrets.get(str(_text(about.get("environment", ""), own)), {})
            jobs[key if stack == "-" else f"{key} {stack}"] = self._one(
                key, about, {**own, "secrets": secrets}, environ
            )
        worst = [one.result for one in jobs.values()]
        result = next((one for one in ("failure", "cancelled") if one in worst), "success")
        outputs = {name: value for one in jobs.values() for name, value in one.outputs.items()}
        context["needs"][key] = {"result": result, "outputs": outputs}
        return jobs

    def _one(self, key: str, about: Mapping[str, Any], context: dict[str, Any], environ: dict[str, str]) -> Job:
        job, folder = Job("success"), self.directory / f"{key}-{context['matrix']['stack']}"
        folder.mkdir(exist_ok=True)
        self.chdir(folder)
        self._steps(about["steps"], context, environ, job)
        job.outputs = {name: str(_text(value, context)) for name, value in about.get("outputs", {}).items()}
        return job

    def _steps(self, steps: list[Any], context: dict[str, Any], environ: Mapping[str, str], job: Job) -> None:
        for step in steps:
            if not _holds(step.get("if", ""), context, good=job.result == "success"):
                continue
            given = {name: _text(value, context) for name, value in step.get("with", {}).items()}
            if "run" in step:
                good = self._call(step, context, environ)
            elif step["uses"].startswith("./"):
                good = self._composite(step["uses"], given, context, environ, job)
            else:
                good = self._action(step["uses"].partition("@")[0], given)
            job.steps.append(f"{step.get('name') or step.get('run') or step['uses']}: {good}")
            if not good and not step.get("continue-on-error"):
                job.result = "failure"

    def _composite(
        self, path: str, given: Mapping[str, Any], context: dict[str, Any], environ: Mapping[str, str], job: Job
    ) -> bool:
        action = _read(f"{path}/action.yml")
        assert set(given) <= set(action["inputs"]), given
        inputs = {name: given.get(name, about.get("default", "")) for name, about in action["inputs"].items()}
        inner = Job("success")
        self._steps(action["runs"]["steps"], {**context, "inputs": inputs}, environ, inner)
        job.steps += inner.steps
        return inner.result == "success"

    def _action(self, action: str, given: Mapping[str, Any]) -> bool:
        if action in ("actions/checkout", "actions/setup-python"):
            return True
        if action == "actions/upload-artifact":
            source = Path(str(given["path"]))
            if source.exists():
                shutil.copytree(source, self._artefacts / given["name"], dirs_exist_ok=True)
            return source.exists()
        if action == "actions/download-artifact":
            found = list(self._artefacts.glob(given.get("pattern") or given["name"]))
            for one in found:
                shutil.copytree(one, given["path"], dirs_exist_ok=True)
            return bool(found)
        raise AssertionError(f"this runner does not know {action}")

    def _call(self, step: Mapping[str, Any], context: dict[str, Any], environ: Mapping[str, str]) -> bool:
        output = self.directory / "output"
        output.write_text("")
        own = {name: str(_text(value, context)) for name, value in step.get("env", {}).items()}
        words = []
        for word in shlex.split(step["run"], posix=False):
            assert not word.startswith("$"), f"a variable without quotes: {step['run']}"
            name = word.strip('"')
            words.append(own[name[1:]] if name.startswith("$") else name)
        assert words[:2] == ["python3", "-m"], f"not one call of a module: {step['run']}"
        code = self.modules[words[2]](words[3:], {**environ, **own, "GITHUB_OUTPUT": str(output)})
        if "id" in step:
            lines = dict(line.split("=", 1) for line in output.read_text().splitlines())
            context["steps"][step["id"]] = {"outputs": lines}
        return code == 0


@functools.cache
def _read(path: str) -> Any:
    return yaml.safe_load((stackfile.ROOT / path).read_text(encoding="utf-8"))


def _holds(condition: Any, context: Mapping[str, Any], *, good: bool) -> bool:
    text = str(condition).removeprefix("${{").removesuffix("}}")
    if not _STATUS.search(text) and not good:
        return False
    return bool(_evaluate(text, context, good=good)) if text.strip() else True


def _text(value: Any, context: Mapping[str, Any], *, whole: bool = False) -> Any:
    """The value with its expressions filled in; `whole`: the value of a single expression itself."""
    if not isinstance(value, str):
        return value
    if whole:
        inner = re.fullmatch(r"\$\{\{(.*)\}\}", value, re.DOTALL)
        return _evaluate(inner[1], context) if inner else json.loads(value)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(_evaluate(match[1], context)), value, flags=re.DOTALL)


def _evaluate(text: str, context: Mapping[str, Any], *, good: bool = True) -> Any:
    def value(path: str) -> Any:
        found: Any = context
        assert path.split(".", maxsplit=1)[0] in context, f"this runner does not know {path}"
        for part in path.split("."):
            found = (found or {}).get(part, "") if isinstance(found, Mapping) or not found else ""
        return found

    functions = {
        "fromJSON": json.loads,
        "toJSON": json.dumps,
        "cancelled": lambda: False,
        "success": lambda: good,
        "failure": lambda: not good,
    }
    words, place = [], 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        assert match, f"not an expression that this runner knows: {text}"
        string, name, operator, number = match.groups()
        place = match.end()
        if string:
            words.append(repr(string[1:-1]))
        elif name:
            words.append(name if text[place : place + 1] == "(" else f"value({name!r})")
        else:
            words.append({"&&": " and ", "||": " or ", "!": " not "}.get(operator, operator) or number)
    return eval("".join(words), {"value": value, **functions})
