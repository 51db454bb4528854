"""The live view of the demo of four validators: their table above book, trades and the story."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.layout import Layout
from rich.panel import Panel

from quorate.cli.validators_view import DIM, lines, table
from quorate.runtime.testnet_watch import Standing
from quorate.sim.demo.screen import View, book, clock, figures, head, progress, story, trades

TABLE_FRAME: int = 5  # lines around the rows of validators
STORY_FRAME: int = 2


def picture(
    view: View, standings: Sequence[Standing], width: int, height: int
) -> RenderableType:
    """Draw everything for a terminal of that size."""
    story_lines = 6 if height >= 36 else 4 if height >= 30 else 3
    top = len(standings) + TABLE_FRAME
    body = max(3, height - 3 - top - story_lines - STORY_FRAME)
    wide = width >= 100
    title = "validators: finality p50 and p99 in ms"
    drawn = table(standings, wide)
    validators = Panel(drawn, title=title, border_style=DIM, title_align="left")
    layout = Layout()
    layout.split_column(
        Layout(head(view), size=1),
        Layout(validators, size=top),
        Layout(name="body", size=body),
        Layout(story(view, story_lines, width), size=story_lines + STORY_FRAME),
        Layout(progress(view, width), size=2),
    )  # fmt: skip
    side = max(26, width * 34 // 100)
    layout["body"].split_row(
        Layout(book(view, body - 2, side - 4), size=side),
        Layout(trades(view, body - 3)),
        Layout(figures(view, body - 2, wide=wide), size=side),
    )
    return layout


def plain_lines(view: View, standings: Sequence[Standing]) -> list[str]:
    """Write the figures as lines, for a pipe."""
    first = (
        f"{clock(view.elapsed_s):>5}  {view.rates[-1] if view.rates else 0:,.0f} commands/s  "
        f"fills {view.fills:,}  rejects {sum(times for _, times in view.rejects):,}  receipts p50 "
        f"{view.p50_ms:.0f} ms p99 {view.p99_ms:.0f} ms"
    )
    return [first, *(f"     {line}" for line in lines(standings))]
