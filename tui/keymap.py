"""The leader and what follows it. The only keys ever taken from a focused pane.

`ctrl+\\` twice sends it to the pane. F12 is the same leader for keyboards where a backslash needs
a third finger. Allowing needs a capital in the dock; refusing, freezing and revoking are at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEADERS: Final = frozenset({"ctrl+backslash", "f12"})
LEADER_SHOWN: Final = "^\\"

PANIC_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the leader, the palette and the help know."""

    name: str  # the app's action: `action_<name>`
    key: str  # Textual's key name after the leader
    shown: str  # the key as it is printed
    hint: str  # one or two words for the which-key line
    title: str  # for palette and help
    help: str
    reminded: bool = True  # in the quiet line at the bottom; the others are found by `?`


COMMANDS: Final = (
    Command("answer", "a", "a", "answer", "Answer an approval", "Open the approval dock."),
    Command("deny_first", "d", "d", "deny", "Deny the first approval", "Refusing is always safe."),
    Command("inbox", "i", "i", "inbox", "Inbox", "All that waits for an answer, oldest first.",
            reminded=False),
    Command("next_task", "tab", "tab", "next", "Next task", "Show the next task's pane."),
    Command("tasks", "l", "l", "list", "List the tasks", "Each with its state and what it uses.",
            reminded=False),
    Command("next_tab", "t", "t", "tab", "Next tab", "The tasks of another project.",
            reminded=False),
    Command("previous_tab", "T", "T", "tab back", "Previous tab", "", reminded=False),
    Command("zoom", "z", "z", "zoom", "Zoom", "Give the pane the whole screen, or back."),
    Command("grants", "g", "g", "grants", "Grants", "Live grants; x there revokes one."),
    Command("history", "h", "h", "history", "History", "Every record, with the chain's state."),
    Command("find", "slash", "/", "find", "Find in the pane",
            "Search all that the agent has shown; n and N go on.", reminded=False),
    Command("copy_mode", "left_square_bracket", "[", "copy", "Read back and copy",
            "Scroll, select and copy with keys; the mouse selects at any time.", reminded=False),
    Command("link", "o", "o", "open link", "Open a link",
            "Shows where the agent's link leads before it is opened.", reminded=False),
    Command("clipboard", "y", "y", "clipboard", "Answer for the clipboard",
            "What an agent wants to put on your clipboard, shown in full.", reminded=False),
    Command("changes", "c", "c", "changes", "Review changes",
            "What a task changed in its overlay; apply or drop it.", reminded=False),
    Command("new_task", "n", "n", "new", "New task", "Start an agent under supervision."),
    Command(
        "freeze", "f", "f", "freeze", "Freeze or thaw the task",
        "Stop its processes and its access where they are; again lets it go on.",
    ),
    Command(
        "revoke", "x", "x", "revoke", "Revoke the task",
        "All its access ends now and its processes are ended. Asks nothing, cannot be undone.",
    ),
    Command(
        "panic", "X", "X", "freeze all", "Freeze everything",
        "Every task stops; X again within 5 s revokes every task.",
    ),
    Command("identity", "I", "I", "identity", "Identity", "The four parts and their evidence.",
            reminded=False),
    Command("unlock", "u", "u", "unlock", "Unlock the secrets",
            "Give the passphrase that they are locked by.", reminded=False),
    Command("palette", "colon", ":", "palette", "Command palette", "Find a command by name.",
            reminded=False),
    Command("detach", "q", "q", "quit", "Quit the screen", "Tasks go on; `taskpass` returns."),
    Command("help", "question_mark", "?", "help", "Help", "This page."),
)  # fmt: skip

BY_KEY: Final = {command.key: command for command in COMMANDS}
