"""What a program is told that asks for a log-in: a stand-in, or why there is none.

Nothing real is given here. The stand-in is swapped on the wire, where each request is judged; so
that a refusal is told early and in words, policy is asked once beforehand whether it could be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.calls.egress import Egress
from supervisor.calls.judging import Judge
from supervisor.calls.lending import Lending
from supervisor.calls.narrowing import Narrow
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.errors import Denied, NotAttested, TaskpassError
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import CredentialSpec, Effect, Outcome, Process, Verb
from supervisor.ports import Offer, Offers, Vault
from supervisor.vault.standing import lent_in

# A name that code hosts take with any token: GitHub's own word for it; others look at the token.
_USERNAME = "x-access-token"


@dataclass(frozen=True, slots=True)
class Offering(Offers):
    """See `ports.Offers`."""

    book: Book
    vault: Vault
    judge: Judge
    lending: Lending
    egress: Egress
    records: Recorder
    desk: Desk

    async def offer(self, task: str, ancestry: Sequence[Process], host: str, path: str) -> Offer:
        entry = self.book.require_live(task)
        handle = self.egress.handle_of(task, ancestry)
        # As git begins: with this request.
        effect = Effect(Verb.HTTP, host, {"method": "GET", "path": f"/{path}/info/refs"})
        try:
            call = self._call(task, handle)
            entry = self.book.require_live(call.call.task, call.call.epoch)
            repository = _repository(path)
            spec = self._spec(host, path, entry.task.workspace)
            self._judge(entry, call, effect, spec)
            like = await self.vault.surrogate(spec.name, task)
            self.book.require_live(entry.task.id, call.call.epoch)
            narrow = Narrow(spec.name, call.call.id, host, repository)
            stand_in = self.lending.narrow.give(task, narrow, like)
        except TaskpassError as error:
            with contextlib.suppress(TaskpassError):
                await self.records.refused_use(entry, handle, (effect,), error)
            raise
        return Offer(spec.options.get("username", _USERNAME), stand_in, call.deadline)

    def _call(self, task: str, handle: str) -> CallEntry:
        if not handle:
            raise NotAttested(
                "This comes from a process outside every open tool call.",
                hint="Run it inside one tool call.",
            )
        return self.book.call_by_handle(task, handle)

    def _spec(self, host: str, path: str, workspace: str) -> CredentialSpec:
        """Of several for a host, the one for the owner of the repository."""
        owner = path.partition("/")[0].lower()
        lent = [spec for spec in self.vault.specs() if lent_in(spec, workspace)]
        # Git sends what it is given as `Authorization: Basic`, and as nothing else.
        bound = [
            spec for spec in lent if host in spec.hosts and spec.header.lower() == "authorization"
        ]
        own = [spec for spec in bound if spec.options.get("owner", "").lower() == owner]
        for spec in (*own, *bound):
            if spec in own or not spec.options.get("owner"):
                return spec
        raise Denied(
            f"There is no credential for {host}.",
            hint=f"A person adds one: taskpass credential add NAME --host {host}",
        )

    def _judge(
        self, entry: TaskEntry, call: CallEntry, effect: Effect, spec: CredentialSpec
    ) -> None:
        """Raises Denied: no request there would get it. What asks is asked on the wire."""
        runtime = self.desk.runtimes[entry.task.id]
        decision = self.judge.use(entry, runtime, call, (effect,), spec.name)
        if decision.outcome is Outcome.DENY:
            raise Denied(decision.reason, hint=decision.hint)


def _repository(path: str) -> str:
    """Path of the repository, without what is below it (git-lfs asks with that).

    Raises:
        Denied: git did not say which one.
    """
    repository = path.partition(".git")[0].strip("/")
    if not repository:
        raise Denied(
            "Git does not say for which repository it asks.",
            hint="Leave credential.useHttpPath as it is set for this task.",
        )
    return repository
