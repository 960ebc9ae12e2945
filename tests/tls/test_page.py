"""What web adds to nginx, in a real one: the health check's page without a log line, and who may embed the page.

The server block stands in for the image's, which puts both lines between its own in the same way.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Final

import pytest

from components.stack.services import web
from tests.prosody.servers import free_port
from tests.tls.browser import PAGE, Nginx
from tests.values import DOMAIN, load

pytestmark = pytest.mark.servers

POLICY: Final = web.content_security_policy(load(**DOMAIN))


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[Nginx, Path]]:
    """nginx with web's lines, and its log."""
    port, log = free_port(), tmp_path / "access.log"
    block = (
        f"server {{ listen 127.0.0.1:{port}; access_log {log};\n"
        f'add_header X-Content-Type-Options nosniff;\nadd_header Content-Security-Policy "{POLICY}" always;\n'
        f"{web.HEALTH_CONF}\nlocation ~ ^/([^/?&:'\"]+)$ {{ try_files $uri @root_path; }}\n"
        f"location @root_path {{ rewrite ^/(.*)$ / break; }}\n}}"
    )
    running = Nginx(tmp_path / "nginx", block, port=port)
    yield running, log
    running.stop()


def get(running: Nginx, path: str) -> tuple[str, Message]:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}{path}", timeout=5) as answer:
        return answer.read().decode(), answer.headers


def test_the_health_check_gets_the_page_and_leaves_no_line_in_the_log(page: tuple[Nginx, Path]) -> None:
    running, log = page
    assert PAGE in get(running, web.HEALTH_PATH)[0]
    assert PAGE in get(running, "/a-room")[0]
    lines = log.read_text().splitlines()
    assert len(lines) == 1
    assert "/a-room" in lines[0]


def test_a_room_comes_with_the_word_on_who_may_embed_it(page: tuple[Nginx, Path]) -> None:
    headers = get(page[0], "/a-room")[1]
    assert headers["Content-Security-Policy"] == POLICY
    assert "frame-ancestors 'self' https://app.example.org" in POLICY
