"""A task in a terminal."""

from __future__ import annotations

import asyncio
from typing import Any

from supervisor.process.holder import screen_token
from supervisor.protocol import holder_wire
from tests.support.task_driver.driver import DECODER, PATIENCE, TOKEN, Driver

_PROMPT = """
tty; stty size
trap 'echo interrupted; exit 5' INT
echo ready
while :; do sleep 0.1; done
"""


async def terminal(driver: Driver) -> dict[str, Any]:
    """A pane: the agent has a controlling terminal, and ctrl+c is its own."""
    await driver.spawn(("/bin/sh", "-c", _PROMPT), pty=True, cols=70, rows=20)
    reader = await driver.adopt()
    screen, keys = await asyncio.open_unix_connection(driver.socket)
    keys.write(holder_wire.frame(holder_wire.Attach(token=screen_token(TOKEN), cols=70, rows=20)))
    rows: dict[int, str] = {}
    await _shown(screen, rows, "ready")
    keys.write(holder_wire.frame(holder_wire.Key(key="ctrl+c")))
    exited = await driver.next(reader, holder_wire.Exited)
    # The last screen stays for who is attached until the daemon says Kill.
    text = await _shown(screen, rows, "interrupted")
    await driver.kill(reader)
    keys.close()
    return {"screen": text, "exit_code": exited.code}


async def _shown(screen: asyncio.StreamReader, rows: dict[int, str], wanted: str) -> str:
    """The screen's text once it shows `wanted`; `rows` is what it showed so far."""
    async with asyncio.timeout(PATIENCE):
        while wanted not in (text := "\n".join(rows[y] for y in sorted(rows))):
            header = await screen.readexactly(4)
            message = DECODER.decode(await screen.readexactly(holder_wire.frame_length(header)))
            if isinstance(message, holder_wire.Screen):
                rows |= {y: "".join(run[0] for run in row) for y, row in message.rows.items()}
    return text
