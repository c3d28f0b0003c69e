"""The person's network as the real supervisor goes through it: its proxy, its tunnels, GraphQL."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.corporate_proxy import LOGIN, CorporateProxy
from tests.support.live import ApiServer, Install

CURL = 'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN"'


@dataclass
class Corporate:
    """A proxy of the network in a thread of its own, and its URL with the log-in."""

    proxy: CorporateProxy

    @property
    def url(self) -> str:
        return f"http://{LOGIN}@127.0.0.1:{self.proxy.port}"


@pytest.fixture
def corporate() -> Iterator[Corporate]:
    proxy = CorporateProxy(names={"inner.example": "127.0.0.1"})
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(proxy.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Corporate(proxy)
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_the_networks_proxy_is_gone_through_and_its_password_kept(
    install: Install, api: ApiServer, corporate: Corporate
) -> None:
    install.environ["HTTPS_PROXY"] = corporate.url
    port = api.host.rpartition(":")[2]
    url = f"https://inner.example:{port}/me"
    script = f"env; curl -sS -m 10 -o /dev/null -w '%{{http_code}}' {url}"
    done = install.cli("run", "--headless", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    # The certificate is not for that name: it was reached, by way of the proxy, and not believed.
    assert done.stdout.endswith("502"), done.stdout
    assert corporate.proxy.asked == [f"CONNECT inner.example:{port} HTTP/1.1"]
    assert str(corporate.proxy.port) not in done.stdout
    assert "p%40ss" not in done.stdout
    kept = b"".join(path.read_bytes() for path in install.root.rglob("*") if path.is_file())
    assert b"p%40ss" not in kept
    assert b"p@ss" not in kept

    # What is excepted, and loopback, is reached straight.
    done = install.cli("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    assert (done.returncode, done.stdout) == (0, '{"hello": "ana"}'), done.stderr
    assert len(corporate.proxy.asked) == 1

    install.environ["HTTPS_PROXY"] = "socks5://127.0.0.1:1080"
    done = install.cli("run", "--headless", "--", "true")
    assert done.returncode == 2
    assert "names a SOCKS proxy" in done.stderr
    assert "network.proxy" in done.stderr


def test_a_graphql_question_passes_and_a_change_asks(install: Install, api: ApiServer) -> None:
    config = install.paths.config / "config.toml"
    install.configure("[approvals]\ntimeout = 1\n" + config.read_text())
    install.cli("stop")
    for document, asked in (("{ viewer { login } }", False), ("mutation { close }", True)):
        body = json.dumps({"query": document})
        script = (
            f"{CURL} -H 'Content-Type: application/json' -d '{body}' https://{api.host}/graphql"
        )
        done = install.cli("run", "--headless", "--", "sh", "-c", script)
        assert done.returncode == 0, done.stderr
        assert ("time" in done.stdout) is asked, done.stdout
    uses = [record["effect"] for record in install.records("use.intent", "use.denied")]
    assert uses == [
        f"POST {api.host}/graphql query viewer",
        f"POST {api.host}/graphql mutation close",
    ]


def test_what_cannot_be_read_is_refused_with_the_way_that_works(
    install: Install, api: ApiServer
) -> None:
    script = f"curl -sS -m 10 --cacert /etc/ssl/certs/ca-certificates.crt https://{api.host}/me"
    done = install.cli("run", "--headless", "--", "sh", "-c", script)
    assert done.returncode == 60
    [record] = install.records("use.denied")
    assert record["code"] == "not_intercepted"
    assert "does not accept the task's certificate" in record["reason"]
