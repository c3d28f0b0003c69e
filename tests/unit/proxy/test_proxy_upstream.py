"""By way of the network's own proxy: its log-in never reaches a task, its exceptions hold."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from supervisor.channels.http.ca import CertificateAuthority, bundle
from supervisor.channels.http.message import Origin
from supervisor.channels.http.upstream import (
    NO_PROXIES,
    Proxies,
    from_environment,
    from_url,
    restored,
)
from supervisor.config import Config
from supervisor.errors import UsageError
from supervisor.ways_out import WaysOut
from tests.support.corporate_proxy import LOGIN, CorporateProxy
from tests.support.proxy_fakes import SECRET, Rig, proxy_rig
from tests.support.proxy_requests import BEARER, request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@dataclass
class Network:
    rig: Rig
    proxy: CorporateProxy


@asynccontextmanager
async def network(
    tmp_path: Path, login: str = LOGIN, *, tls: bool = False, model_hosts: tuple[str, ...] = ()
) -> AsyncIterator[Network]:
    """A proxy that alone knows where `inner.example` is."""
    corporate = CorporateProxy(names={"inner.example": "127.0.0.1"})
    authority = trustme.CA()
    context = None
    if tls:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await corporate.start(context)
    scheme = "https" if tls else "http"
    proxies = from_url("proxy", f"{scheme}://{login}@127.0.0.1:{corporate.port}")
    async with proxy_rig(
        tmp_path,
        proxies=proxies,
        names=("inner.example",),
        roots=[authority.cert_pem.bytes()],
        model_hosts=model_hosts,
    ) as rig:
        rig.authorize.hosts |= {f"inner.example:{rig.upstream.port}"}
        yield Network(rig, corporate)
    server.close()


@pytest.mark.parametrize("tls", [False, True], ids=["http-proxy", "https-proxy"])
async def test_https_goes_through_a_tunnel(
    tmp_path: Path, tls: bool, event_loop_policy: object
) -> None:
    async with network(tmp_path, tls=tls) as there:
        rig, proxy = there.rig, there.proxy
        url = f"https://inner.example:{rig.upstream.port}/x"
        code, out, err = await rig.curl("-H", BEARER, url, url)
        assert (code, out) == (0, "0 bytes\n" * 2), err
        assert proxy.asked == [f"CONNECT inner.example:{rig.upstream.port} HTTP/1.1"]
        assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]
        assert not rig.upstream.seen[0].get("proxy-authorization")
        assert len(rig.authorize.uses) == 2
        # Cut is cut on both sides of it.
        rig.channel.cut()
        assert rig.channel.connections <= 2


async def test_plain_http_is_asked_for_by_its_whole_url(tmp_path: Path) -> None:
    async with network(tmp_path) as there:
        rig, proxy = there.rig, there.proxy
        url = f"http://inner.example:{rig.plain.port}/p?q=1"
        code, out, err = await rig.curl(url)
        assert (code, out) == (0, "0 bytes\n"), err
        assert proxy.asked == [f"GET {url} HTTP/1.1"]
        assert rig.plain.seen[0].target == "/p?q=1"
        assert not rig.plain.seen[0].get("proxy-authorization")


async def test_the_agents_model_and_listed_tunnels_go_through_it_too(tmp_path: Path) -> None:
    async with network(tmp_path, model_hosts=("inner.example:{tls}",)) as there:
        rig, proxy = there.rig, there.proxy
        rig.authorize.model = True
        code, out, err = await rig.curl(
            "--cacert", str(rig.roots), f"https://inner.example:{rig.upstream.port}/v1"
        )
        assert (code, out) == (0, "0 bytes\n"), err
        assert proxy.asked == [f"CONNECT inner.example:{rig.upstream.port} HTTP/1.1"]
        assert not rig.authorize.uses


async def test_loopback_is_never_asked_of_it(tmp_path: Path) -> None:
    async with network(tmp_path) as there:
        code, out, err = await there.rig.curl(f"https://{there.rig.origin}/")
        assert (code, out) == (0, "0 bytes\n"), err
        assert not there.proxy.asked


@pytest.mark.parametrize(
    ("login", "refuses", "words"),
    [("ana:wrong", False, "wants another log-in"), (LOGIN, True, "refuses inner.example")],
)
async def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    tmp_path: Path, login: str, refuses: bool, words: str
) -> None:
    async with network(tmp_path, login) as there:
        there.proxy.refuses = refuses
        url = f"https://inner.example:{there.rig.upstream.port}/"
        code, out, _ = await there.rig.curl(url)
        told = json.loads(out)
        assert (code, told["error"]) == (0, "bad_gateway")
        assert words in told["message"]
        assert "ana" not in out
        assert "cGFzcw" not in out


async def test_addresses_inside_are_refused_before_the_proxy_is_asked(tmp_path: Path) -> None:
    async with network(tmp_path) as there:
        for target in ("169.254.169.254:443", "10.0.0.1:443"):
            code, out, _ = await there.rig.curl(f"https://{target}/")
            assert (code, json.loads(out)["error"]) == (0, "denied")
        assert not there.proxy.asked


async def test_a_proxy_that_is_gone_is_a_bad_gateway(tmp_path: Path) -> None:
    async with network(tmp_path) as there:
        there.rig.channel._pool._dialer._proxies = from_url("proxy", "http://127.0.0.1:1")
        reader, writer = await there.rig.tunnel(f"inner.example:{there.rig.upstream.port}",
                                                sni="inner.example")  # fmt: skip
        head = request(there.rig).replace(b"localhost", b"inner.example")
        writer.write(head)
        status, _, body = await response(reader)
        assert (status, b"127.0.0.1:1" in body) == (502, True)
        writer.close()


# ── what the variables say ──────────────────────────────────────────────────────────────


def via(no_proxy: str, host: str, port: int = 443, *, tls: bool = True) -> bool:
    environ = {"https_proxy": "http://p:3128", "HTTP_PROXY": "http://q", "NO_PROXY": no_proxy}
    return from_environment(environ).via(Origin(host, port, tls)) is not None


@pytest.mark.parametrize(
    ("no_proxy", "host", "goes"),
    [
        ("", "api.example", True),
        ("*", "api.example", False),
        ("example", "api.example", False),
        (".example", "api.example", False),
        ("*.example", "api.example", False),
        (".example", "example", False),
        ("example", "notexample", True),
        ("EXAMPLE", "api.example", False),
        ("a.b , api.example", "api.example", False),
        ("api.example:443", "api.example", False),
        ("api.example:8443", "api.example", True),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", False),
        ("1.2.3", "0.1.2.3", True),
        ("fd00::/8", "fd12::1", False),
        ("[fd12::1]:443", "fd12::1", False),
        ("", "localhost", False),
        ("", "127.0.0.1", False),
        ("", "::1", False),
        ("", "app.localhost", False),
        (",,:,[]", "api.example", True),
    ],
)
def test_exceptions(no_proxy: str, host: str, goes: bool) -> None:
    assert via(no_proxy, host) is goes


def test_each_scheme_has_its_variable_lower_case_first() -> None:
    environ = {
        "https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1", "ALL_PROXY": "c:8080",
    }  # fmt: skip
    proxies = from_environment(environ)
    assert proxies.https is not None
    assert proxies.https.url == "http://a:1"
    assert proxies.http is not None
    assert proxies.http.url == "http://c:8080"
    assert from_environment({}) == NO_PROXIES


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("socks5h://u:geheim@s:1080", "SOCKS"),
        ("ftp://u:geheim@s", "does not name"),
        ("http://", "does not name"),
        ("http://u:geheim@s:99999", "does not name"),
    ],
)
def test_what_is_no_http_proxy_is_said_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        from_environment({"HTTPS_PROXY": url})
    assert "HTTPS_PROXY" in caught.value.message
    assert "geheim" not in str(caught.value)
    assert caught.value.hint


def test_a_log_in_is_kept_out_of_what_is_written_and_shown() -> None:
    proxies = from_url("p", "http://ana:geheim@p:3128", (".corp",))
    kept = proxies.without_logins()
    assert "geheim" not in f"{kept} {proxies!r}"
    assert proxies.https is not None
    login = proxies.https.login
    assert restored(kept, {"http://p:3128": login}) == proxies
    assert restored({}, {}) == Proxies()


# ── a task's way ────────────────────────────────────────────────────────────────────────


def ways(tmp_path: Path, config: Config | None = None) -> WaysOut:
    system = tmp_path / "system.pem"
    system.write_bytes(trustme.CA().cert_pem.bytes())
    return WaysOut(config or Config(), system, bundle(system, CertificateAuthority()))


def test_the_configuration_wins_over_the_variables(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "http://env:1"}
    assert ways(tmp_path).of(environ)["https"] == "http://env:1"
    configured = ways(tmp_path, Config(proxy="http://ana:geheim@conf:1", no_proxy=("x",)))
    way = configured.of(environ)
    assert (way["https"], way["no"]) == ("http://conf:1", "x")
    proxies = configured.channel(way)["proxies"]
    assert proxies.https.login
    assert ways(tmp_path, Config(proxy="none")).of(environ) == {}


def test_a_password_is_known_again_from_the_next_run(tmp_path: Path) -> None:
    first = ways(tmp_path)
    way = first.of({"HTTPS_PROXY": "http://ana:geheim@p:1"})
    assert "geheim" not in repr(way)
    anew = ways(tmp_path)
    assert anew.channel(way)["proxies"].https.login == b""
    anew.of({"HTTPS_PROXY": "http://ana:geheim@p:1"})
    assert anew.channel(way)["proxies"].https.login == first.channel(way)["proxies"].https.login


def test_further_roots_are_believed_by_us_and_by_the_task(tmp_path: Path) -> None:
    corporate = trustme.CA().cert_pem.bytes()
    own = tmp_path / "corp.pem"
    own.write_bytes(corporate)
    made = ways(tmp_path)
    way = made.of({"NODE_EXTRA_CA_CERTS": str(own), "SSL_CERT_FILE": str(made.system)})
    assert way == {"roots": str(own)}
    assert corporate in made.believed(way)
    assert made.bundle.rstrip() in made.believed(way)
    before = made.channel({})["upstream_tls"](False).cert_store_stats()["x509_ca"]
    assert made.channel(way)["upstream_tls"](False).cert_store_stats()["x509_ca"] == before + 1
    own.unlink()
    assert made.channel(way)["upstream_tls"](False).cert_store_stats()["x509_ca"] == before
    assert made.believed(way) == made.bundle
    configured = tmp_path / "configured.pem"
    configured.write_bytes(corporate)
    assert corporate in ways(tmp_path, Config(extra_roots=str(configured))).believed({})


def test_a_file_of_no_certificates_is_said_in_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    with pytest.raises(UsageError, match=r"SSL_CERT_FILE names .* no certificates"):
        ways(tmp_path).of({"SSL_CERT_FILE": str(wrong)})
    assert ways(tmp_path).of({"SSL_CERT_FILE": str(tmp_path / "gone.pem")}) == {}
