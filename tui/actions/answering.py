"""Answering approvals."""

from __future__ import annotations

from textual import work

from supervisor.errors import TaskpassError
from supervisor.protocol import wire
from tui.gate import TASK_MINUTES
from tui.screens.always import AlwaysScreen
from tui.screens.inbox import InboxScreen
from tui.trunk import Trunk
from tui.widgets.dock import ApprovalDock


class Answering(Trunk):
    """From the queue and the dock to the supervisor."""

    def action_answer(self) -> None:
        if self.pairing_error is not None:
            self.say(f"This screen may not answer: {self.pairing_error}", bad=True)
        if not self.main.dock.open(self.view()):
            self.say("No approval waits.")

    def action_inbox(self) -> None:
        self.push_screen(InboxScreen(self.view()), self._open)

    def _open(self, approval: str | None) -> None:
        # Meanwhile another screen may have answered it.
        if approval is not None and not self.main.dock.open(self.view(), approval):
            self.say("It waits no more.")

    def action_deny_first(self) -> None:
        pending = self.view().pending
        if not pending:
            self.say("No approval waits.")
            return
        self._answer(pending[0].ids, wire.AnswerApproval(approve=False), "denied")

    def on_approval_dock_answered(self, message: ApprovalDock.Answered) -> None:
        reply, request = message.reply, message.batch.first
        answer = wire.AnswerApproval(
            approve=reply.approve,
            scope=reply.scope,
            minutes=reply.minutes,
            # The gate lets an approval through only after the code was typed.
            code=request.code if reply.approve else "",
            note=message.note,
            freeze=reply.freeze,
        )
        done = "approved" if reply.approve else "denied"
        self._answer(message.batch.ids, answer, done)

    @work(group="always")
    async def on_approval_dock_always_wanted(self, message: ApprovalDock.AlwaysWanted) -> None:
        """Show what would be kept; nothing is answered before the person has seen it."""
        batch = message.batch
        try:
            proposed = await self.client.always(batch.first.id)
        except TaskpassError as error:
            self.say(str(error), bad=True)
            return
        if await self.push_screen_wait(AlwaysScreen(proposed)):
            always = wire.AnswerApproval(approve=True, scope="always")
            self._answer(batch.ids[:1], always, "approved for good")
            same = wire.AnswerApproval(approve=True, scope="task", minutes=TASK_MINUTES)
            self._answer(batch.ids[1:], same, "approved")

    def on_approval_dock_left(self) -> None:
        if self.screen is self.main:
            self.main.back_to_pane()

    def on_approval_dock_shown(self, message: ApprovalDock.Shown) -> None:
        if seen := self.looked_at():
            self.tell_noticed(seen, looked_at=True)

    def on_app_focus(self) -> None:
        self.main.dock.rearm()
        if seen := self.looked_at():
            self.tell_noticed(seen, looked_at=True)

    @work(group="answer")
    async def _answer(self, ids: tuple[str, ...], answer: wire.AnswerApproval, done: str) -> None:
        try:
            if self.pairing_error is not None:
                await self.client.pair()
                self.pairing_error = None
            for approval in ids:
                request = self.world.approvals.get(approval)
                await self.client.answer(approval, answer)
                self.world.approvals.pop(approval, None)
                if request is not None:
                    self.say(f"{done}: {request.title.partition(chr(10))[0][:80]}")
        except TaskpassError as error:
            self.main.dock.failed()
            self.say(str(error), bad=True)
        self.draw()
