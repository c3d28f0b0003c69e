"""The person of the demo without a terminal: answers as its script says, from a screen of its own.

Only a program with a terminal may answer approvals, so this one is given one: it is started with
the descriptor of a terminal, and makes it its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from supervisor.client import AsyncClient
from supervisor.model import ApprovalRequest
from supervisor.protocol import wire

# What is asked begins so → the answer.
SCRIPT = {
    "POST": wire.AnswerApproval(approve=True),
    "DELETE": wire.AnswerApproval(approve=False, note="Close the ticket instead."),
}


@contextmanager
def scripted_person() -> Iterator[None]:
    """Somebody at a screen, for as long as the block lasts."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", __name__, str(slave)],
        stdin=subprocess.DEVNULL,
        pass_fds=(slave,),
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        os.close(master)


async def answer_all(client: AsyncClient) -> None:
    """Answer what is asked until the supervisor ends."""
    await client.connect()
    await client.pair()
    async for event in client.events():
        match event:
            case wire.Snapshot(approvals=waiting):
                for request in waiting:
                    await _answer(client, request)
            case wire.ApprovalAsked(approval=request):
                await _answer(client, request)


async def _answer(client: AsyncClient, request: ApprovalRequest) -> None:
    for beginning, answer in SCRIPT.items():
        if request.title.startswith(beginning):
            import msgspec

            coded = msgspec.structs.replace(answer, code=request.code)
            await client.answer(request.id, coded)


if __name__ == "__main__":
    os.login_tty(int(sys.argv[1]))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(answer_all(AsyncClient()))
