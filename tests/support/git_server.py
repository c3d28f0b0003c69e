"""Real git over HTTPS: `git http-backend` (git-http-backend(1)) behind a TLS server of the tests.

Who may do what is told by the password of Basic authentication, as at code hosts; the user name is
not looked at. Every request is written down with what it carried.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from aiohttp import web

_COMMITTER = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
}


def git(folder: Path, *words: str, **environ: str) -> str:
    """Real git, with nobody's settings; its output."""
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **_COMMITTER, **environ},
    )  # fmt: skip
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


@dataclass
class GitServer:
    """The running server.

    Attributes:
        may: password → "read" or "write". Whoever is not in it gets 401.
        seen: (password, what) of each request, in order: `fetch` and `push` of a repository's
            refs, `upload` and `receive` of its objects.
    """

    root: Path
    authority: trustme.CA = field(default_factory=trustme.CA)
    may: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _runner: web.AppRunner | None = None

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def url(self, name: str) -> str:
        return f"https://{self.host}/{name}.git"

    def make(self, name: str) -> Path:
        """A repository with one commit on `main`; the bare repository's directory."""
        bare, work = self.root / f"{name}.git", self.root / "work" / name
        work.mkdir(parents=True)
        git(work, "init", "-q", "-b", "main")
        (work / "README").write_text(f"{name}\n")
        git(work, "add", ".")
        git(work, "commit", "-q", "-m", "first")
        git(self.root, "clone", "-q", "--bare", str(work), str(bare))
        git(bare, "config", "http.receivepack", "true")
        return bare

    def tip(self, name: str, ref: str) -> str:
        """The commit a ref is at, "" without one."""
        return git(self.root / f"{name}.git", "for-each-ref", "--format=%(objectname)", ref)

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certify(context)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.serve(context), self._loop).result(10)

    def certify(self, context: ssl.SSLContext) -> None:
        self.authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def stop(self) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join()

    async def serve(self, context: ssl.SSLContext) -> None:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def handle(self, request: web.Request) -> web.Response:
        password = password_of(request.headers.get("authorization", ""))
        service = request.query.get("service") or request.path.rpartition("/")[2]
        writes = service == "git-receive-pack"
        if request.method == "GET":
            self.seen.append((password, "push" if writes else "fetch"))
        else:
            self.seen.append((password, "receive" if writes else "upload"))
        may = self.may.get(password, "")
        if not may:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="Git"'})
        if writes and may != "write":
            return web.Response(status=403, text="This token may only read.\n")
        return await self._backend(request)

    async def _backend(self, request: web.Request) -> web.Response:
        """The request as CGI (RFC 3875) to `git http-backend`."""
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"], **_COMMITTER,
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
                "REMOTE_USER": "ana",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            },
        )  # fmt: skip
        output, _ = await process.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        status = int(fields.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=fields, body=content)


def password_of(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    return base64.b64decode(value).decode().partition(":")[2]
