"""Runs as the agent, inside the task: tries each way past the gate; prints what came of it.

Standard library only. Each attempt returns when it got through and raises when it did not.
"""

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

T = json.loads(sys.argv[1])
ARM = platform.machine() == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
results = {}

FASTOPEN = 0x20000000
OUTSIDE = ("127.0.0.1", T["port"])


class Failed(Exception):
    pass


def attempt(function):
    try:
        function()
        results[function.__name__] = "succeeded"
    except OSError as error:
        results[function.__name__] = errno.errorcode.get(error.errno, str(error))
    except Failed as error:
        results[function.__name__] = str(error) or "failed"


def call(x86, arm, *arguments):
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    found = libc.syscall(ctypes.c_long(arm if ARM else x86), *words)
    if found < 0:
        raise OSError(ctypes.get_errno(), "syscall")
    return found


def stream(family=socket.AF_INET, protocol=0):
    return socket.socket(family, socket.SOCK_STREAM, protocol)


@attempt
def tcp():
    with stream() as s:
        s.connect(OUTSIDE)
        s.send(b"tcp")


@attempt
def tcp_mapped():
    with stream(socket.AF_INET6) as s:
        s.connect(("::ffff:127.0.0.1", T["port"]))


@attempt
def tcp_any_address():
    with stream() as s:
        s.connect(("0.0.0.0", T["port"]))


@attempt
def tcp_second_loopback():
    with stream() as s:
        s.connect(("127.0.0.2", T["port"]))


@attempt
def from_a_thread_with_its_own_descriptors():
    came = []

    def run():
        try:
            call(272, 97, 0x400)  # unshare(CLONE_FILES)
            with stream() as s:
                s.connect(OUTSIDE)
            came.append(None)
        except OSError as error:
            came.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if came[0] is not None:
        raise came[0]


@attempt
def from_a_child():
    code = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
    done = subprocess.run([sys.executable, "-S", "-c", code, str(T["port"])], capture_output=True)
    if done.returncode:
        raise Failed("refused")


@attempt
def after_closing_its_memory_to_others():
    if os.fork() == 0:
        libc.prctl(4, 0, 0, 0, 0)
        try:
            with stream() as s:
                s.connect(OUTSIDE)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.wait()[1]):
        raise Failed("refused")


@attempt
def fast_open_sendto():
    with stream() as s:
        s.sendto(b"fast", FASTOPEN, OUTSIDE)


@attempt
def fast_open_sendmsg():
    with stream() as s:
        s.sendmsg([b"fast"], [], FASTOPEN, OUTSIDE)


@attempt
def fast_open_sendmmsg():
    name = struct.pack("=HH4s8x", 2, socket.htons(T["port"]), socket.inet_aton("127.0.0.1"))
    name_buffer = ctypes.create_string_buffer(name, len(name))
    data = ctypes.create_string_buffer(b"fast")
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(data), 4)
    message = (ctypes.c_size_t * 8)(
        ctypes.addressof(name_buffer), len(name), ctypes.addressof(vector), 1, 0, 0, 0, 0
    )
    with stream() as s:
        call(307, 269, s.fileno(), message, 1, FASTOPEN)


@attempt
def fast_open_connect_option():
    with stream() as s:
        s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
        s.connect(OUTSIDE)
        s.send(b"fast")


@attempt
def sending_without_a_connection():
    with stream() as s:
        s.sendto(b"x", OUTSIDE)


@attempt
def mptcp():
    with stream(protocol=262) as s:
        s.connect(OUTSIDE)


@attempt
def sctp():
    stream(protocol=132).close()


@attempt
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", T["udp_port"]))


@attempt
def icmp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).close()


@attempt
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 255).close()


@attempt
def vsock():
    socket.socket(40, socket.SOCK_STREAM).close()


@attempt
def netlink_generic():
    socket.socket(16, socket.SOCK_RAW, 16).close()


@attempt
def source_routed():
    with stream() as s:
        s.setsockopt(0, 4, bytes([131, 7, 4, 192, 0, 2, 1, 0]))  # IP_OPTIONS, loose source route


@attempt
def unix_path():
    with stream(socket.AF_UNIX) as s:
        s.connect(T["socket"])


@attempt
def unix_path_by_a_link_in_the_workspace():
    os.symlink(T["socket"], "link")
    with stream(socket.AF_UNIX) as s:
        s.connect("link")


@attempt
def unix_path_relative():
    with stream(socket.AF_UNIX) as s:
        s.connect(os.path.relpath(T["socket"]))


@attempt
def unix_path_by_proc():
    with stream(socket.AF_UNIX) as s:
        s.connect("/proc/self/root" + T["socket"])


@attempt
def unix_path_moved_in():
    os.rename(T["socket"], "moved")


