"""`taskpass policy accept`: what changed in the person's files is shown, then put in force."""

from __future__ import annotations

import asyncio
import secrets
import sys

from supervisor.cli.approvals import CODE
from supervisor.cli.session import with_client
from supervisor.client import AsyncClient
from supervisor.errors import UsageError


def accept() -> int:
    """Exit codes: 0 in force, 3 left waiting.

    Raises:
        UsageError: there is no terminal to type the code in.
    """
    if not sys.stdin.isatty():
        raise UsageError("A change of policy is accepted in a terminal; there is none here.")
    return with_client(_accept)


async def _accept(client: AsyncClient) -> int:
    change = await client.policy()
    if not change.waits:
        print("Your policy files are in force as they are.")
        return 0
    await client.pair()
    print(change.diff.encode("unicode_escape").decode().replace("\\n", "\n"))
    print("\nOf this, what tightens is in force already. What waits for you:\n")
    for line in change.waits:
        print(f"  {line}")
    code = "".join(secrets.choice(CODE) for _ in range(2))
    question = f"\nType {code} to put it in force, anything else to leave it waiting: "
    typed = await asyncio.to_thread(input, question)
    if typed.strip().upper() != code:
        print("left waiting")
        return 3
    await client.accept_policy(change.digest)
    print("in force for tasks that start from now on")
    return 0
