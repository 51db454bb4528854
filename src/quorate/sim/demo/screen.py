"""The live view: book, trades, the node's figures, the story so far. A `View` in, a picture out."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from quorate.types.codes import Reject, Side

BLOCKS: Final = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"  # an eighth to a whole, upwards
EIGHTHS: Final = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"  # the same, to the right
FULL, RULE = "\u2588", "\u2501"
BID, ASK, DIM = "green", "red", "bright_black"
RATES_KEPT: Final = 40
STORY_LINES: Final = 5
PHASES: Final = ("open", "trade", "kill -9", "recover", "trade on", "prove")


@dataclass(frozen=True, slots=True)
class Shown:
    """The market on the screen. A tick is 1/ticks of the quote, a lot 1/lots of the base."""

    number: int
    name: str
    ticks: int
    lots: int

    def price(self, ticks: int) -> str:
        """Write a price."""
        return f"{ticks / self.ticks:,.{len(str(self.ticks)) - 1}f}"

    def size(self, lots: int) -> str:
        """Write a size."""
        return f"{lots / self.lots:,.{len(str(self.lots)) - 1}f}"


@dataclass
class View:
    """What is known at this moment. `elapsed_s` of `seconds` have passed since the first quote."""

    shown: Shown
    seed: int
    seconds: float
    elapsed_s: float = 0.0
    phase: int = 0
    alive: bool = False
    bids: list[list[int]] = field(default_factory=list)
    asks: list[list[int]] = field(default_factory=list)
    trades: list[dict[str, int]] = field(default_factory=list)
    last_ticks: int = 0
    height: int = 0
    root: str = ""
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=RATES_KEPT))
    commands: int = 0
    fills: int = 0
    under_way: int = 0
    orders_open: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    rejects: list[tuple[Reject, int]] = field(default_factory=list)
    recovered: str = ""
    story: list[tuple[float, str]] = field(default_factory=list)
    phases: tuple[str, ...] = PHASES


def bar(share: float, width: int) -> str:
    """Draw a bar to the right, in eighths of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return FULL * whole + (EIGHTHS[rest] if rest else "")


def spark(values: deque[float]) -> str:
    """Draw a curve of little columns."""
    most = max(values, default=0.0) or 1.0
    return "".join(BLOCKS[min(8, round(value / most * 8))] for value in values)


