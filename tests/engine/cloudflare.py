"""A small stand-in for Cloudflare's API: one zone and its DNS records, on the loopback address."""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "cf-token-" + "0123456789abcdef" * 2
ZONE_ID: Final = "0123456789abcdef0123456789abcdef"
_WHEN: Final = "2026-01-01T00:00:00Z"
_BASE: Final = "/client/v4"


class Cloudflare:
    """The API with a zone of the given name; use `close` in the end."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.records: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What points the provider here."""
        url = f"http://127.0.0.1:{self._server.server_port}{_BASE}"
        return {"CLOUDFLARE_BASE_URL": url, "CLOUDFLARE_API_TOKEN": TOKEN}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        """The `result` of a request; None where there is nothing."""
        zone = {
            "id": ZONE_ID,
            "name": self.zone,
            "status": "active",
            "type": "full",
            "paused": False,
            "account": {"id": ZONE_ID, "name": "account"},
            "owner": {},
            "meta": {},
            "name_servers": [],
        }
        match path.removeprefix(_BASE).strip("/").split("/"):
            case ["zones"]:
                return [zone] if query.get("name", [self.zone]) == [self.zone] else []
            case ["zones", zone_id] if zone_id == ZONE_ID:
                return zone
            case ["zones", zone_id, "dns_records"] if zone_id == ZONE_ID and method == "POST":
                return self._store(f"{next(self._numbers):032x}", body)
            case ["zones", zone_id, "dns_records", record] if zone_id == ZONE_ID and record in self.records:
                if method in ("PUT", "PATCH"):
                    return self._store(record, body)
                return self.records.pop(record) if method == "DELETE" else self.records[record]
        return None

    def _store(self, record: str, body: dict[str, Any]) -> dict[str, Any]:
        old = self.records.get(record, {})
        times = {"created_on": _WHEN, "modified_on": _WHEN, "comment_modified_on": _WHEN}
        fixed = {"id": record, "proxiable": True, "meta": {}, "settings": {}, "tags": [], **times}
        self.records[record] = {"proxied": False, "ttl": 1, **old, **body, **fixed}
        return self.records[record]


def _handler(api: Cloudflare) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            url = urlsplit(self.path)
            api.requests.append(f"{self.command} {url.path}")
            allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            result = api.answer(self.command, url.path, parse_qs(url.query), body) if allowed else None
            found = result is not None
            answer: dict[str, Any] = {"success": found, "errors": [], "messages": [], "result": result}
            if not found:
                answer["errors"] = [{"code": 1000, "message": "not found" if allowed else "not allowed"}]
            if isinstance(result, list):
                count = len(result)
                answer["result_info"] = {"page": 1, "per_page": 20, "count": count, "total_count": count}
            data = json.dumps(answer).encode()
            self.send_response(200 if found else 404 if allowed else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
