"""The comment on a pull request: bound to the right one, current, and nothing of a stranger's review is markup in it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from ops.github import pull_request
from ops.github.__main__ import main
from ops.github.comment import LIMIT, MARK, PREVIEW_MARK, Run, body, previews
from ops.project import stackfile
from ops.review import text
from ops.review.difference import Change
from tests.ops.test_review import HOSTILE, _without_code

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
RUN: Final = Run(commit=COMMIT, url="https://github.com/o/r/actions/runs/1", conclusion="success", base="main")
OLDER: Final = dataclasses.replace(RUN, commit="e" * 40)
BOT: Final = {"login": "github-actions[bot]"}
CHANGES: Final = [
    Change("dev", "same"),
    Change("prod", "changed", settings=[("enableLobby", "true", "false")], people=["running calls end"]),
    Change("test", "refused", refused="httpPort: 70000"),
]


def review(*changes: Change) -> bytes:
    return text.as_json("HEAD^1", changes).encode()


def test_the_comment_has_result_commit_run_and_review(golden: Callable[[str, str], None]) -> None:
    golden("comment.md", body(RUN, review(*CHANGES)) + "\n")


@pytest.mark.parametrize(
    "left",
    [
        None,
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"stacks": {}}',
        b'{"stacks": [1]}',
        b'{"stacks": [{}]}',
        b'{"stacks": [{"stack": "a", "kind": "<b>"}]}',
        b'{"stacks": [{"stack": "a", "kind": "same", "people": "x"}]}',
        b'{"stacks": [{"stack": "a", "kind": "same", "people": [1]}]}',
        b'{"stacks": [{"stack": "a", "kind": "same", "settings": [["a", "b"]]}]}',
        json.dumps({"stacks": [{"stack": "a", "kind": "same"}] * 201}).encode(),
        b'{"stacks": [], "beside": "x"}',
        b'{"stacks": [], "beside": [1]}',
    ],
    ids=range(15),
)
def test_a_run_that_left_no_sound_review_replaces_the_old_comment_and_says_so(left: bytes | None) -> None:
    shown = body(RUN, left)
    assert shown.startswith(MARK)
    assert "There is no review of this commit" in shown
    assert COMMIT in shown
    assert "<b>" not in shown


@pytest.mark.parametrize("hostile", [*HOSTILE, MARK, "\ud800", "x" * 100_000])
def test_nothing_of_a_review_becomes_markup_or_a_line_of_the_comment(hostile: str) -> None:
    def shown(given: str) -> list[str]:
        change = Change(given, "changed", settings=[(given,) * 3], people=[given], details=[given], added=[given])
        return body(RUN, text.as_json("HEAD^1", [change], [given]).encode()).splitlines()

    lines = shown(hostile)
    assert len(lines) == len(shown("x")), "a value made another line"
    outside = _without_code("\n".join(lines[4:]))
    for mark in ("<", "@", "[", "www.", "://", "\x1b", "\u202e", "**bold"):
        assert mark not in outside


def test_what_is_too_long_loses_drawings_then_warnings_then_settings_and_lines_last_and_says_so() -> None:
    refused = Change("z", "refused", refused="the reason")

    def shown(count: int, length: int, people: str = "running calls end") -> str:
        many = [
            Change(
                f"stack-{number}",
                "changed",
                people=[people],
                settings=[("key", "v" * length, "x")] * 4,
                details=["w" * length] * 4,
                added=["turn"],
                drawing=DRAWING,
            )
            for number in range(count)
        ]
        text = body(RUN, review(*many, refused))
        assert len(text) <= LIMIT
        assert "the reason" in text, "what is refused is the last to go"
        assert "own code" in text
        return text

    assert "Left out" not in shown(1, 10)
    drawings, details, settings, lines = shown(40, 210), shown(40, 300), shown(190, 300), shown(199, 10, "x" * 500)
    assert "Left out for its length: the drawings. The [run](" in drawings
    assert "the drawings, warnings and what else changes. The" in details
    assert details.count("`key`") == 160
    assert settings.count("running calls end") == 190, "what it does to people stays the longest"
    assert "what else changes, the settings. The" in settings
    assert "Cut here" not in settings
    assert "more lines; the run has the whole text" in lines


DRAWING: Final = 'flowchart TB\n    browser(["browser"])\n    subgraph host["Docker host, stack a"]\n        turn["a<br/>b"]\n    end'


def test_the_parts_are_drawn_where_they_change_and_the_new_ones_framed() -> None:
    drawn = text.as_markdown("main", [Change("a", "changed", added=["turn"], drawing=DRAWING)])
    assert f"```mermaid\n{DRAWING}\n    class turn new\n    classDef new stroke-width:4px\n```" in drawn
    assert "mermaid" not in text.as_terminal("main", [Change("a", "added", drawing=DRAWING)])


@pytest.mark.parametrize(
    "line",
    [
        "```",
        '    click web "https://evil.test"',
        "%%{init: {}}%%",
        '    web["<img src=x>"]',
        '    web["`x`"]',
        '    web["a"]; click web "x"',
        "    web --> x\r```",
        '    web["javascript:x"]',
    ],
)
def test_a_drawing_that_is_none_of_ours_is_left_out(line: str) -> None:
    shown = body(RUN, review(Change("a", "changed", added=["web"], drawing=f"{DRAWING}\n{line}")))
    assert "mermaid" not in shown
    assert "evil" not in shown


class GitHub:
    """Pull requests and comments, by the calls that are made."""

    def __init__(self, *comments: Mapping[str, Any], sha: str = COMMIT) -> None:
        self.comments = list(comments)
        self.sha = sha
        self.written: list[tuple[str, str, Any]] = []
        self.asked: list[str] = []

    def call(self, method: str, path: str, content: Mapping[str, Any] | None) -> Any:
        self.asked.append(path)
        if method != "GET":
            self.written.append((method, path, content))
            return {}
        if "/pulls?" in path:
            other = {"number": 6, "head": {"sha": "f" * 40}, "base": {"ref": "main"}}
            return [other, {"number": 7, "head": {"sha": self.sha}, "base": {"ref": "main"}}]
        page = int(path.rpartition("page=")[2])
        return self.comments[(page - 1) * 100 : page * 100]


@pytest.fixture
def run_main(tmp_path: Path) -> Callable[[GitHub], int]:
    event = {
        "workflow_run": {
            "head_sha": COMMIT,
            "head_branch": "a&state=closed",
            "head_repository": {"owner": {"login": "fork"}},
            "html_url": RUN.url,
            "conclusion": "success",
        }
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    (tmp_path / "review.json").write_bytes(review(*CHANGES))
    environ = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REPOSITORY": "o/r"}
    return lambda github: main(["review", str(tmp_path / "review.json")], environ, github.call)


def test_the_first_comment_is_made_on_the_pull_request_whose_newest_commit_it_is(
    run_main: Callable[[GitHub], int],
) -> None:
    github = GitHub({"id": 1, "user": {"login": "somebody"}, "body": MARK})
    assert run_main(github) == 0
    ((method, path, content),) = github.written
    assert (method, path) == ("POST", "/repos/o/r/issues/7/comments")
    assert content["body"].startswith(MARK)
    assert "head=fork%3Aa%26state%3Dclosed" in github.asked[0], "a branch's name is no query"


def test_an_older_comment_of_its_own_is_brought_up_to_date_on_whatever_page(run_main: Callable[[GitHub], int]) -> None:
    others = [{"id": number, "user": BOT, "body": "x"} for number in range(150)]
    github = GitHub(*others, {"id": 999, "user": BOT, "body": f"{MARK}\nold"})
    assert run_main(github) == 0
    ((method, path, _),) = github.written
    assert (method, path) == ("PATCH", "/repos/o/r/issues/comments/999")


def test_a_commit_that_is_no_longer_the_newest_gets_no_comment(run_main: Callable[[GitHub], int]) -> None:
    github = GitHub(sha="e" * 40)
    assert run_main(github) == 0
    assert github.written == []


@pytest.mark.parametrize(
    ("old", "replaced"),
    [
        pytest.param(body(OLDER, None), True, id="of an older commit"),
        pytest.param(
            body(OLDER, text.as_json("x", [Change(COMMIT, "refused")]).encode()), True, id="that names this one"
        ),
        pytest.param(body(RUN, None), False, id="of this one: its run was quicker"),
        pytest.param(previews(COMMIT, RUN.url, []).replace(PREVIEW_MARK, MARK), False, id="a preview of this one"),
        pytest.param("another", False, id="none"),
    ],
)
def test_a_new_commit_takes_the_older_review_away_as_its_run_may_never_come(
    tmp_path: Path, old: str, replaced: bool
) -> None:
    event = {"pull_request": {"number": 7, "head": {"sha": COMMIT}}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    github = GitHub({"id": 1, "user": BOT, "body": old})
    environ = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REPOSITORY": "o/r"}
    assert main(["review", "review.json"], environ, github.call) == 0
    bodies = [content["body"] for _, _, content in github.written]
    assert [COMMIT in one and "There is no review" in one for one in bodies] == [True] * replaced


def test_a_review_that_is_a_link_to_another_file_is_not_read(run_main: Callable[[GitHub], int], tmp_path: Path) -> None:
    (tmp_path / "review.json").unlink()
    (tmp_path / "review.json").symlink_to(tmp_path / "event.json")
    github = GitHub()
    run_main(github)
    assert "the run left none" in github.written[0][2]["body"]


def test_the_api_is_asked_with_token_and_json_and_its_answer_is_read() -> None:
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            length = int(self.headers["Content-Length"])
            seen.append((self.path, self.headers["Authorization"], json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"id": 1}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        call = pull_request.api(f"http://127.0.0.1:{server.server_port}", "token-1")
        assert call("PATCH", "/repos/o/r/issues/comments/1", {"body": "\ud800"}) == {"id": 1}
    assert seen == [("/repos/o/r/issues/comments/1", "Bearer token-1", {"body": "\ud800"})]


def test_it_needs_nothing_that_has_to_be_installed() -> None:
    code = "import sys; import ops.github.__main__; print(sorted({'yaml', 'pulumi', 'idna'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-SE", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
        cwd=stackfile.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "[]\n", run.stderr
