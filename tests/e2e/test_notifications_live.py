"""A real supervisor tells a webhook and the desktop of a question nobody looks at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.live import Install, pending, wait_for
from tests.support.scripted_agent import running

KEY = "the-key-that-signs-0123456789"
COMMAND = "git push --force origin spoken-by-the-agent"


class Hooks(ThreadingHTTPServer):
    """Refuses the first message, takes the others, and writes all down."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Hooks)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(204 if len(self.server.got) > 1 else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def put_notify_send(install: Install) -> Path:
    folder = install.home / "tools"
    folder.mkdir()
    shown = install.home / "shown"
    (folder / "notify-send").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {shown}\n')
    (folder / "notify-send").chmod(0o755)
    install.environ["PATH"] = f"{folder}:{install.environ['PATH']}"
    install.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
    return shown


def test_what_nobody_looks_at_is_told_and_only_told(install: Install, hooks: Hooks) -> None:
    shown = put_notify_send(install)
    install.configure(
        f'[notify]\nwebhook = "http://127.0.0.1:{hooks.server_port}/a"\n'
        f'webhook_key = "cmd://echo {KEY}"\n'
    )
    with running(install) as agent:
        begun = agent.begin_soon(COMMAND)
        wait_for(lambda: len(hooks.got) == 2, "the webhook's retry")
        wait_for(shown.exists, "notify-send")
        (waiting,) = pending(install)
        (first, body), (headers, again) = hooks.got
        assert body == again
        assert first["webhook-id"] == headers["webhook-id"]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(KEY.encode(), signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        (told,) = json.loads(body)["data"]["approvals"]
        assert told["id"] == waiting.id
        assert told["risk"] == "high"
        assert b"spoken-by-the-agent" not in body
        assert "taskpass: 1 approval waits" in shown.read_text()
        assert "spoken-by-the-agent" not in shown.read_text()
        # 204 was no answer to the question.
        assert install.records("approval.answered") == []
        assert install.cli("revoke", "--all").returncode == 0
        assert not agent.begun(*begun).allowed
    assert KEY not in install.log.read_text()