@attempt
def unix_path_linked_in():
    os.link(T["socket"], "linked")


@attempt
def unix_abstract():
    with stream(socket.AF_UNIX) as s:
        s.connect("\0" + T["abstract"])


@attempt
def unix_datagrams():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", T["datagrams"])


@attempt
def unix_datagram_pair():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a, b:
        a.sendto(b"x", T["datagrams"])


@attempt
def second_listener():
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    allow = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
    call(317, 277, 1, 8, ctypes.byref(Program(1, allow)))


@attempt
def to_share_a_port_of_the_machine():
    with stream() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(OUTSIDE)


@attempt
def privileged_port():
    if os.geteuid() != 0:
        raise Failed("not root")
    with stream() as s:
        s.bind(("127.0.0.1", 997))


@attempt
def to_listen_on_another_address():
    with stream() as s:
        s.bind((T["address"], 0))
        s.listen()


@attempt
def to_listen_everywhere():
    with stream() as s:
        s.bind(("0.0.0.0", 0))
        s.listen()
        if s.getsockname()[0] == "127.0.0.1":
            raise Failed("on the loopback only")


@attempt
def to_listen_everywhere_by_ipv6():
    with stream(socket.AF_INET6) as s:
        s.bind(("::", 0))
        s.listen()
        if s.getsockname()[0] in ("::1", "::ffff:127.0.0.1"):
            raise Failed("on the loopback only")


@attempt
def to_listen_without_an_address():
    with stream() as s:
        s.listen()
        if s.getsockname()[0] == "127.0.0.1":
            raise Failed("on the loopback only")


@attempt
def to_listen_after_a_race_for_the_address():
    """bind(2) reads the address after we have shown another one: then listen(2) is the wall."""
    unix = struct.pack("=H14s", 1, b"racing")
    inet = struct.pack("=HH4s8x", 2, 0, b"\0\0\0\0")
    memory = ctypes.create_string_buffer(unix, 16)
    stop = threading.Event()

    def flip():
        while not stop.is_set():
            ctypes.memmove(memory, inet, 16)
            ctypes.memmove(memory, unix, 16)

    thread = threading.Thread(target=flip)
    thread.start()
    everywhere = 0
    end = time.monotonic() + 3
    try:
        while not everywhere and time.monotonic() < end:
            with stream() as s:
                libc.bind(s.fileno(), memory, 16)
                try:
                    s.listen()
                except OSError:
                    continue
                everywhere += s.getsockname()[0] == "0.0.0.0"
    finally:
        stop.set()
        thread.join()
    if not everywhere:
        raise Failed("never")


@attempt
def by_changing_the_address_while_the_gate_looks():
    """Another thread turns the port from ours to the outside one and back, all the time."""
    ours = struct.pack("=HH4s8x", 2, socket.htons(T["proxy"]), socket.inet_aton("127.0.0.1"))
    theirs = struct.pack("=HH4s8x", 2, socket.htons(T["port"]), socket.inet_aton("127.0.0.1"))
    memory = ctypes.create_string_buffer(ours, 16)
    stop = threading.Event()

    def flip():
        while not stop.is_set():
            ctypes.memmove(memory, theirs, 16)
            ctypes.memmove(memory, ours, 16)

    thread = threading.Thread(target=flip)
    thread.start()
    reached = allowed = 0
    end = time.monotonic() + 3
    try:
        # Nobody takes the allowed ones: no more than wait for that without holding up the gate.
        while not reached and allowed < 300 and time.monotonic() < end:
            with stream() as s:
                if libc.connect(s.fileno(), memory, 16) == 0:
                    allowed += 1
                    reached += s.getpeername()[1] == T["port"]
    finally:
        stop.set()
        thread.join()
    if not reached:
        raise Failed("never")


@attempt
def signals():
    os.kill(T["pid"], signal.SIGCONT)


@attempt
def limits_of_another_process():
    call(302, 261, T["pid"], 0, 0, 0)


@attempt
def shared_memory_by_number():
    call(30, 196, T["shm"], 0, 0o10000)  # SHM_RDONLY


@attempt
def environment_of_another_process():
    with open(f"/proc/{T['pid']}/environ", "rb") as file:
        file.read(1)


@attempt
def descriptors_of_another_process():
    os.readlink(f"/proc/{T['pid']}/fd/0")


@attempt
def working_directory_of_another_process():
    os.listdir(f"/proc/{T['pid']}/cwd/")


@attempt
def read_the_home():
    os.listdir(T["home"])


@attempt
def truncate_a_file_of_the_account():
    os.truncate(T["file"], 0)


@attempt
def read_a_file_of_the_account():
    with open(T["file"]) as file:
        file.read()


@attempt
def link_a_file_of_the_account():
    os.link(T["file"], "stolen")


print(json.dumps(results))
