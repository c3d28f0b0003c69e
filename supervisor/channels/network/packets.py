"""What a refusal that the kernel sent is about. Pure.

The packets are those that the filter of `supervisor.process.refusals` lets through, without a
link layer's header: a TCP reset, an ICMP error with the packet it answers, or a datagram to many.
They come from the kernel, but what an ICMP error quotes was written by the task: nothing in it is
believed but numbers.
"""

from __future__ import annotations

import ipaddress
import struct

from supervisor.ports import Attempt

_TCP, _UDP, _UDPLITE, _ICMP, _ICMP6 = 6, 17, 136, 1, 58
_NAMES = {_TCP: "tcp", _UDP: "udp"}
_WITH_PORTS = frozenset({_TCP, _UDP, _UDPLITE, 33, 132})  # DCCP and SCTP among them
_PORTS = struct.Struct("!HH")
_ICMP_HEADER = 8


def refused(packet: bytes) -> Attempt | None:
    """The attempt that was refused; None when the packet is cut short or is none of these."""
    outer = _read(packet)
    if outer is None:
        return None
    protocol, source, destination, payload = outer
    if protocol == _TCP:
        # The reset comes from where the connection was to go.
        return Attempt("tcp", source, _PORTS.unpack_from(payload)[0]) if len(payload) >= 4 else None
    if protocol in (_ICMP, _ICMP6):
        quoted = _read(payload[_ICMP_HEADER:])
        return _datagram(quoted[0], quoted[2], quoted[3]) if quoted else None
    return _datagram(protocol, destination, payload)


def is_loopback(address: str) -> bool:
    """Whether it was dialled as this very machine."""
    return ipaddress.ip_address(address).is_loopback


def _datagram(protocol: int, destination: str, payload: bytes) -> Attempt:
    port = 0
    if protocol in _WITH_PORTS and len(payload) >= _PORTS.size:
        port = _PORTS.unpack_from(payload)[1]
    return Attempt(_NAMES.get(protocol, str(protocol)), destination, port)


def _read(packet: bytes) -> tuple[int, str, str, bytes] | None:
    """(protocol, source, destination, payload) of an IP packet, None when it is too short."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        length = (packet[0] & 15) * 4
        source, destination = packet[12:16], packet[16:20]
        return packet[9], _address(source), _address(destination), packet[length:]
    if version == 6 and len(packet) >= 40:
        return packet[6], _address(packet[8:24]), _address(packet[24:40]), packet[40:]
    return None


def _address(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw))
