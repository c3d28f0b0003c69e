"""What programs draw is shown as tmux shows it: the same bytes, compared cell by cell.

vim, less, htop, Claude Code and Codex run on a terminal of ours, and what they print is kept. Then
our engine and a tmux pane of the same size are given these bytes, and at each stage of the
program's screens and at places in between all cells and the cursor must be the same.
`capture-pane` tells text, colours and attributes, but not the background of cells that were erased
with one behind the last written cell of a row, nor the shape and colour of an underline.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from supervisor.process.emulator import make_emulator
from tests.support.agents import RealAgent
from tests.support.debian import find_program
from tests.support.live import Install, until
from tests.support.scripted_model import ScriptedModel, call
from tests.support.supervised import supervise
from tests.support.terminal import Terminal
from tests.support.tmux_screen import Cell, TmuxScreen, cells_of

COLS, ROWS = 120, 40
IN_BETWEEN = 20  # places compared beside a program's stages

# What is shown otherwise than by tmux 3.3a: our row, and why. A test names those it must see.
EMOJI_PRESENTATION = (
    re.compile("❤\ufe0f"),
    "U+FE0F makes an emoji of a character, two cells wide (Unicode UTS #51); tmux 3.3a keeps one "
    "cell, so that what follows in the row stands a column further to the left",
)

# A control sequence, string or character that has begun and is not over (ECMA-48 5.3 to 5.6).
_UNFINISHED = re.compile(
    rb"\x1b([ -/]*|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)\Z"
    rb"|([\xc0-\xff]|[\xe0-\xff][\x80-\xbf]|[\xf0-\xff][\x80-\xbf]{2})\Z"
)
_BEGUN = re.compile(rb"\x1b[^\\]")  # not what ends a string

_TRIES = 30  # of a second each

ANSWER = """## What was done

1. **Bold**, *italic*, ~~struck~~ and `code`
2. 日本語のテキスト, é, ✓, →, ❯, 🚀 and 👩‍💻
3. ❤️ is wide

| name | width |
|------|-------|
| 幅   | 2     |

