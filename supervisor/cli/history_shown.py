"""`taskpass history --record`, `--replay`, `--figures` and `--timeline`: printed for people."""

from __future__ import annotations

import time
from typing import Any

from supervisor.cli.history import latest, query_of, safe
from supervisor.cli.session import print_json, with_client
from supervisor.client import AsyncClient
from supervisor.protocol.review import HASTE, FiguresView, ReplayView, TimelineView
from supervisor.review.words import local_time

_BARS = " ▁▂▃▄▅▆▇█"
_JUDGED = ("call.opened", "call.denied", "approval.asked", "use.allowed", "use.denied",
           "use.intent")  # fmt: skip
_BATCH = 200


def record(seq: int, as_json: bool) -> int:
    """All of one record and what backs it; 1 where its chain is broken."""
    proof = with_client(lambda client: client.proof(seq))
    if as_json:
        print_json(proof)
        return int(proof.standing == "broken")
    for name, value in proof.record.items():
        print(f"{name:<14} {local_time(name, value) or _plain(value)}")
    print(f"\n{'proof':<14} {proof.standing}: {proof.message}")
    if proof.head is not None:
        at = local_time("time", proof.head.time)
        print(f"{'checkpoint':<14} {proof.head.number}, over record {proof.head.seq}, {at}")
        print(f"{'signature':<14} {proof.head.signature}")
    print(f"{'signed by':<14} {proof.key}")
    return int(proof.standing == "broken")


def replay(words: list[str], limit: int, as_json: bool) -> int:
    """What would be decided today about the records that match."""

    async def ask(client: AsyncClient) -> list[ReplayView]:
        query = f"{await query_of(client, words)} kind:{','.join(_JUDGED)}"
        found = await latest(client, query, limit)
        seqs = [int(each["seq"]) for each in found]
        views: list[ReplayView] = []
        for at in range(0, len(seqs), _BATCH):
            views += await client.replay(seqs[at : at + _BATCH])
        return views

    views = with_client(ask)
    if as_json:
        for view in views:
            print_json(view)
        return 0
    if not views:
        print("No decision matches. Say less, or see `taskpass history --help`.")
        return 0
    unread = sum(not view.now for view in views)
    for view in views:
        if not view.now:
            print(f"{view.seq:>6}  {view.then:<5} → ?      {safe(view.title)[:70]}")
            print(f"        {safe(view.problem)}")
        elif len(views) == 1 or not view.same:
            print(f"{view.seq:>6}  {view.then:<5} → {view.now:<5}  {safe(view.title)[:70]}")
            print(f"        then  {', '.join(view.then_rules) or 'no rule'}")
            print(
                f"        now   {', '.join(view.now_rules) or 'no rule'}: {safe(view.now_reason)}"
            )
            if view.now_hint:
                print(f"        → {safe(view.now_hint)}")
    changed = sum(bool(view.now) and not view.same for view in views)
    print(
        f"{len(views)} judged again: {changed} would be decided otherwise, {unread} cannot be read."
    )
    return 0


def figures(words: list[str], as_json: bool) -> int:
    """How well questions are answered."""

    async def ask(client: AsyncClient) -> FiguresView:
        return await client.figures(await query_of(client, words))

    told = with_client(ask)
    if as_json:
        print_json(told)
        return 0
    print(f"calls               {told.calls}")
    print(f"questions           {told.asked}, {told.high_risk} of high risk")
    print(f"per 100 calls       {told.per_100_calls:.1f}")
    print(f"approved            {told.approved}")
    print(f"denied              {told.denied}")
    print(f"not answered        {told.expired} in time, {told.withdrawn} withdrawn")
    if told.waiting:
        print(f"waiting             {told.waiting}")
    print(f"time to approve     p50 {told.approve_p50:.1f} s, p95 {told.approve_p95:.1f} s")
    print(f"rubber stamps       {told.rubber_stamps:.0%} of approvals, within {HASTE:.0f} s")
    if not told.asked:
        print("\nNobody was asked anything yet: these figures begin with the first question.")
    for number, rule in enumerate(told.by_rule):
        if not number:
            print(f"\n{'asked':>6} {'yes':>5} {'no':>5} {'hasty':>6} {'p50':>8}  rule")
        print(
            f"{rule.asked:>6} {rule.approved:>5} {rule.denied:>5} {rule.hasty:>6} "
            f"{rule.p50:>7.1f}s  {rule.rule}"
        )
    return 0


def timeline(words: list[str], as_json: bool) -> int:
    """How much happened when, as bars."""

    async def ask(client: AsyncClient) -> TimelineView:
        return await client.timeline(await query_of(client, words))

    told = with_client(ask)
    if as_json:
        print_json(told)
        return 0
    if not told.records:
        print("No record matches. Say less, or see `taskpass history --help`.")
        return 0
    form = "%m-%d %H:%M"
    start, end = (time.strftime(form, time.localtime(at)) for at in (told.start, told.end))
    rows = (("records", told.records), ("asked", told.asked), ("refused", told.refused),
            ("incidents", told.incidents))  # fmt: skip
    for name, counts in rows:
        print(f"{name:<10} {bars(counts)} {sum(counts):>7}")
    print(f"{'':<10} {start}{end:>{len(told.records) - len(start)}}")
    return 0


def bars(counts: tuple[int, ...]) -> str:
    """Counts as a line of bars; what is there at all shows."""
    most = max(counts, default=0) or 1
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


def _plain(value: Any) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return safe(text)
