"""`taskpass approve`: answer from a plain terminal outside every task, with a typed code."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from supervisor.cli.session import with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.model import ApprovalRequest
from supervisor.wire import AnswerApproval

CODE = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


def main(command: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="taskpass approve")
    parser.add_argument("id", nargs="?", default="", help="the approval; else the oldest")
    parser.add_argument("--deny", action="store_true", help="deny it")
    parser.add_argument("--note", default="", help="words for the agent, with a denial")
    options = parser.parse_args(words)
    if not sys.stdin.isatty():
        raise UsageError("An approval is typed in a terminal; there is none here.")
    return with_client(lambda client: _answer(client, options))


async def _answer(client: AsyncClient, options: argparse.Namespace) -> int:
    waiting = (await client.snapshot()).approvals
    chosen = [a for a in waiting if a.id.startswith(options.id)] if options.id else waiting[:1]
    if not chosen:
        raise NotFound("Nothing is waiting for an answer.", hint="See `taskpass history`.")
    if len(chosen) > 1:
        raise UsageError(f"{options.id} could be {', '.join(a.id for a in chosen)}.")
    approval = chosen[0]
    await client.pair()
    if options.deny:
        await client.answer(approval.id, AnswerApproval(approve=False, note=options.note))
        print("denied")
        return 0
    _show(approval)
    code = approval.code or "".join(secrets.choice(CODE) for _ in range(2))
    question = f"Type {code} to approve once, anything else to leave it waiting: "
    typed = await asyncio.to_thread(input, question)
    if typed.strip().upper() != code:
        print("left waiting")
        return 3
    await client.answer(approval.id, AnswerApproval(approve=True, code=approval.code))
    print("approved once")
    return 0


def _show(approval: ApprovalRequest) -> None:
    visible = approval.title.encode("unicode_escape").decode().replace("\\n", "\n")
    print(f"{approval.id}  task {approval.task}  risk {approval.risk}\n\n{visible}\n")
    for effect in approval.effects:
        print(f"  effect  {effect.label}")
    print(f"  why     {approval.reason} [{', '.join(approval.asking)}]")
    if approval.credential:
        print(f"  lends   {approval.credential}")
    if approval.agent_note:
        print(f"  agent says (untrusted)  {approval.agent_note!r}")
