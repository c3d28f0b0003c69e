"""DNS rebinding: what was checked is what is dialled, and a name decides nothing."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.http.address import allowed
from tests.support.bwrap import find_bwrap

ROOT = Path(__file__).resolve().parents[2]
PUBLIC, METADATA = "8.8.8.8", "169.254.169.254"


def inside(tmp_path: Path, answers: dict[str, list[list[str]]], *steps: str) -> list[list[Any]]:
    """[name, status, body, addresses that were reached, look-ups so far] of each step."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    (etc / "nsswitch.conf").write_text("hosts: dns\n")
    done = subprocess.run(
        [
            *(find_bwrap(), "--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net"),
            *("--cap-add", "CAP_NET_ADMIN", "--cap-add", "CAP_NET_BIND_SERVICE"),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/etc", "--tmpfs", "/tmp"),
            *("--ro-bind", str(etc / "resolv.conf"), "/etc/resolv.conf"),
            *("--ro-bind", str(etc / "nsswitch.conf"), "/etc/nsswitch.conf"),
            *("--ro-bind", str(ROOT), str(ROOT), "--ro-bind", sys.prefix, sys.prefix),
            *("--die-with-parent", "--chdir", str(ROOT), "--setenv", "PYTHONPATH", str(ROOT)),
            *(sys.executable, "-m", "tests.support.rebinding_inside"),
            *(json.dumps(answers), json.dumps(steps)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[list[Any]] = json.loads(done.stdout)
    return results


def test_a_name_server_that_changes_its_answers_opens_nothing(tmp_path: Path) -> None:
    answers = {
        "rebind.example": [[PUBLIC], ["127.0.0.1"], ["::1"], [METADATA]],
        "both.example": [["127.0.0.1", METADATA, "::1", PUBLIC]],
        "mapped.example": [["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0"]],
        "shared.example": [["100.64.0.1", "10.0.0.1", "fe80::1", "224.0.0.1", "fd00:ec2::254"]],
    }
    rebind = "rebind.example:8080"
    results = inside(
        tmp_path,
        answers,
        *(rebind, rebind, "cut", rebind, rebind, rebind),
        *("both.example:8080", "both.example:8081", "mapped.example:8080", "shared.example:8080"),
    )
    rows = [(name, status, reached, asked) for name, status, _, reached, asked in results]
    assert rows == [
        (rebind, 200, [PUBLIC], 1),
        (rebind, 200, [], 1),  # by the connection that is there, without another look-up
        (rebind, 403, [], 2),
        (rebind, 403, [], 3),
        (rebind, 403, [], 4),
        ("both.example:8080", 200, [PUBLIC], 1),
        ("both.example:8081", 502, [], 2),  # refused there; the others are not tried instead
        ("mapped.example:8080", 403, [], 1),
        ("shared.example:8080", 403, [], 1),
    ]
    assert "private, loopback or link-local" in results[2][2]
    assert "allow_private" in results[2][2]


REFUSED = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "169.254.170.2", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fec0::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::", "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_leads_inside_is_not_dialled(text: str) -> None:
    assert not allowed(ipaddress.ip_address(text), private=False)


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808::"])
def test_what_leads_outside_is(text: str) -> None:
    assert allowed(ipaddress.ip_address(text), private=False)


def test_a_person_can_let_private_networks_in_but_no_more() -> None:
    for text in ("127.0.0.1", "10.0.0.1", "::1", "fc00::1", "::ffff:10.0.0.1", "100.64.0.1"):
        assert allowed(ipaddress.ip_address(text), private=True), text
    for text in (METADATA, "fe80::1", "224.0.0.1", "0.0.0.0", "::", "64:ff9b::a9fe:a9fe",
                 "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "100.100.100.200"):  # fmt: skip
        assert not allowed(ipaddress.ip_address(text), private=True), text


@given(st.ip_addresses(v=4), st.booleans())
def test_an_address_within_another_is_judged_as_itself(
    inner: ipaddress.IPv4Address, private: bool
) -> None:
    number = int(inner)
    for outer in (
        (0xFFFF << 32) | number,
        (0x64FF9B << 96) | number,
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFF_FFFF),
    ):
        wrapped = ipaddress.IPv6Address(outer)
        assert allowed(wrapped, private=private) == allowed(inner, private=private)
