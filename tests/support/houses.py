"""A home with a workspace in it, and the policy as it is shipped."""

from __future__ import annotations

from pathlib import Path

from profiles import all_profiles
from supervisor.model import Outcome
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluation, Evaluator

ENGINE = CedarEngine.load()


class House:
    """A home with a workspace in it, and the policy that is in force there."""

    def __init__(self, root: Path, contained: bool) -> None:
        # Below the home directory, so it is no place for temporary files.
        self.home = root / "home"
        self.workspace = self.home / "ws"
        self.workspace.mkdir(parents=True)
        (self.workspace / ".git").mkdir()
        (self.home / ".ssh").mkdir()
        (self.home / ".ssh" / "id_ed25519").write_text("key")
        self.contained = contained
        self.evaluator = Evaluator(
            ENGINE, contained, str(self.workspace), str(self.home), all_profiles()
        )

    def judge(self, command: str) -> Evaluation:
        return self.evaluator.evaluate({"command": command})

    def outcome(self, command: str) -> Outcome:
        return self.judge(command).decision

    def refused(self, command: str) -> bool:
        return self.outcome(command) is Outcome.DENY

    def held(self, command: str) -> bool:
        """Not simply allowed: denied, asked, or contained without any lease."""
        found = self.judge(command)
        return found.decision is not Outcome.ALLOW or (self.contained and not found.lease)
