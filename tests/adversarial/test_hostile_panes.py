"""What an agent prints stays in its pane: it answers no approval, moves no focus, and changes no
cell of the person's terminal outside its own; no bytes of it harm the screen, the supervisor or
another pane. And no key that is typed into a pane answers an approval.

The screen is the real one, over a real supervisor and real holders.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events

from supervisor.protocol import wire
from tests.support.chords import chords
from tests.support.fake_client import approval
from tests.support.live import TASKPASS, Install, ended, pending
from tests.support.tui_driver import asking, running
from tests.support.window import Window
from tests.support.workspace import LEADER, start

TILE = " 2 bash · "
# Prints the files and runs the words it is told, with a terminal that changes nothing of them.
PLAYER = """
stty raw -echo
exec 4<>orders
printf playing
while read -r order <&4; do eval "$order"; done
"""
# Ends what has begun, without clearing what is shown.
FINISH = b"\x18\x1b\\\x0f\x1b(B\x1b[0m\x1b[?69l\x1b[?6l\x1b[r\x1b[H"
DOCK = """\x1b[2J\x1b[H╭─ APPROVAL 1 of 1 · task 1 victim ────────╮
│ git status                                │
│ risk         low                          │
│ type the code  K7  __                     │
│ O once    T this task 15 min    A always… │
│ d deny    n deny with a note    esc back  │
│ armed                                     │
╰───────────────────────────────────────────╯"""
HEADER = "\x1b[H taskpass  root@vm › dash (generic) › container › victim  tier A contained  ▲1 "
STATUS = "\x1b[999;1H▲1 1 approval waits: git status   ^\\ a answer"

# Name → what a pane prints. None may do anything outside it.
FIXTURES: dict[str, bytes] = {
    "a dock of ours": DOCK.encode(),
    "our header and status line": (HEADER + STATUS).encode(),
    "a code to type": b"\x1b[2J\x1b[5;3HType K7 and then O to go on:",
    "moves far outside": b"\x1b[1000;1000Hx\x1b[0;0Hy\x1b[99A<\x1b[999C>\x1b[999B\n\n\n\x1b[999D#",
    "margins and origin": b"\x1b[?69h\x1b[1;200s\x1b[1;200r\x1b[?6h"
    b"\x1b[200;200Hx\x1b[200S\x1b[200T",
    "padding to push us away": b"\x1b[H" + b" " * 30_000 + b"\t" * 3000 + b"\n" * 3000,
    "a wide character at every edge": "".join(
        f"\x1b[{row};{column}H日" for row in range(1, 40) for column in range(70, 121)
    ).encode(),
    "bidi": ("\u202e\u2067\u2066\u202dabc אבג 12:34 \u2069\u202c\u061c\u200f" * 40).encode(),
    "zero width": ("\u200b\u200c\u2060\ufeff\u00ad\u180ea\U000e0041\u034f" * 200).encode(),
    "joined": "\r\n".join(
        cluster * 100
        for cluster in ("👨‍👩‍👧‍👦", "❤️", "1️⃣", "👍🏽", "🇫🇷",
                        "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "क्षि", "का", "กำ", "각", "🧑🏿‍🚀", "é")
    ).encode(),
    "a tower of marks": ("Z" + "\u0335\u0321\u20dd" * 2000).encode() * 20,
    "variation selectors": ("a\ufe0fb\ufe0e☠\ufe0f#\ufe0f" * 200).encode(),
    "title and icon": b"\x1b]0;owned\x07\x1b]1;owned\x1b\\\x1b]2;owned\x1b\\"
    b"\x1b[21t\x1b[22;0t\x1b[23;0t",
    "hyperlinks": b"\x1b]8;id=1;https://evil.example/\x1b\\click\x1b]8;;\x1b\\" * 20,
    "a hyperlink that never ends": b"\x1b]8;;https://evil.example/\x07click",
    "the clipboard": b"\x1b]52;c;b3duZWQ=\x07\x1b]52;c;?\x07\x1b]52;p;?\x1b\\",
    "a notification": b"\x1b]9;owned\x07\x1b]777;notify;a;b\x07\x1b]99;i=1;owned\x1b\\\x07\x07",
    "colours of the palette": b"\x1b]4;1;rgb:ff/ff/ff\x07\x1b]10;#000\x07\x1b]11;#fff\x07"
    b"\x1b]104\x07",
    "DCS": b"\x1bP$q\"p\x1b\\\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"
    b"\x1bP+q544e\x1b\\\x1bP0;1|17/1b\x1b\\",
    "sixel": b"\x1bPq#0;2;0;0;0#0~~@@vv@@~~$-\x1b\\",
    "APC and PM": b"\x1b_Ga=T,f=24,s=1,v=1;AAAA\x1b\\\x1b_tmux\x1b\\"
    b"\x1b^private\x1b\\\x1bXstart\x1b\\",
    "a string that never ends": b"\x1b]52;c;" + b"A" * 100_000,
    "8-bit controls": b"\x9d0;owned\x9c\x9b2J\x90q\x9c" + "\u009d0;owned\u009c\u009b2J".encode(),
    "a screen of its own": b"\x1b[?1049h\x1b[?47h\x1b[?1047h\x1b[2J\x1b[?1049l\x1b[?1049h",
    "mouse, focus, paste and keys": b"\x1b[?1000;1002;1003;1006;1004;2004;1007h\x1b[>31u\x1b[>4;2m",
    "answers for us to take for keys": b"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[>q\x1b[?u\x05\x1bZ"
    b"\x1b]10;?\x07\x1b[18t\x1b[14t\x1b[?2026$p\x1b[?996n\x1b]4;1;?\x07\x1bP$qm\x1b\\" * 50,
    "keys in answers": b"\x1b]0;\x1c a O K7 O\x07\x1b[21t\x1b]2;\x1caO\x1b\\\x1b[20t",
    "reset": b"\x1bc\x1b[!p\x1b[?3h\x1b[?3l\x1b#8\x1b[?5h\x1b[4l\x1b[20h\x1b[12l",
    "an update that never ends": b"\x1b[?2026hhidden\x1b[5;5Hin here",
    "updates without end": b"\x1b[?2026h\x1b[?2026h\x1b[?2026l\x1b[?2026h" * 500,
    "a program of the printer": b"\x1b[5i\x1b[4i\x1b[?5i\x1b[0i\x1b#3\x1b#6"
    b"\x1b[8;10;10t\x1b[3;0;0t\x1b[2t",
    "a sequence cut short": b"\x1b[38;2;1;2",
}  # fmt: skip
# All that the person's terminal is ever told while panes are drawn: places, colours, whether
# the cursor shows, whether an update is whole, and text in which nothing is hidden.
DRAWN = re.compile(
    r"(?:\x1b\[[0-9;]*[Hm]|\x1b\[\?(?:25|2026)[hl]|[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff])*"
)


class Stage:
    """A screen with a person's `cat` in pane 1, which has the focus, and a hostile pane 2."""

    def __init__(self, install: Install, screen: Window) -> None:
        self.install, self.screen = install, screen
        self._orders = os.open(install.project / "orders", os.O_RDWR)
        self._played = 0

    def close(self) -> None:
        os.close(self._orders)

    def order(self, words: str) -> None:
        os.write(self._orders, words.encode() + b"\n")

    def print(self, data: bytes) -> str:
        """Have the pane print it, and then a mark; the mark."""
        self._played += 1
        mark = f"mark-{self._played}-"
        path = self.install.project / f"printed-{self._played}"
        path.write_bytes(data + FINISH + mark.encode())
        self.order(f"cat {path.name}")
        return mark

    async def answers(self, number: int) -> None:
        """The person's own pane still gets their keys, and shows what it prints."""
        self.screen.type(f"here-{number}.")
        self.screen.press("enter")
        await self.screen.shows(rf"(here-{number}\.[\s\S]*){{2}}")  # its echo, and `cat`


@asynccontextmanager
async def staged(install: Install) -> AsyncIterator[Stage]:
    (install.project / "play").write_text(PLAYER)
    os.mkfifo(install.project / "orders")
    async with Window(
        TASKPASS, cwd=install.project, environ=install.environ, cols=120, rows=40
    ) as screen:
        await screen.shows("No task runs")
        for command, purpose in (("cat", "victim"), ("bash play", "hostile")):
            await start(screen, command, purpose)
        await screen.shows("playing")
        screen.press(LEADER, "1")
        await screen.shows("container › victim")
        stage = Stage(install, screen)
        await stage.answers(0)
        try:
            yield stage
        finally:
            stage.close()


async def test_what_a_pane_prints_stays_in_it_and_answers_nothing(install: Install) -> None:
    service = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    async with service, staged(install) as stage:
        screen = stage.screen
        stage.order(f"(: <>/dev/tcp/localhost/{port}) 2>/dev/null &")
        await screen.shows(f"connect localhost:{port}")
        await screen.shows("waiting for approval")
        await screen.shows(r"EVENTS[\s\S]*ASK")
        before, wrong = screen.outside(TILE), list[str]()
        screen.updates()
        for number, (name, data) in enumerate(FIXTURES.items()):
            await screen.shows(stage.print(data))
            wrong += [
                f"{name}: row {y} was {was}, is {is_}"
                for y, (was, is_) in enumerate(zip(before, screen.outside(TILE), strict=True))
                if was != is_
            ]
            told = screen.updates()
            good = DRAWN.match(told)
            if good is None or good.end() < len(told):
                at = good.end() if good else 0
                wrong.append(f"{name}: the terminal was sent {told[at : at + 20]!a}")
            await screen.shows(stage.print(b"\x1bc"))
            if number % 8 == 7:
                await stage.answers(number)
                before = screen.outside(TILE)
        assert not wrong, "\n".join(wrong)
        # A person who believes the pane types into the pane.
        await screen.shows(stage.print(FIXTURES["a dock of ours"]))
        screen.press(LEADER, "2")
        await screen.shows("container › hostile")
        screen.type("K7OTAy1")
        screen.press("enter", "space", LEADER, "1")
        await screen.shows("container › victim")
        (waiting,) = await asyncio.to_thread(pending, install)
        assert waiting.title.startswith(f"connect localhost:{port}")
    assert not await asyncio.to_thread(install.records, "approval.answered")


def hostile(rng: random.Random, pieces: int) -> bytes:
    """Sequences that mean something, with numbers that mean too much, among noise."""

    def piece() -> bytes:
        kind = rng.random()
        if kind < 0.5:
            some = (0, 1, 2, 5, 6, 25, 38, 47, 69, 80, 1003, 1049, 2004, 2026, 2027, 65535, 10**12)
            numbers = b";".join(b"%d" % rng.choice(some) for _ in range(rng.randint(0, 5)))
            finals = b"@ABCDEFGHIJKLMPSTXZ`abcdefghilmnpqrstuvwxyz"
            private = rng.choice((b"", b"?", b">", b"=", b"<"))
            return b"\x1b[" + private + numbers + bytes([rng.choice(finals)])
        if kind < 0.6:
            return b"\x1b" + bytes([rng.randint(0x20, 0x7E)])
        if kind < 0.7:
            return b"\x1b" + rng.choice((b"]52;c;", b"]8;;", b"P", b"_", b"]0;")) + rng.randbytes(9)
        if kind < 0.85:
            parts = (0x65E5, 0x301, 0x1F468, 0x200D, 0xFE0F, 0x1F1EB, 0x202E, 0x093F, 0x41, 0xAD)
            return "".join(chr(rng.choice(parts)) for _ in range(12)).encode()
        return rng.randbytes(20)

    return b"".join(piece() for _ in range(pieces))


@pytest.mark.parametrize(
    "seeds",
    [range(3), pytest.param(range(30), marks=[pytest.mark.full, pytest.mark.timeout(1800)])],
    ids=["for a while", "for long"],
)
async def test_hostile_bytes_and_resizes_harm_nobody_else(install: Install, seeds: range) -> None:
    """Pane 2 prints what each seed makes of it, while the person pulls at the window."""
    async with staged(install) as stage:
        screen = stage.screen
        supervisor = await asyncio.to_thread(install.daemon_pid)
        tasks = install.paths.runtime / "tasks"
        holders = [int(path.read_text()) for path in tasks.glob("*/holder.pid")]
        assert len(holders) == 2
        for seed in seeds:
            rng = random.Random(seed)
            before = screen.outside(TILE)
            for _ in range(5):
                stage.print(hostile(rng, 4000))
                # All sizes that a window can have, and some for which nothing is drawn well.
                screen.resize(rng.randint(10, 300), rng.randint(4, 90))
            screen.resize(120, 40)
            await screen.shows(stage.print(b"\x1bc"))
            await screen.shows(r"╰─+╯[\s\S]*x revoke")
            assert screen.outside(TILE) == before, f"seed {seed}"
            await stage.answers(1000 + seed)
            assert not [pid for pid in (supervisor, *holders) if ended(pid)], f"seed {seed}"
        assert await asyncio.to_thread(install.daemon_pid) == supervisor


# ── Keys ────────────────────────────────────────────────────────────────────────────────

KEYS = [
    *string.ascii_letters, *string.digits, "enter", "space", "tab", "shift+tab", "escape", "up",
    "backspace", "delete", "home", "end", "pageup", "pagedown", "left", "right", "down", "insert",
    *(f"f{n}" for n in range(1, 12)), *(f"ctrl+{c}" for c in string.ascii_lowercase),
    *(f"alt+{c}" for c in string.ascii_letters),
]  # fmt: skip


@pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
async def test_keys_typed_into_a_pane_while_approvals_arrive_approve_nothing(count: int) -> None:
    rng = random.Random(count)
    keys = rng.choices(KEYS, k=count)
    async with running(asking()) as d:
        pane, asked, waiting = d.app.focused, 0, list[str]()
        for number, key in enumerate(keys):
            d.app.post_message(events.Key(key, key if len(key) == 1 else None))
            if number % 20 == 0:
                asked += 1
                waiting.append(f"a-{asked}")
                d.client.send(wire.ApprovalAsked(approval=approval(asked, title=f"make {asked}")))
                if len(waiting) > 5:  # some are answered at another screen
                    gone = waiting.pop(rng.randrange(len(waiting)))
                    d.client.send(wire.ApprovalAnswered(id=gone, answer="denied", by="ana"))
                await d.until(lambda n=number: len(d.typed) > n)  # type: ignore[misc]
        await d.until(lambda: len(d.typed) == count, 30)
        await d.until(lambda: set(d.app.world.approvals) == set(waiting))
        assert d.typed == keys, "every key went to the pane, in order"
        assert d.answers == []
        assert d.app.focused is pane
        assert not d.dock.display


async def test_keys_of_a_real_terminal_approve_nothing_real(install: Install) -> None:
    services = [
        await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        for _ in range(3)
    ]
    rng = random.Random(4)
    presses = rng.choices(list(chords().values()), k=300)
    async with staged(install) as stage:
        screen = stage.screen
        screen.press(LEADER, "2")
        await screen.shows("container › hostile")
        for number, service in enumerate(services):
            port = service.sockets[0].getsockname()[1]
            stage.order(f"(: <>/dev/tcp/localhost/{port}) 2>/dev/null &")
            for press in presses[number::3]:
                screen.send(press)
                await asyncio.sleep(0)
            await screen.shows(f"▲ ?{number + 1}")
            assert "armed" not in screen.text()
        screen.press(LEADER, "1")
        await stage.answers(1)
        assert len(await asyncio.to_thread(pending, install)) == 3
    assert not await asyncio.to_thread(install.records, "approval.answered")
    for service in services:
        service.close()