def clock(seconds: float) -> str:
    """Write minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def picture(view: View, width: int, height: int) -> RenderableType:
    """Draw everything for a terminal of that size."""
    story_lines = STORY_LINES if height >= 30 else 3
    body = height - 6 - story_lines
    layout = Layout()
    layout.split_column(
        Layout(head(view), size=1),
        Layout(name="body", size=body),
        Layout(story(view, story_lines, width), size=story_lines + 2),
        Layout(progress(view, width), size=2),
    )
    side = max(26, width * 34 // 100)
    layout["body"].split_row(
        Layout(book(view, body - 2, side - 4), size=side),
        Layout(trades(view, body - 3)),
        Layout(figures(view, body - 2, wide=width >= 100), size=side),
    )
    return layout


def head(view: View) -> RenderableType:
    """Draw the first line."""
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    left = Text.assemble(
        (" QUORATE ", "bold reverse"),
        f"  {view.shown.name} ",
        (view.shown.price(view.last_ticks) if view.last_ticks else "-", "bold"),
    )
    right = Text(f"seed {view.seed}   one command: quorate demo ", style=DIM)
    grid.add_row(left, right)
    return grid


def book(view: View, lines: int, width: int) -> RenderableType:
    """Draw the depth: asks above, bids below, bars as long as the sizes."""
    each = max(1, (lines - 1) // 2)
    asks, bids = view.asks[:each], view.bids[:each]
    most = max([level[1] for level in asks + bids], default=1)
    room = max(4, width - 20)
    rows: list[Text] = [Text("")] * (each - len(asks))
    rows += [depth_row(view, level, ASK, most, room) for level in reversed(asks)]
    if asks and bids:
        between = asks[0][0] - bids[0][0]
        rows.append(Text(f"{'spread':>9} {view.shown.price(between):>8}", style=DIM))
    else:
        rows.append(Text("the book is empty", style=DIM))
    rows += [depth_row(view, level, BID, most, room) for level in bids]
    return Panel(Group(*rows), title="book", border_style=DIM, title_align="left")


def depth_row(view: View, level: list[int], colour: str, most: int, room: int) -> Text:
    """Draw one price."""
    return Text.assemble(
        (f"{view.shown.price(level[0]):>9}", colour),
        f" {view.shown.size(level[1]):>8} ",
        (bar(level[1] / most, room), colour),
        no_wrap=True,
    )


def trades(view: View, lines: int) -> RenderableType:
    """Draw the latest trades, newest first."""
    grid = Table.grid(expand=True, padding=(0, 1))
    for _ in range(3):
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(*(Text(title, style=DIM) for title in ("price", "size", "block")))
    for trade in view.trades[: max(0, lines)]:
        bought = trade["side"] == Side.BUY
        grid.add_row(
            Text(view.shown.price(trade["price"]), style=BID if bought else ASK),
            view.shown.size(trade["size"]),
            Text(str(trade["height"]), style=DIM),
        )
    return Panel(grid, title="trades", border_style=DIM, title_align="left")


def figures(view: View, lines: int, wide: bool) -> RenderableType:
    """Draw the node's figures and the rejects by code."""
    if not view.alive and view.phase in (2, 3):
        colour, state = "red", "the node is dead" if view.phase == 2 else "the node recovers"
    else:
        colour, state = DIM, "node"
    rate = view.rates[-1] if view.rates else 0.0
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row("commands/s", Text(f"{rate:,.0f}", style="bold"))
    if wide:
        grid.add_row("", Text(spark(view.rates)[-22:], style="cyan"))
    grid.add_row("height", f"{view.height:,}")
    grid.add_row("root", Text(view.root[: 16 if wide else 12] or "-", style="cyan"))
    if view.recovered:
        grid.add_row("after kill", Text(view.recovered, style="bold green"))
    grid.add_row("p50, p99", f"{view.p50_ms:.0f}, {view.p99_ms:.0f} ms")
    grid.add_row("fills", f"{view.fills:,}")
    if wide:
        grid.add_row("orders open", f"{view.orders_open:,}")
        grid.add_row("under way", f"{view.under_way:,} bundles")
    rows: list[Any] = [grid]
    free = lines - grid.row_count
    if view.rejects and free >= 3:
        count = sum(times for _, times in view.rejects)
        rows.append(Text(f"\n{count:,} rejects", style="yellow"))
        rejects = Table.grid(expand=True, padding=(0, 1))
        rejects.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        rejects.add_column(justify="right", style="yellow", no_wrap=True)
        for code, times in view.rejects[: free - 2]:
            rejects.add_row(Text(code.name.lower().replace("_", " "), style=DIM), f"{times:,}")
        rows.append(rejects)
    return Panel(Group(*rows), title=state, border_style=colour, title_align="left")


def story(view: View, lines: int, width: int) -> RenderableType:
    """Draw what has happened, the latest last."""
    rows = []
    for at_s, sentence in view.story[-lines:]:
        line = Text.assemble((f"{clock(at_s):>5}  ", DIM), sentence, no_wrap=True)
        line.truncate(max(10, width - 4), overflow="ellipsis")
        rows.append(line)
    return Panel(Group(*rows), border_style=DIM)


def progress(view: View, width: int) -> RenderableType:
    """Draw how far the show is, and its phases."""
    room = max(10, width - 16)
    done = round(min(1.0, view.elapsed_s / view.seconds) * room)
    line = Text.assemble(
        (" " + RULE * done, "cyan"),
        (RULE * (room - done), DIM),
        f" {clock(view.elapsed_s):>5} / {clock(view.seconds)}",
    )
    phases = Text(" ")
    for number, name in enumerate(view.phases):
        style = "bold cyan" if number == view.phase else DIM if number > view.phase else "green"
        phases.append(name, style)
        phases.append("   " if number + 1 < len(view.phases) else "", DIM)
    return Group(line, phases)


def plain_line(view: View) -> str:
    """Write the figures in one line, for a pipe."""
    price = view.shown.price(view.last_ticks) if view.last_ticks else "-"
    return (
        f"{clock(view.elapsed_s):>5}  height {view.height:,}  root {view.root[:16]}  "
        f"{view.rates[-1] if view.rates else 0:,.0f} commands/s  fills {view.fills:,}  "
        f"rejects {sum(times for _, times in view.rejects):,}  "
        f"p50 {view.p50_ms:.0f} ms p99 {view.p99_ms:.0f} ms  {view.shown.name} {price}"
    )
