"""Tries every way out of a network to listeners it is told of; prints what came of each as JSON.

Standard library only. Each attempt sends its own name, so that a listener tells which got through.
"""

import json
import os
import socket
import sys

PORTS = json.loads(sys.argv[1])  # attempt → port
TARGET = json.loads(sys.argv[2])  # "v4", "v6": addresses; "path", "abstract": unix sockets
PROTOCOL_MPTCP, MSG_FASTOPEN, AF_VSOCK = 262, 0x20000000, 40
results = {}


def attempt(function):
    name = function.__name__
    try:
        function(name.encode())
        results[name] = "sent"
    except (OSError, ValueError) as error:
        results[name] = type(error).__name__ + " " + str(error)


def stream(family, address, protocol=0):
    s = socket.socket(family, socket.SOCK_STREAM, protocol)
    s.settimeout(3)
    s.connect(address)
    return s


@attempt
def tcp(mark):
    stream(socket.AF_INET, (TARGET["v4"], PORTS["tcp"])).sendall(mark)


@attempt
def tcp6(mark):
    stream(socket.AF_INET6, (TARGET["v6"], PORTS["tcp6"])).sendall(mark)


@attempt
def mapped(mark):
    stream(socket.AF_INET6, ("::ffff:" + TARGET["v4"], PORTS["mapped"])).sendall(mark)


@attempt
def mptcp(mark):
    stream(socket.AF_INET, (TARGET["v4"], PORTS["mptcp"]), PROTOCOL_MPTCP).sendall(mark)


@attempt
def fast_open(mark):
    # Blocking: with a time limit Python's sockets do not wait for the handshake.
    s = socket.socket()
    s.sendto(mark, MSG_FASTOPEN, (TARGET["v4"], PORTS["fast_open"]))


@attempt
def udp(mark):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(mark, (TARGET["v4"], PORTS["udp"]))


@attempt
def udp6(mark):
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(mark, (TARGET["v6"], PORTS["udp6"]))


@attempt
def dns(mark):
    question = b"\1\2\1\0\0\1\0\0\0\0\0\0" + bytes([len(mark)]) + mark + b"\7example\0\0\1\0\1"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((TARGET["v4"], PORTS["dns"]))
    s.send(question)


@attempt
def vsock(mark):
    s = socket.socket(AF_VSOCK, socket.SOCK_STREAM)
    s.settimeout(3)
    s.connect((1, PORTS["vsock"]))
    s.sendall(mark)


@attempt
def path_socket(mark):
    stream(socket.AF_UNIX, TARGET["path"]).sendall(mark)


@attempt
def abstract_socket(mark):
    stream(socket.AF_UNIX, "\0" + TARGET["abstract"]).sendall(mark)


@attempt
def inherited(mark):
    kept = False
    for number in range(3, 256):
        try:
            kept = os.write(number, mark) > 0 or kept
        except OSError:
            continue
    if not kept:
        raise ValueError("nothing was inherited")


print(json.dumps(results))
