"""A recording of half a minute for the fake supervisor."""

from __future__ import annotations

from supervisor.protocol.holder_wire import RunTuple
from supervisor.protocol.recording import ChunkView, FrameView


def row(text: str, fg: int = -1) -> tuple[RunTuple, ...]:
    return ((text, fg, -1, 0),)


def recording(began: float, *, whole: bool = True) -> list[ChunkView]:
    """Three chunks, at 0, 5 and 20 s: "$ npm test" … "42 passed" … "$ git push"."""
    green = 0x1000000 | 0x86CE8B
    frames = [
        [
            FrameView(at=began, rows={0: row("$ npm test")}, x=10, cols=60, height=12, full=True),
            FrameView(at=began + 1, rows={1: row("running…")}, x=8, y=1, cols=60, height=12),
        ],
        [
            FrameView(at=began + 5, cols=60, height=12, full=True, x=0, y=3,
                      rows={0: row("$ npm test"), 1: row("running…"),
                            2: row("● 42 passed", green)}),
        ],
        [
            FrameView(at=began + 20, cols=60, height=12, full=True, x=10, y=3,
                      rows={0: row("$ npm test"), 2: row("● 42 passed", green),
                            3: row("$ git push")}),
            FrameView(at=began + 21, cols=60, height=12, x=0, y=5,
                      rows={4: row("token: ••••••••••••")}),
        ],
    ]  # fmt: skip
    starts = [each[0].at for each in frames]
    return [
        ChunkView(frames=tuple(each), start=start, next=following, began=began, ended=began + 30,
                  whole=whole)
        for each, start, following in zip(frames, starts, [*starts[1:], 0.0], strict=True)
    ]  # fmt: skip
