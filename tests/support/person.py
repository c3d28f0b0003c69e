"""A person at a paired screen: answers approvals as told on standard input. See `live.Person`."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

from supervisor.client import AsyncClient
from supervisor.protocol import wire


async def main() -> None:
    rules: list[dict[str, Any]] = []
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        for line in sys.stdin:
            rules.append(json.loads(line))
            loop.call_soon_threadsafe(changed.set)

    threading.Thread(target=listen, daemon=True).start()
    client = AsyncClient()
    await client.connect()
    await client.pair()
    waiting: dict[str, Any] = {}

    async def answer() -> None:
        for approval in list(waiting.values()):
            for rule in rules:
                if approval.title.startswith(rule["beginning"]):
                    told = {"approve": True, "code": approval.code} | rule["answer"]
                    del waiting[approval.id]
                    await client.answer(approval.id, wire.AnswerApproval(**told))
                    break

    async def follow() -> None:
        async for event in client.events():
            match event:
                case wire.Snapshot():
                    waiting.update({a.id: a for a in event.approvals})
                case wire.ApprovalAsked():
                    waiting[event.approval.id] = event.approval
                case wire.ApprovalAnswered():
                    waiting.pop(event.id, None)
            await answer()

    async def hear() -> None:
        while True:
            await changed.wait()
            changed.clear()
            await answer()

    await asyncio.gather(follow(), hear())


if __name__ == "__main__":
    asyncio.run(main())