```python
def answer() -> int:
    return 42  # the end
```
"""


@dataclass
class Recording:
    """A program on a terminal, and the places in its output where its screen is compared."""

    terminal: Terminal
    stages: list[int] = field(default_factory=list)

    async def shows(self, pattern: str) -> None:
        """The screen that shows this is compared, at the end of a whole sequence."""

        def there() -> bool:
            whole = not _UNFINISHED.search(self.terminal.printed[-4096:])
            return whole and bool(re.search(pattern, self.terminal.text()))

        await self.terminal.shows(pattern)
        await until(there, pattern)
        self.stages.append(len(self.terminal.printed))

    async def answered(self, key: str, question: str) -> None:
        """Press `key` until the question is gone: what is pressed in its first moments, before a
        person can have read it, Codex throws away."""
        for _ in range(_TRIES):
            self.terminal.press(key)
            with contextlib.suppress(AssertionError):
                await self.terminal.shows(rf"(?s)\A(?!.*{question})", patience=1.0)
                return
        raise AssertionError(f"never answered: {question!r}")

    async def ends(self) -> None:
        """The screen that the program leaves is compared."""
        assert await self.terminal.exit_code() == 0
        self.stages.append(len(self.terminal.printed))

    def command(self, text: str) -> None:
        self.terminal.type(text)
        self.terminal.press("enter")

    def is_like_tmux(self, *exceptions: tuple[re.Pattern[str], str]) -> None:
        """Whether all cells are tmux's but for those in rows of exactly these exceptions."""
        printed = bytes(self.terminal.printed[: self.stages[-1]])
        begun = [match.start() for match in _BEGUN.finditer(printed)]
        between = begun[:: max(1, len(begun) // IN_BETWEEN)]
        ours, styles = make_emulator(COLS, ROWS), set()
        different: list[str] = []
        excepted: set[str] = set()
        with TmuxScreen(COLS, ROWS) as tmux:
            fed = 0
            for end in sorted({*self.stages, *between}):
                ours.feed(printed[fed:end])
                tmux.feed(printed[fed:end])
                fed = end
                shown, captured = ours.snapshot(), tmux.cells()
                for y in range(ROWS):
                    row = cells_of(shown[y], COLS)
                    styles |= {(cell.fg, cell.bg, cell.attrs) for cell in row}
                    if told := _differences(row, captured[y]):
                        text = "".join(cell.text for cell in row)
                        reasons = {why for pattern, why in exceptions if pattern.search(text)}
                        excepted |= reasons
                        if not reasons:
                            different.append(f"after {end} bytes, row {y}, {text!r}: {told}")
                cursor = ours.cursor()
                column, line = tmux.cursor()
                if (cursor.x, cursor.y) != (min(column, COLS - 1), line):
                    different.append(f"after {end} bytes: {cursor}, tmux has {column}, {line}")
        assert not different, "\n".join(different[:20])
        assert excepted == {why for _, why in exceptions}
        assert len(styles) > 5, "hardly a screen of this program"


def _differences(row: list[Cell], captured: list[Cell]) -> str:
    """The first cells that differ, in words; "" where none does."""
    found = [
        f"column {x}: {ours}, tmux has {theirs}"
        for x, (ours, theirs) in enumerate(zip(row, captured, strict=True))
        if (ours if theirs.bg is not None else replace(ours, bg=None)) != theirs
    ]
    return "; ".join(found[:3])


@asynccontextmanager
async def recording(
    argv: list[str], cwd: Path, environ: dict[str, str]
) -> AsyncIterator[Recording]:
    colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    async with Terminal(
        argv, cwd=cwd, environ=environ | colours, cols=COLS, rows=ROWS
    ) as terminal:  # fmt: skip
        yield Recording(terminal)


async def test_vim(install: Install) -> None:
    vim = find_program("vim.basic", "vim", "vim-common", "vim-runtime", "libgpm2", "libsodium23")
    lines = (f"def f{n}(x: int) -> str:  # 日本語 é\n    return 'txet' * {n}\n" for n in range(40))
    (install.project / "code.py").write_text("".join(lines))
    argv = [vim.path, "-u", "NONE", "-i", "NONE", "-N", "--cmd", "syntax on", "code.py"]
    environ = install.environ | vim.environ | {"VIM": f"{vim.root}/usr/share/vim"}
    async with recording(argv, install.project, environ) as run:
        await run.shows("def f19")
        run.command(":set number hlsearch cursorline list spell termguicolors")
        await run.shows(r"(?m)^ *39 def f19.*\$$")
        run.command("/txet.*5")
        await run.shows(r"(?m)^ *12 .*5\$$[^~]*/txet.*5")
        run.command(":vertical new | read !seq 20")
        await run.shows(r"\b20\$ ")
        run.command(":qa!")
        await run.ends()
    run.is_like_tmux()


async def test_less(install: Install) -> None:
    less = find_program("less", "less")
    colours = (
        f"\x1b[1;{30 + n % 8}mline {n}\x1b[0;48;5;{n}m 日本\x1b[0;4m é\n" for n in range(200)
    )
    (install.project / "text").write_text("\x1b[0m".join(colours))
    argv = [less.path, "-R", "text"]
    async with recording(argv, install.project, install.environ) as run:
        await run.shows("line 38")
        run.terminal.press("space")
        await run.shows("line 77")
        run.command("/line 15")
        await run.shows("line 188")
        run.terminal.type("q")
        await run.ends()
    run.is_like_tmux()


async def test_htop(install: Install) -> None:
    htop = find_program("htop", "htop", "libnl-3-200", "libnl-genl-3-200", "libncursesw6")
    environ = install.environ | htop.environ
    async with recording([htop.path], install.project, environ) as run:
        await run.shows("F10Quit")
        run.terminal.press("f5")
        await run.shows("F5List")
        run.terminal.press("f2")
        await run.shows("Display options")
        run.terminal.press("f10", "q")
        await run.ends()
    run.is_like_tmux()


async def test_claude_code(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    agent = supervise(claude_code, install, scripted_model)
    scripted_model.plays["do it"] = [agent.shell("touch x; seq 12"), ANSWER]
    argv = [*claude_code.argv, "--permission-mode", "default", "do it"]
    async with recording(argv, install.project, agent.environ) as run:
        await run.shows("Do you want to proceed")
        run.terminal.press("enter")
        await run.shows("the end")
        run.terminal.type("/mod")
        await run.shows("Switch model")
    run.is_like_tmux(EMOJI_PRESENTATION)


async def test_codex(codex: RealAgent, install: Install, scripted_model: ScriptedModel) -> None:
    agent = supervise(codex, install, scripted_model)
    asks = call(
        "exec_command", cmd="touch x; seq 12",
        sandbox_permissions="require_escalated", justification="It must be done.",
    )  # fmt: skip
    scripted_model.plays["do it"] = [asks, ANSWER]
    argv = [*codex.argv, "--ask-for-approval", "on-request", "do it"]
    async with recording(argv, install.project, agent.environ) as run:
        await run.shows("Would you like to run")
        await run.answered("enter", "Would you like to run")
        await run.shows("the end")
        run.terminal.type("/mod")
        await run.shows("choose what model")
    run.is_like_tmux(EMOJI_PRESENTATION)
