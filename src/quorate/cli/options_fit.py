"""`quorate options fit`: the surface's rule on recorded option chains, and what it leaves."""

import json
from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import (
    FOUND_WRONG,
    USERS_MISTAKE,
    Bar,
    end,
    errors_named,
    print_json,
    refuse_unwritable,
)
from quorate.cli.options_reprice import THROUGH


def show(report: dict[str, Any]) -> None:
    """Print for people."""
    book = report["with_book"]
    print(
        f"{report['rows']:,} options of {report['expiries']} expiries in {report['snapshots']}"
        f" snapshots: median residual {report['median_vol_points']:.2f}, 90th percentile"
        f" {report['p90_vol_points']:.2f} volatility points"
        f" ({book['median_vol_points']:.2f} and {book['p90_vol_points']:.2f} with the book)"
    )
    print(
        f"arbitrage: {report['butterfly_violations'] + book['butterfly_violations']} butterflies,"
        f" {report['calendar_violations'] + book['calendar_violations']} calendar spreads;"
        f" {report['expiries_repaired']} smiles repaired, {report['expiries_without_smile']}"
        f" expiries with too few strikes"
    )
    print(f"{'deviations':>14} {'rows':>6} {'median':>8} {'90th':>8}")
    for each in report["by_moneyness"]:
        place = f"{each['z_from']:+.1f} to {each['z_to']:+.1f}"
        medians = f"{each['median_vol_points']:>8.2f} {each['p90_vol_points']:>8.2f}"
        print(f"{place:>14} {each['rows']:>6,} {medians}")
    for moment in report["moments"]:
        shown = ", ".join(
            f"{currency} " + ("none" if index is None else f"{index:.2f}")
            for currency, index in moment["vol_index"].items()
        )
        print(f"{moment['stamp']} volatility index: {shown}")
    print(f"all expiries of one underlying renewed in {report['renewal_seconds_max'] * 1e3:.1f} ms")


def wrong(report: dict[str, Any]) -> str:
    """Say which arbitrage was found, or nothing."""
    for part in (report, report["with_book"]):
        if part["butterfly_violations"] or part["calendar_violations"]:
            return (
                f"{part['butterfly_violations']} smiles admit butterflies and"
                f" {part['calendar_violations']} calendar spreads."
            )
    return ""


def command(
    folder: Path = typer.Argument(..., metavar="DIR", help="Snapshots of option chains."),
    through: str = typer.Option(THROUGH, help="Stamp of the last snapshot; later ones are left."),
    json_out: Path | None = typer.Option(None, "--json", help="Write here for machines; - prints."),
) -> None:
    """Fit the volatility surface to every snapshot."""
    if not folder.is_dir():
        end(USERS_MISTAKE, f"{folder} is not a folder; name the one of the snapshots.")
    if json_out is not None and str(json_out) != "-":
        refuse_unwritable("--json", json_out)
    with errors_named():
        from quorate.sim.options.snapshots import snapshot_paths, snapshot_read
        from quorate.sim.replays.read import FileRefused

        try:
            paths = snapshot_paths(folder, through)
            with Bar("Reading") as bar:
                snapshots = []
                for n, path in enumerate(paths):
                    bar.update(n, len(paths))
                    snapshots.append(snapshot_read(path))
        except FileRefused as refused:
            end(USERS_MISTAKE, str(refused))
        # Importing this compiles the kernels of the surface alone, where they are not yet.
        from quorate.sim.options.fitting import fits

        report = fits(snapshots)
    if json_out is not None and str(json_out) == "-":
        print_json(report)
    else:
        show(report)
        if json_out is not None:
            try:
                json_out.write_text(json.dumps(report, indent=1) + "\n", encoding="ascii")
            except OSError as error:
                end(USERS_MISTAKE, f"{json_out} cannot be written: {error.strerror}.")
    if found := wrong(report):
        end(FOUND_WRONG, found)
