"""A proxy in a network of its own, whose name server changes its answers; prints what came of it.

Started by bubblewrap with the rights to its own network and a resolv.conf that names 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import json
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.proxy_fakes import Rig, proxy_rig

PUBLIC = "8.8.8.8"  # an address that may be dialled; here it is this network's own
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_A, _AAAA = 1, 28


class NameServer(asyncio.DatagramProtocol):
    """Answers each name with the next of its answers, and the last for ever."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: dict[str, int] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = struct.unpack_from("!H", data, at + 1)[0]
        name = ".".join(labels).lower()
        given = [ipaddress.ip_address(text) for text in self._next(name, kind)]
        records = [
            struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(each.packed)) + each.packed
            for each in given
            if each.version == (4 if kind == _A else 6)
        ]
        head = data[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0)
        self.transport.sendto(head + data[12 : at + 5] + b"".join(records), address)

    def _next(self, name: str, kind: int) -> list[str]:
        """Both questions of one look-up get the same answer; the next begins with an A."""
        if kind == _A:
            self.asked[name] = self.asked.get(name, 0) + 1
        elif kind != _AAAA:
            return []
        answers = self.answers.get(name, [[]])
        return answers[min(self.asked.get(name, 1), len(answers)) - 1]


async def main(answers: dict[str, list[list[str]]], steps: list[str]) -> None:
    _take(PUBLIC)
    loop = asyncio.get_running_loop()
    _, names = await loop.create_datagram_endpoint(
        lambda: NameServer(answers), local_addr=("127.0.0.1", 53)
    )
    reached: dict[str, int] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        reached[host] = reached.get(host, 0) + 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    for host in (PUBLIC, "127.0.0.1", "::1"):
        await asyncio.start_server(serve, host, 8080)
    await asyncio.start_server(serve, "127.0.0.1", 8081)  # only inside
    results = []
    async with proxy_rig(Path(tempfile.mkdtemp()), private=False) as rig:
        for step in steps:
            if step == "cut":
                rig.channel.cut()
                continue
            before = dict(reached)
            status, told = await _get(rig, step)
            new = sorted(host for host in reached if reached[host] != before.get(host))
            name = step.partition(":")[0]
            results.append([step, status, told, new, names.asked.get(name, 0)])
    print(json.dumps(results))


async def _get(rig: Rig, authority: str) -> tuple[int, str]:
    reader, writer = await rig.dial()
    writer.write(
        f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n"
        f"Proxy-Authorization: {rig.basic()}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2].decode()


def _take(address: str) -> None:
    """Give the loopback device another address (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
            told = struct.pack("!16sH", b"lo:1", 0)[:16] + struct.pack("=H", socket.AF_INET)
            told += struct.pack("!H4s8x", 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, told)


asyncio.run(main(json.loads(sys.argv[1]), json.loads(sys.argv[2])))
