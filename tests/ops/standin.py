"""GitHub's REST API as far as `ops.github` uses it, on loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = {"login": "github-actions[bot]"}


@dataclass
class Repository:
    """What there is in o/r."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    """Newest first, each with its `state`."""
    compared: dict[str, dict[str, Any]] = field(default_factory=dict)
    """BASE...HEAD → the comparison."""
    address: str = ""

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> Any:
        """Does what the request asks for."""
        match (method, *path.removeprefix("/repos/o/r/").split("/")):
            case ("GET", "pulls"):
                return self.pulls
            case ("GET", "actions", "runs"):
                wanted = (query["head_sha"], query["event"])
                return {"workflow_runs": [one for one in self.runs if (one["head_sha"], one["event"]) == wanted]}
            case ("GET", "issues", _, "comments"):
                return _page(self.comments, query)
            case ("POST", "issues", _, "comments"):
                return self._made(self.comments, content)
            case ("PATCH", "issues", "comments", number):
                return self._changed(self.comments, number, content)
            case ("GET", "issues"):
                return _page([one for one in self.issues if one.get("state", "open") == query["state"]], query)
            case ("POST", "issues"):
                return self._made(self.issues, content)
            case ("PATCH", "issues", number):
                return self._changed(self.issues, number, content)
            case ("GET", "compare", span):
                return self.compared[span]
            case ("GET", "deployments"):
                wanted = (query["environment"], query["task"])
                return [one for one in self.deployments if (one["environment"], one["task"]) == wanted]
            case ("GET", "deployments", number, "statuses"):
                (one,) = [one for one in self.deployments if str(one["id"]) == number]
                return [{"state": one["state"]}] if "state" in one else []
            case ("POST", "deployments"):
                assert content["required_contexts"] == []
                made = {"id": 100 + len(self.deployments), "sha": content["ref"], **content}
                self.deployments.insert(0, made)
                return made
            case ("POST", "deployments", number, "statuses"):
                (one,) = [one for one in self.deployments if str(one["id"]) == number]
                one["state"] = content["state"]
                return one
        raise LookupError(path)

    def _made(self, where: list[dict[str, Any]], content: Any) -> Any:
        number = len(self.comments) + len(self.issues) + 1
        where.append({"id": number, "number": number, "user": BOT, **content})
        return where[-1]

    def _changed(self, where: list[dict[str, Any]], number: str, content: Any) -> Any:
        (one,) = [one for one in where if str(one["id"]) == number]
        one.update(content)
        return one


def _page(entries: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    size, page = int(query["per_page"]), int(query["page"])
    return entries[(page - 1) * size : page * size]


@contextmanager
def served(repository: Repository) -> Iterator[Repository]:
    """The API at `repository.address`."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            assert self.headers["Authorization"] == "Bearer github-token"
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            try:
                answer, code = repository.answer(self.command, re.sub("/+", "/", url.path), query, content), 200
            except LookupError:
                answer, code = {"message": "Not Found"}, 404
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = _do

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        repository.address = f"http://127.0.0.1:{server.server_port}"
        yield repository
        server.shutdown()
