"""A tree of processes that is hard to end; for a task to run, in a folder with the pipe `crowd`.

All ignore every signal that can be ignored and have left their session and their parent. Some
start anew what has died, some fork copies of themselves faster than they can be listed, one
adopts the orphans. Each holds the pipe open for as long as it lives, and says once that it is
there.
"""

import ctypes
import os
import signal
import time

SLEEPERS, PAIRS, CHAINS = 6, 3, 3
HERE = SLEEPERS + 2 * PAIRS + CHAINS + 1  # processes that say that they are there
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER


def nest() -> None:
    pipe = os.open("crowd", os.O_WRONLY)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP) and not 32 <= number < 34:
            signal.signal(number, signal.SIG_IGN)

    def apart(work) -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setsid()
                os.write(pipe, b"x")
                work()
            os._exit(0)

    def sleep() -> None:
        while True:
            time.sleep(1000)

    def guard(other: int) -> None:
        """Start another one of us whenever the one there was is gone."""
        while True:
            try:
                os.kill(other, 0)
            except ProcessLookupError:
                me = os.getpid()
                other = os.fork()
                if other == 0:
                    os.setsid()
                    other = me
            time.sleep(0.0005)

    def pair() -> None:
        me = os.getpid()
        other = os.fork()
        if other == 0:
            os.setsid()
            os.write(pipe, b"x")
            other = me
        guard(other)

    def chain() -> None:
        """Be another process every 2 ms, and leave one behind that lives a little longer."""
        while True:
            time.sleep(0.002)
            if os.fork():
                os._exit(0)
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.05)
                os._exit(0)

    def adopt() -> None:
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)
        for _ in range(CHAINS):
            apart(chain)
        sleep()

    for _ in range(SLEEPERS):
        apart(sleep)
    for _ in range(PAIRS):
        apart(pair)
    apart(adopt)
    sleep()


if __name__ == "__main__":
    nest()
