"""Runs as the agent, inside the task: tries each way to the supervisor; prints what came of it.

Standard library only. Each attack returns when it has succeeded and raises when it has not.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform
import signal
import socket
import sys

T = json.loads(sys.argv[1])
ARM = platform.machine() == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
results = {}


class Failed(Exception):
    pass


def attack(function):
    try:
        function()
        results[function.__name__] = "succeeded"
    except OSError as error:
        results[function.__name__] = errno.errorcode.get(error.errno, str(error))
    except Failed as error:
        results[function.__name__] = str(error) or "failed"


def call(x86, arm, *arguments):
    # Whole words: what lies on the stack beside an int would otherwise be part of the argument.
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if libc.syscall(ctypes.c_long(arm if ARM else x86), *words) < 0:
        raise OSError(ctypes.get_errno(), "syscall")


def holds_needle(data):
    if T["needle"].encode() not in data:
        raise Failed("no needle")


@attack
def read_key_file():
    with open(T["state"] + "/key", "rb") as file:
        holds_needle(file.read())


@attack
def tamper_with_ledger():
    with open(T["state"] + "/ledger", "ab") as file:
        file.write(b"x")


@attack
def tamper_with_code():
    with open(T["state"] + "/code.py", "ab") as file:
        file.write(b"x")


@attack
def see_state_directory():
    os.listdir(T["state"])


@attack
def supervisor_socket():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(T["socket"])


@attack
def abstract_socket():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0" + T["abstract"])


@attack
def host_loopback():
    socket.create_connection(("127.0.0.1", T["port"]), 2).close()


@attack
def proxy_port_of_another_address():
    """A rule by port alone would let through what listens there elsewhere."""
    with open("proxy-port") as file:
        port = int(file.read())
    socket.create_connection((T["address"], port), 2).close()


@attack
def udp_to_loopback():
    """Whether it arrived is for the receiver to say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(T["needle"].encode(), ("127.0.0.1", T["udp"]))


@attack
def fast_open_to_loopback():
    """Data with the first packet, and no connect(2)."""
    with socket.socket() as s:
        s.sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", T["port"]))


@attack
def multipath_to_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:
        s.settimeout(2)
        s.connect(("127.0.0.1", T["port"]))


@attack
def inherited_descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            data = os.pread(int(name), 4096, 0)
        except OSError:
            continue
        if T["needle"].encode() in data:
            return
    raise Failed("nothing inherited")


def only_contained():
    """Tests send nothing beyond the loopback, and only a container keeps that from happening."""
    if not T["contained"]:
        raise Failed("not tried")


@attack
def udp_out():
    """Refused where nothing routes it, or by an answer from within; silence is the way out."""
    only_contained()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect(("192.0.2.1", 53))
        s.send(b"x")
        try:
            s.recv(64)
        except TimeoutError:
            return
        raise Failed("answered within")


@attack
def tcp_out():
    only_contained()
    socket.create_connection(("192.0.2.1", 4444), 0.5).close()


def _sees_supervisor():
    """Pids are the task's own: the supervisor's number may belong to nobody, or to one of us."""
    with open(f"/proc/{T['pid']}/cmdline", "rb") as file:
        if T["title"].encode() not in file.read():
            raise Failed("not visible")


@attack
def see_supervisor():
    _sees_supervisor()


@attack
def signal_supervisor():
    _sees_supervisor()
    os.kill(T["pid"], signal.SIGCONT)


@attack
def supervisor_descriptor():
    with open(f"/proc/{T['pid']}/fd/{T['fd']}", "rb") as file:
        holds_needle(file.read())


@attack
def supervisor_environment():
    _sees_supervisor()
    with open(f"/proc/{T['pid']}/environ", "rb") as file:
        if not file.read():
            raise Failed("empty")


@attack
def supervisor_memory():
    _sees_supervisor()
    with open(f"/proc/{T['pid']}/mem", "rb"):
        pass


@attack
def supervisor_memory_by_call():
    _sees_supervisor()
    buffer = ctypes.create_string_buffer(1)
    # A page of every program of this interpreter; nowhere mapped there: EFAULT, and that is read.
    near = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 1)
    try:
        call(310, 270, T["pid"], near, 1, near, 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


@attack
def trace_supervisor():
    _sees_supervisor()
    child = os.fork()
    if child == 0:  # what it traces goes on when it ends
        try:
            call(101, 117, 0x4206, T["pid"], 0, 0)
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "ptrace")


@attack
def supervisor_descriptor_by_pidfd():
    _sees_supervisor()
    pidfd = os.pidfd_open(T["pid"])
    call(438, 438, pidfd, T["fd"], 0)


@attack
def ptrace():
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        call(101, 117, 0x4206, child, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)


@attack
def process_vm_readv():
    buffer = ctypes.create_string_buffer(16)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 16)
    call(310, 270, os.getpid(), vector, 1, vector, 1, 0)


@attack
def pidfd_getfd():
    pidfd = os.pidfd_open(os.getpid())
    call(438, 438, pidfd, 0, 0)


@attack
def io_uring():
    call(425, 425, 4, ctypes.create_string_buffer(120))


@attack
def session_keyring():
    call(250, 219, 0, -3, 1)


@attack
def perf_events():
    call(298, 241, 0, 0, -1, -1, 0)
    raise Failed("no")


@attack
def new_user_namespace():
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "unshare")


@attack
def new_user_namespace_by_clone():
    child = libc.syscall(ctypes.c_long(220 if ARM else 56), 0x10000000 | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    os.waitpid(child, 0)


@attack
def clone3():
    call(435, 435, 0, 0)


@attack
def mount():
    # Nowhere: the filter answers before the kernel looks, and uncontained nothing is mounted.
    if libc.mount(b"none", b"/no/such/place", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


@attack
def vsock():
    socket.socket(40, socket.SOCK_STREAM).close()


@attack
def packet_socket():
    socket.socket(17, socket.SOCK_DGRAM).close()


@attack
def sock_diag():
    socket.socket(16, socket.SOCK_RAW, 4).close()


@attack
def alg_socket():
    socket.socket(38, socket.SOCK_SEQPACKET).close()


@attack
def type_into_terminal():
    # With no terminal at hand the filter still answers first: EPERM, not ENOTTY.
    with open(os.devnull) as null:
        fcntl.ioctl(null, 0x5412, b"x")


@attack
def plant_in_home():
    """Whether it is there is for somebody outside to say."""
    with open(T["planted"], "w") as file:
        file.write("evil")


@attack
def session_bus():
    os.listdir(f"/run/user/{os.getuid()}")


@attack
def shadow():
    os.stat("/etc/shadow")


@attack
def write_system():
    only_contained()
    with open("/usr/taskpass-was-here", "w"):
        pass


print(json.dumps(results))
