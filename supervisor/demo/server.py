"""The demo's API: a support desk over TLS that accepts the real credential and nothing else."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from supervisor.channels.http.ca import CertificateAuthority

_TICK = 0.5  # seconds between two lines of a stream
_ANSWERS = {
    "/tickets/7": {"id": 7, "from": "Ana", "text": "My invoice is wrong."},
    "/tickets/7/replies": {"id": 31, "sent": True},
}


@dataclass
class DeskApi:
    """Runs in threads of its own, on loopback, until `stop`."""

    token: str = field(default_factory=lambda: f"desk_live_{secrets.token_hex(12)}", repr=False)
    authority: CertificateAuthority = field(default_factory=CertificateAuthority)
    accepted: int = 0
    refused: int = 0

    def start(self) -> None:
        """Serve on a free port."""
        api = self

        class Handler(_Handler):
            desk = api

        self._server = _Server(("127.0.0.1", 0), Handler)
        # The handshake belongs to the connection's own thread.
        self._server.socket = self.authority.context("localhost").wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def status_for(self, token: str) -> int:
        """What the API answers to whoever shows `token` without taskpass in between."""
        import http.client

        context = ssl.create_default_context(cadata=self.authority.pem().decode())
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=5)
        try:
            connection.request("GET", "/tickets/7", headers={"authorization": f"Bearer {token}"})
            return connection.getresponse().status
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections are cut in this story; that is no error."""


class _Handler(BaseHTTPRequestHandler):
    desk: DeskApi
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        offered = self.headers.get("authorization", "")
        if not secrets.compare_digest(offered.encode(), f"Bearer {self.desk.token}".encode()):
            self.desk.refused += 1
            self._answer(401, {"message": "This is not a token of ours."})
            return
        self.desk.accepted += 1
        if self.path.endswith(("/events", "/log")):
            self._stream()
        else:
            self._answer(200, _ANSWERS.get(self.path, {"done": True}))

    do_GET = do_POST = do_DELETE = _serve

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        # In chunks: a client sees that a stream without its last one was cut.
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        number = 0
        while True:
            number += 1
            try:
                line = f"{self.path} line {number}\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            except OSError:  # cut, as it should be
                return
            time.sleep(_TICK)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the story is told elsewhere."""
