"""The Textual app in its two shapes. A client of the supervisor that may come and go.

What it does is in `tui.actions`, by subject; what that stands on, in `tui.trunk`.
"""

from __future__ import annotations

from tui.actions.access import Access
from tui.actions.answering import Answering
from tui.actions.habits import Habits
from tui.actions.in_pane import InPane
from tui.actions.leading import Leading
from tui.actions.reviewing import Reviewing
from tui.actions.secrets import Secrets
from tui.actions.tasks import Tasks


class TaskpassApp(Leading, Answering, Access, InPane, Reviewing, Secrets, Tasks, Habits):
    """`shape="run"`: one agent fills the terminal; `return_value` is its exit code, and None
    when the person left while it goes on. `shape="workspace"`: all tasks.
    """

    TITLE = "taskpass"
