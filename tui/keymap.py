"""The leader and what follows it. The only keys ever taken from a focused pane.

`ctrl+\\` twice sends it to the pane. F12 is always a leader too: for keyboards where a backslash
needs a third finger, and for the day a captured leader does not arrive. Allowing needs a capital
in the dock; refusing, freezing and revoking are at hand.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from textual.keys import REPLACED_KEYS, Keys, _character_to_key, key_to_character

from supervisor.errors import UsageError

SECOND_LEADER: Final = "f12"
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
    Command("previous_task", "shift+tab", "⇧tab", "previous", "Previous task",
            "Show the pane of the task before.", reminded=False),
    Command("jump", "j", "j", "jump", "Jump", "A letter on everything that can be clicked.",
            reminded=False),
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


@dataclass(frozen=True, slots=True)
class Preset:
    """Keys that another program's fingers know; what it does not name has its usual key."""

    about: str
    leader: str = "ctrl+backslash"
    keys: Mapping[str, str] = field(default_factory=dict)  # name of a command → key


PRESETS: Final = {
    "default": Preset("one letter for each word"),
    "vim": Preset("j and k go through the tasks", keys={
        "next_task": "j", "previous_task": "k", "jump": "s", "new_task": "e",
    }),
    "tmux": Preset("ctrl+b, then tmux's own keys", leader="ctrl+b", keys={
        "next_task": "n", "previous_task": "p", "new_task": "c", "detach": "d", "jump": "q",
        "deny_first": "r", "changes": "v",
    }),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys in force. Made by `keymap`, which has checked them."""

    leader: str  # Textual's name
    commands: tuple[Command, ...]

    @property
    def leader_shown(self) -> str:
        return shown(self.leader)

    @property
    def leader_spoken(self) -> str:
        """The leader in words, for who reads `^\\` for the first time."""
        return self.leader.replace("+", " and ")

    def leads(self, key: str) -> bool:
        return key in (self.leader, SECOND_LEADER)

    def follows(self, key: str) -> Command | None:
        """The command of a key that came after the leader."""
        return next((each for each in self.commands if each.key == key), None)

    def chord(self, name: str) -> str:
        """How a command is reached, as it is printed: `^\\ a`."""
        return f"{self.leader_shown} {self.command(name).shown}"

    def command(self, name: str) -> Command:
        return next(each for each in self.commands if each.name == name)


_SIGNS: Final = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "enter": "⏎", "backspace": "⌫",
    "delete": "del", "escape": "esc", "space": "space", "tab": "tab",
}  # fmt: skip
_MODIFIERS: Final = {"ctrl": "^", "alt": "alt+", "shift": "⇧"}
_KEY_NAMES: Final = frozenset(key.value for key in Keys)
_NEVER_AFTER: Final = frozenset("123456789") | {"escape"}  # tasks by number; leaving
# What typing, and ending what runs, cannot do without; ctrl+[ is escape, ctrl+i tab, ctrl+m enter.
_NEVER_LEADERS: Final = frozenset(
    {"ctrl+c", "ctrl+d", "ctrl+m", "ctrl+i", "ctrl+j", "ctrl+h", "ctrl+left_square_bracket"}
)


def shown(key: str) -> str:
    """A key as it is printed: `^\\`, `^b`, `F12`, `⇧tab`, `?`."""
    *modifiers, last = key.split("+")
    name = _SIGNS.get(last) or _character(last) or last
    if _is_function_key(last):
        name = last.upper()
    return "".join(_MODIFIERS[each] for each in modifiers) + name


def key_shown(printed: str) -> str:
    """The key that `shown` prints so; "" for what is no single key, as `↑↓` or `1-9`."""
    for name, sign in _SIGNS.items():
        if printed == sign:
            return name
    written = printed
    if len(printed) > 1:
        written = printed.replace("^", "ctrl+").replace("⇧", "shift+")
    try:
        return key_named(written)
    except UsageError:
        return ""


def _character(name: str) -> str:
    """What a key without modifiers types; "" for one that types nothing."""
    return key_to_character(REPLACED_KEYS.get(name, name)) or ""


def _is_function_key(name: str) -> bool:
    return name[0] == "f" and name[1:].isdecimal()


def key_named(written: str) -> str:
    """Textual's name of a key as a person writes it: `ctrl+\\`, `?`, `F5`, `shift+tab`, `X`.

    Raises:
        UsageError: there is no such key.
    """
    before, _, last = written.rpartition("+") if not written.endswith("+") else (
        written[:-1].rstrip("+"), "", "+"
    )  # fmt: skip
    modifiers = [each.strip().lower() for each in before.split("+") if each]
    last = last.strip() or last
    if len(last) == 1:
        known = last.isprintable() if last.isascii() else last.isalpha() and not modifiers
        last = last.lower() if modifiers and last.isalpha() else _character_to_key(last)
    else:
        last = last.lower()
        known = last in _KEY_NAMES or bool(_character(last))
    if not known or not set(modifiers) <= set(_MODIFIERS):
        raise UsageError(
            f"There is no key {written!r}.",
            hint="Write it as ctrl+b, F5, shift+tab, ?, or one letter.",
        )
    return "+".join((*(each for each in _MODIFIERS if each in modifiers), last))


def leader_named(written: str) -> str:
    """A key that may be the leader.

    Raises:
        UsageError: there is no such key, or agents would miss it.
    """
    key = key_named(written)
    *modifiers, last = key.split("+")
    if not _is_function_key(last) and not {"ctrl", "alt"} & set(modifiers):
        raise UsageError(
            f"{written!r} alone cannot be the leader: no agent would get it any more.",
            hint="Take ctrl or alt with another key, or a function key.",
        )
    if key in _NEVER_LEADERS:
        raise UsageError(
            f"{written!r} cannot be the leader: programs in panes cannot do without it.",
            hint="Take another key, such as ctrl+\\, ctrl+b or F12.",
        )
    return key


def keymap(
    preset: str = "default", leader: str = "", keys: Mapping[str, str] | None = None
) -> Keymap:
    """The keys of a preset, with those that the person gives instead.

    Args:
        leader: "" for the preset's own.
        keys: name of a command (`next_task`, or `next-task`) → key, both as they are written.

    Raises:
        UsageError: no such preset, command or key; a key that has two commands.
    """
    if preset not in PRESETS:
        raise UsageError(
            f"There is no keymap {preset!r}.", hint=f"There are: {', '.join(PRESETS)}."
        )
    chosen = PRESETS[preset]
    leads = leader_named(leader or chosen.leader)
    names = {command.name for command in COMMANDS}
    wanted: dict[str, str] = {}
    for written, key in (keys or {}).items():
        name = written.replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            every = ", ".join(sorted(names))
            raise UsageError(
                f"There is no action {written!r}.",
                hint=f"Is {near[0]!r} meant?" if near else f"There are: {every}.",
            )
        wanted[name] = key_named(key)
    given = {name: key_named(key) for name, key in chosen.keys.items()} | wanted
    taken: dict[str, str] = {}
    commands = []
    for command in COMMANDS:
        key = given.get(command.name, command.key)
        if key in _NEVER_AFTER:
            raise UsageError(
                f"{shown(key)} cannot be the key of {command.name!r}: after the leader it "
                + ("leaves." if key == "escape" else "shows a task."),
                hint="Choose another key.",
            )
        if key in (leads, SECOND_LEADER):
            raise UsageError(
                f"{shown(key)} cannot be the key of {command.name!r}: it is the leader, which "
                "twice goes to the agent.",
                hint="Choose another key.",
            )
        if key in taken:
            raise UsageError(
                f"The key {shown(key)} is taken twice: by {taken[key]!r} and {command.name!r}.",
                hint="Give one of them another key.",
            )
        taken[key] = command.name
        commands.append(replace(command, key=key, shown=shown(key)))
    return Keymap(leads, tuple(commands))


DEFAULT: Final = keymap()
