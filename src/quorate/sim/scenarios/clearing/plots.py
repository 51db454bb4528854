"""A picture of a run: prices, liquidations and deleveraging, insurance, open interest, auctions.

Needs matplotlib (extra `plots`); whoever draws asks for it first.
"""

from pathlib import Path
from typing import Any, Final

from quorate.sim.scenarios.clearing.record import Series
from quorate.sim.scenarios.clearing.run import Outcome
from quorate.types.clearing_codes import Phase

COLOURS: Final = {
    "index": "#b2bec3", "mark": "#1f4e79", "liquidated": "#c0392b", "deleveraged": "#7d3c98",
    "auction": "#f5c542", "guard": "#e59866", "insurance": "#1e8449", "interest": "#2e86c1",
    "vault": "#ba4a00",
}  # fmt: skip
HEIGHTS: Final = (3.2, 1.5, 1.2, 1.2)
USD: Final = 1e6


def draw(outcome: Outcome, path: Path) -> None:
    """Draw a run into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    markets = outcome.scenario.markets
    wide = len(markets)
    figure = Figure(figsize=(11 if wide == 1 else 5.2 * wide, 9.5), layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    panels = figure.subplots(
        len(HEIGHTS), wide, sharex="col", squeeze=False, gridspec_kw={"height_ratios": HEIGHTS}
    )
    for column, (market, series) in enumerate(zip(markets, outcome.record.series, strict=True)):
        axes = [panels[row][column] for row in range(len(HEIGHTS))]
        unit, times = time_axis(series.time_ms)
        draw_prices(axes[0], series, times, market.quantum_e6)
        axes[0].set_title(market.name, fontsize=10, loc="left")
        draw_liquidations(axes[1], series, times)
        draw_funds(axes[2], series, times, outcome.record.insurance, market.quantum_e6)
        draw_interest(axes[3], series, times)
        axes[3].set_xlabel(f"{unit} from the beginning of the price path")
        for axis in axes:
            shade(axis, times, [phase == Phase.AUCTION for phase in series.phase], "auction")
            shade(axis, times, [guard != 0 for guard in series.guard], "guard")
            axis.grid(True, color="#e5e7e9", linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
            axis.margins(x=0)
    figure.suptitle(title(outcome), fontsize=11, x=0.01, ha="left")
    canvas.print_png(path)


def title(outcome: Outcome) -> str:
    """Name, sentence, and the figures that matter."""
    figures = outcome.figures
    return (
        f"{outcome.scenario.name}: {outcome.scenario.says}\n"
        f"{figures['accounts']:,} accounts, {figures['accounts_liquidated']:,} liquidated in "
        f"{figures['liquidated']:,} steps; deleveraged {figures['adl_notional_e6'] / USD:,.0f} USD "
        f"(least {figures['adl_least_e6'] / USD:,.0f})\n"
        f"bad debt {figures['bad_debt_e6'] / USD:,.0f} USD, conservation "
        f"{figures['conservation_delta']}, {figures['receipts_wrong']} of "
        f"{figures['receipts_checked']:,} receipts wrong; "
        + ("as expected" if outcome.passed else f"NOT as expected: {', '.join(outcome.failed)}")
    )


def time_axis(times_ms: list[int]) -> tuple[str, list[float]]:
    """Unit and times for a span."""
    span_ms = times_ms[-1] - times_ms[0]
    unit, scale = ("hours", 3.6e6) if span_ms > 3 * 3_600_000 else ("minutes", 6e4)
    return unit, [each / scale for each in times_ms]


def draw_prices(axis: Any, series: Series, times: list[float], quantum_e6: int) -> None:
    """Index and mark, with a point at each block in which somebody was liquidated or wound up."""
    axis.plot(times, series.index, color=COLOURS["index"], linewidth=2.4, label="index (votes)")
    axis.plot(times, series.mark, color=COLOURS["mark"], linewidth=0.9, label="mark")
    for name, counts, size in (
        ("liquidated", series.liquidated, 5),
        ("deleveraged", series.deleveraged, 14),
    ):
        at = [k for k, count in enumerate(counts) if count]
        axis.scatter(
            [times[k] for k in at],
            [series.mark[k] for k in at],
            s=size,
            color=COLOURS[name],
            label=f"{name} in the block" if at else None,
            zorder=3 if name == "liquidated" else 4,
            marker="o" if name == "liquidated" else "x",
            linewidths=0.8,
        )
    # Empty patches name the shadings.
    axis.fill_between([], [], color=COLOURS["auction"], alpha=0.35, label="auction")
    axis.fill_between([], [], color=COLOURS["guard"], alpha=0.25, label="guarded: no fresh index")
    axis.set_ylabel("price, ticks")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.legend(fontsize=7, loc="best", framealpha=0.85)


def draw_liquidations(axis: Any, series: Series, times: list[float]) -> None:
    """Steps a block, and lots deleveraged so far."""
    axis.vlines(times, 0, series.liquidated, color=COLOURS["liquidated"], linewidth=0.8)
    axis.set_ylabel("liquidation\nsteps a block", color=COLOURS["liquidated"])
    axis.set_ylim(bottom=0)
    other = axis.twinx()
    total, sums = 0, []
    for lots in series.deleveraged:
        total += lots
        sums.append(total)
    other.plot(times, sums, color=COLOURS["deleveraged"], linewidth=1.2)
    other.set_ylabel("deleveraged\nso far, lots", color=COLOURS["deleveraged"])
    other.set_ylim(0, 1.08 * max(total, 10))
    other.yaxis.set_major_formatter("{x:,.0f}")
    other.spines[["top"]].set_visible(False)


def draw_funds(
    axis: Any, series: Series, times: list[float], insurance: list[int], quantum_e6: int
) -> None:
    """All insurance funds together, and what the vault holds."""
    axis.plot(times, [each / USD / USD for each in insurance], color=COLOURS["insurance"])
    axis.set_ylabel("insurance,\nmillion USD", color=COLOURS["insurance"])
    axis.set_ylim(0, 1.08 * max(*insurance, 1) / USD / USD)
    other = axis.twinx()
    held = [
        lots * mark * quantum_e6 / USD / USD
        for lots, mark in zip(series.vault_lots, series.mark, strict=True)
    ]
    other.plot(times, held, color=COLOURS["vault"], linewidth=1.0)
    other.set_ylabel("vault's position,\nmillion USD", color=COLOURS["vault"])
    other.spines[["top"]].set_visible(False)


def draw_interest(axis: Any, series: Series, times: list[float]) -> None:
    """Open interest."""
    axis.plot(times, series.interest, color=COLOURS["interest"])
    axis.set_ylabel("open interest,\nlots", color=COLOURS["interest"])
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylim(bottom=0)


def shade(axis: Any, times: list[float], on: list[bool], name: str) -> None:
    """Shade the spans in which something holds."""
    begin = None
    for at, holds in enumerate([*on, False]):
        if holds and begin is None:
            begin = at
        elif not holds and begin is not None:
            axis.axvspan(
                times[begin],
                times[min(at, len(times) - 1)],
                color=COLOURS[name],
                alpha=0.35 if name == "auction" else 0.25,
                linewidth=0,
            )
            begin = None
