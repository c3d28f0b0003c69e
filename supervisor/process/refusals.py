"""A socket that sees which ways out of a network namespace the kernel has refused.

Where every address is local, the kernel answers what nobody listens for: TCP with a reset that
has sequence number 0 (a connection that existed has another one), everything else with an ICMP
error that carries the packet it is about. Only these pass the filter, and datagrams to many at
once (multicast, broadcast), which nobody answers. So a task's connections to its own servers cost
nothing, and a look at who was refused needs no look at what was said.

Sources: packet(7); linux/filter.h; RFC 9293, 3.10.7.1 (a reset for a closed port); RFC 792; RFC
4443.
"""

from __future__ import annotations

import ctypes
import socket
import struct

_AF_PACKET = 17
_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_SO_ATTACH_FILTER = 26
_RECEIVE_BYTES = 256 * 1024  # what is kept while nobody reads; the rest is dropped

_LD_B, _LD_W = 0x30, 0x20  # absolute
_LDX_IHL = 0xB1  # X = 4 * (byte & 15): length of an IPv4 header
_LD_B_X, _LD_W_X = 0x50, 0x40  # at X + k
_RSH, _AND = 0x74, 0x54
_JEQ, _JGE, _RET = 0x15, 0x35, 0x06
_WHOLE, _NOTHING = 0x40000, 0

_TCP, _ICMP, _UDP, _ICMP6 = 6, 1, 17, 58
_RESET_ACK = 0x14
_UNREACHABLE, _UNREACHABLE6 = 3, 1

_Step = tuple[int, str, str, int]  # code, label if true, label if false, operand; "" is the next


def filter_steps() -> list[tuple[int, int, int, int]]:
    """The program: code, jumps if true and if false, operand."""
    return _resolve(
        [
            ("", (_LD_B, "", "", 0)),
            ("", (_RSH, "", "", 4)),
            ("", (_JEQ, "v6", "", 6)),
            ("", (_JEQ, "", "no", 4)),
            # IPv4
            ("", (_LD_B, "", "", 9)),
            ("", (_JEQ, "tcp4", "", _TCP)),
            ("", (_JEQ, "icmp4", "", _ICMP)),
            ("", (_LD_B, "", "", 16)),  # first byte of the destination
            ("", (_JGE, "yes", "no", 224)),
            ("tcp4", (_LDX_IHL, "", "", 0)),
            ("", (_LD_B_X, "", "", 13)),
            ("", (_AND, "", "", 0x3F)),
            ("", (_JEQ, "", "no", _RESET_ACK)),
            ("", (_LD_W_X, "", "", 4)),
            ("", (_JEQ, "yes", "no", 0)),
            ("icmp4", (_LDX_IHL, "", "", 0)),
            ("", (_LD_B_X, "", "", 0)),
            ("", (_JEQ, "yes", "no", _UNREACHABLE)),
            # IPv6
            ("v6", (_LD_B, "", "", 6)),
            ("", (_JEQ, "tcp6", "", _TCP)),
            ("", (_JEQ, "icmp6", "", _ICMP6)),
            ("", (_JEQ, "", "no", _UDP)),
            ("", (_LD_B, "", "", 24)),
            ("", (_JEQ, "yes", "no", 0xFF)),
            ("tcp6", (_LD_B, "", "", 40 + 13)),
            ("", (_AND, "", "", 0x3F)),
            ("", (_JEQ, "", "no", _RESET_ACK)),
            ("", (_LD_W, "", "", 40 + 4)),
            ("", (_JEQ, "yes", "no", 0)),
            ("icmp6", (_LD_B, "", "", 40)),
            ("", (_JEQ, "yes", "no", _UNREACHABLE6)),
            ("yes", (_RET, "", "", _WHOLE)),
            ("no", (_RET, "", "", _NOTHING)),
        ]
    )


def _resolve(lines: list[tuple[str, _Step]]) -> list[tuple[int, int, int, int]]:
    places = {label: at for at, (label, _) in enumerate(lines) if label}
    return [
        (
            code,
            places[true] - at - 1 if true else 0,
            places[false] - at - 1 if false else 0,
            operand,
        )
        for at, (_, (code, true, false, operand)) in enumerate(lines)
    ]


# Assembled once, before anything forks: a launcher has no time for it.
_STEPS = filter_steps()
_PROGRAM = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _STEPS))
_ATTACHMENT = struct.pack("@HP", len(_STEPS), ctypes.addressof(_PROGRAM))  # struct sock_fprog


def watching_socket() -> socket.socket:
    """A packet socket of the calling process's network namespace, filtered before it is bound.

    Raises:
        OSError: no packet sockets here, or not the right to one (CAP_NET_RAW in the namespace).
    """
    watch = socket.socket(_AF_PACKET, socket.SOCK_DGRAM, 0)
    watch.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _ATTACHMENT)
    watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    # Loopback shows each packet twice, going out and coming in: once will do.
    watch.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    watch.bind(("lo", _ETH_P_ALL))
    return watch
