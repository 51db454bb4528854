"""How several validators are shown: a table for a terminal, a line for each where there is none."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from quorate.runtime.testnet_watch import Standing

DIM: Final = "bright_black"
STYLES: Final = {"running": "green", "starting": "yellow", "killed": "bold red", "ended": "red"}
NARROW: Final = {"validator": "no", "certified": "cert", "p50 ms": "p50", "p99 ms": "p99"}
RIGHT: Final = ("height", "certified", "view", "peers", "p50 ms", "p99 ms")


def root_styles(standings: Sequence[Standing]) -> dict[tuple[int, str], str]:
    """Colour roots: cyan, but red where two validators show other roots of one height."""
    seen: dict[int, str] = {}
    styles: dict[tuple[int, str], str] = {}
    for it in standings:
        other = seen.setdefault(it.height, it.root) != it.root
        styles[it.height, it.root] = "bold red" if other else "cyan"
    return styles


def words(standing: Standing) -> str:
    """Say what a validator does."""
    if standing.running and standing.leader == standing.index:
        return "leads"
    return standing.state


def table(standings: Sequence[Standing], wide: bool = True) -> Table:
    """Draw a row for each validator. wide: in a hundred columns or more, with all there is."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, header_style=DIM)
    for title in ("validator", "", *RIGHT[:3], "root", *RIGHT[3:]):
        justify = "right" if title in RIGHT else "left"
        shown = title if wide else NARROW.get(title, title)
        drawn.add_column(shown, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    styles = root_styles(standings)
    for it in standings:
        drawn.add_row(
            str(it.index),
            Text(words(it), style=STYLES.get(it.state, "")),
            f"{it.height:,}",
            f"{it.certified:,}",
            f"{it.view:,}",
            Text(it.root[: 16 if wide else 12] or "-", style=styles[it.height, it.root]),
            str(it.peers) if it.running else "-",
            f"{it.finality_p50_ms}" if it.blocks_led else "-",
            f"{it.finality_p99_ms}" if it.blocks_led else "-",
            style="" if it.running else DIM,
        )
    return drawn


def lines(standings: Sequence[Standing]) -> list[str]:
    """Write a line for each validator."""
    return [
        f"  validator {it.index}  {words(it):<8}  height {it.height:,}  view {it.view:,}  "
        f"root {it.root[:16] or '-':<16}  peers {it.peers if it.running else '-'}  "
        f"finality p50 {it.finality_p50_ms if it.blocks_led else '-'} "
        f"p99 {it.finality_p99_ms if it.blocks_led else '-'} ms"
        for it in standings
    ]
