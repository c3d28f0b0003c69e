"""What always shows."""

from __future__ import annotations

import pytest

from supervisor.model import Risk
from supervisor.protocol import wire
from tests.support.fake_client import NOW, approval, task_view
from tests.support.tui_driver import asking, running


@pytest.mark.parametrize(
    ("width", "parts"),
    [(120, ["ana", "claude-code 2.1.330", "laptop", "flaky checkout", "tier A"]),
     (80, ["ana", "claude-code", "laptop", "flaky", "tier A"])],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["run", "workspace"])
async def test_the_four_parts_of_identity_always_show(
    shape: str, width: int, parts: list[str]
) -> None:
    async with running(shape=shape, size=(width, 24)) as d:
        await d.until(lambda: "laptop" in d.said("status" if shape == "run" else "header"))
        line = d.said("status" if shape == "run" else "header")
        assert all(part in line for part in parts), line
        assert len(line) == width


async def test_an_uncontained_task_says_so_and_what_it_can_read() -> None:
    async with running() as d:
        await d.lead("4")
        await d.until(lambda: "uncontained" in d.said("header"))
        assert "can read ~/.ssh, ~/.aws" in str(d.tile("t-4").border_subtitle)


async def test_ways_out_are_counted_in_the_header_and_named_at_the_pane() -> None:
    ways = ("docker socket (/run/docker.sock)", "terminal multiplexer (/tmp/tmux-1/default)")
    with_holes = wire.Snapshot(
        session="s-fake",
        now=NOW,
        tasks=(
            task_view(1, "loose", tier="uncontained", holes=ways, agent_sandbox="off, as you have"),
            task_view(2, "held", tier="B", holes=ways[:1], limits=("4 GB of memory",)),
        ),
    )
    async with running(with_holes, size=(140, 40)) as d:
        await d.lead("1")
        await d.until(lambda: "uncontained · 2 ways out" in d.said("header"))
        subtitle = str(d.tile("t-1").border_subtitle)
        assert "can get out by docker socket, terminal multiplexer" in subtitle
        await d.lead("2")
        await d.until(lambda: "tier B contained · 1 way out" in d.said("header"))
        assert "can get out by docker socket" in str(d.tile("t-2").border_subtitle)


async def test_a_high_risk_request_is_marked_in_words() -> None:
    async with running(asking(approval(1, risk=Risk.HIGH, code="A2"))) as d:
        await d.until(lambda: "HIGH" in d.said("attention"))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_without_colour_states_are_told_by_symbol_and_word(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(size=size) as d:
        await d.open_dock()
        await d.press("escape")
        shown = d.said("side-tasks") if size[0] >= 120 else d.said("strip")
        assert all(symbol in shown for symbol in "▲◐●○❄✕")
        assert "Welcome to claude-code" in d.app.export_screenshot().replace("\u00a0", " ").replace(
            "&#160;", " "
        )
