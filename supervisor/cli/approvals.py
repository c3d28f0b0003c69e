"""`taskpass approvals list|approve|deny`: what waits for a person, without a screen.

An approval is typed, with a code, in a terminal outside every task. A denial needs neither.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from supervisor.cli.session import print_json, with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.model import ApprovalRequest
from supervisor.protocol.wire import AnswerApproval

CODE = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass approvals", description="What waits for a person's answer."
    )
    verbs = made.add_subparsers(dest="verb", required=True)
    listed = verbs.add_parser("list", help="what waits, oldest first")
    listed.add_argument("--json", action="store_true", help="machine-readable")
    approve = verbs.add_parser("approve", help="approve one request once, with a typed code")
    deny = verbs.add_parser("deny", help="deny one")
    for each in (approve, deny):
        each.add_argument("id", nargs="?", default="", help="which one; else the oldest")
    deny.add_argument("--note", default="", help="words for the agent")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if options.verb == "list":
        return _list(options.json)
    if not sys.stdin.isatty():
        raise UsageError("An answer is typed in a terminal; there is none here.")
    return with_client(lambda client: _answer(client, options))


def _list(as_json: bool) -> int:
    snapshot = with_client(lambda client: client.snapshot())
    if as_json:
        print_json({"schema_version": 1, "approvals": snapshot.approvals})
        return 0
    if not snapshot.approvals:
        print("Nothing waits for an answer.")
    for each in snapshot.approvals:
        first = visible(each.title).partition("\n")[0]
        left = max(0, int(each.expires - snapshot.now))
        print(f"{each.id}  {each.task}  risk {each.risk:<7} {left // 60}m{left % 60:02d}s  {first}")
    return 0


async def _answer(client: AsyncClient, options: argparse.Namespace) -> int:
    waiting = (await client.snapshot()).approvals
    chosen = [a for a in waiting if a.id.startswith(options.id)] if options.id else waiting[:1]
    if not chosen:
        raise NotFound("Nothing is waiting for an answer.", hint="See `taskpass history`.")
    if len(chosen) > 1:
        raise UsageError(f"{options.id} could be {', '.join(a.id for a in chosen)}.")
    approval = chosen[0]
    await client.pair()
    if options.verb == "deny":
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
    print(
        f"{approval.id}  task {approval.task}  risk {approval.risk}\n\n{visible(approval.title)}\n"
    )
    rows = [("in", approval.cwd), *(("effect", effect.label) for effect in approval.effects)]
    rows.append(("why", f"{approval.reason} [{', '.join(approval.asking)}]"))
    rows += [("lends", approval.credential), *(("change", one) for one in approval.change)]
    rows.append(("agent says (untrusted)", approval.agent_note))
    rows += [("given", approval.arguments), ("diff", f"\n{approval.diff}".rstrip())]
    for label, value in rows:
        if value:
            print(f"  {label:<7} {visible(value)}")


def visible(text: str) -> str:
    """Nothing in it acts on a terminal; line breaks stay."""
    return text.encode("unicode_escape").decode().replace("\\n", "\n")
