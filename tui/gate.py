"""The rules by which keys become an answer to an approval. Pure: time comes in with each key.

The rules (reference: the nine approval rules in SECURITY.md): nothing is preselected; Enter,
Space, `y` and digits never answer; a key counts only if it was pressed after the gate armed;
the gate arms `ARM_SECONDS` after its content was shown, and again whenever the content changes
or the terminal regains focus; an approval needs the end of the content to have been shown, and
for high risk the code typed, of which a wrong one disarms; refusals are lower case, approvals
capitals; an approval for the task lasts the shortest time unless the person lengthens it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from supervisor.model import Scope

ARM_SECONDS: Final = 0.5
# How long an approval for the task may be made to last; the shortest is where it starts.
TASK_STEPS: Final = (15, 30, 60, 120, 240, 480)
TASK_MINUTES: Final = TASK_STEPS[0]


class Move(Enum):
    """What a key asks for besides an answer."""

    NOTE = auto()  # write a note, then deny with it
    LEAVE = auto()  # back to the pane
    ALWAYS = auto()  # see the rule that would answer this for good


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's answer to what the gate shows."""

    approve: bool
    scope: Scope = Scope.ONCE
    freeze: bool = False
    minutes: int = TASK_MINUTES  # for `Scope.TASK`


class Gate:
    """One gate in front of one shown request. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._content: Hashable = None
        self._armed_at = float("inf")
        self._code = ""
        self._typed = ""
        self._end_seen = False
        self._step = 0  # in TASK_STEPS
        self.code_refused = False  # the last code typed was a wrong one

    def show(self, content: Hashable, code: str, now: float) -> bool:
        """Say what is on show. A change starts everything anew; returns whether it was one."""
        if content == self._content:
            return False
        self._content = content
        self._code = code.upper()
        self._typed = ""
        self._end_seen = False
        self._step = 0
        self.code_refused = False
        self.rearm(now)
        return True

    def rearm(self, now: float) -> None:
        """The person may just have come back: what was typed up to here does not count."""
        self._armed_at = now + ARM_SECONDS
        self._typed = ""

    def reached_end(self) -> None:
        """The last line of the content has been on the screen."""
        self._end_seen = True

    def arms_in(self, now: float) -> float:
        """Seconds until keys count; 0 when they do."""
        return max(0.0, self._armed_at - now)

    @property
    def end_seen(self) -> bool:
        return self._end_seen

    @property
    def minutes(self) -> int:
        """How long an approval for the task would last."""
        return TASK_STEPS[self._step]

    @property
    def code_typed(self) -> str:
        return self._typed

    @property
    def code_needed(self) -> bool:
        return self._typed != self._code

    def may_approve(self, now: float) -> bool:
        return not self.arms_in(now) and self._end_seen and not self.code_needed

    def press(self, key: str, character: str | None, at: float) -> Reply | Move | None:
        """Take one key, pressed at `at`; None when it means nothing here."""
        if key == "escape":
            return Move.LEAVE
        if at < self._armed_at:
            return None
        if key == "backspace":
            self._typed = self._typed[:-1]
            return None
        match character:
            case "d":
                return Reply(approve=False)
            case "n":
                return Move.NOTE
            case "f":
                return Reply(approve=False, freeze=True)
            case "+" | "=":  # the same key, with shift and without
                self._step = min(self._step + 1, len(TASK_STEPS) - 1)
                return None
            case "-" | "_":
                self._step = max(self._step - 1, 0)
                return None
        if self.code_needed:
            self._type(character, at)
            return None
        if self.may_approve(at):
            match character:
                case "O":
                    return Reply(approve=True)
                case "T":
                    return Reply(approve=True, scope=Scope.TASK, minutes=self.minutes)
                case "A":
                    return Move.ALWAYS
        return None

    def _type(self, character: str | None, at: float) -> None:
        if character is None or not (character.isascii() and character.isalnum()):
            return
        # A lower-case `d`, `n` or `f` has already been taken as a refusal.
        typed = self._typed + character.upper()
        if character in ("O", "T", "A") and not self._code.startswith(typed):
            return  # whoever approves too early has not tried a code
        self.code_refused = not self._code.startswith(typed)
        self._typed = typed
        if self.code_refused:
            self.rearm(at)  # who types at random does not come upon it
