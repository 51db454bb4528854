"""`quorate options reprice`: recorded options against Black-76 in fixed point."""

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

# The last of the nine snapshots from before the crash of 2026-02-05 to after it.
THROUGH = "20260206T043012Z"
ERROR_MAX = 1e-8  # of a price against the same formula in floats, over the forward


def show(report: dict[str, Any]) -> None:
    """Print for people."""
    print(
        f"{report['rows']:,} options of {len(report['snapshots'])} snapshots:"
        f" median error {report['median_rel_error']:.4%}, 90th percentile"
        f" {report['p90_rel_error']:.4%} of the recorded mark"
    )
    print(
        f"{report['explained_by_rounding']:.1%} lie within the rounding of the recorded volatility"
        f" and mark; {report['rows_mark_zero']} rows with a mark of 0 are left out"
        f" (priced up to {report['price_at_mark_zero_max']:.1e})"
    )
    parity = report["with_parity_forward"]
    if parity is not None:
        print(
            f"with the forward that calls and puts imply: median {parity['median_rel_error']:.4%},"
            f" 90th percentile {parity['p90_rel_error']:.4%},"
            f" {parity['explained_by_rounding']:.1%} within rounding"
        )
    print(f"against floats: at most {report['float_difference_max']:.1e} of the forward")
    print(f"{'mark from':>12} {'rows':>7} {'median':>10} {'90th':>10}")
    for each in report["by_mark"]:
        errors = f"{each['median_rel_error']:>10.4%} {each['p90_rel_error']:>10.4%}"
        print(f"{each['mark_from']:>12} {each['rows']:>7,} {errors}")


def command(
    folder: Path = typer.Argument(..., metavar="DIR", help="Snapshots of option chains."),
    through: str = typer.Option(THROUGH, help="Stamp of the last snapshot; later ones are left."),
    json_out: Path | None = typer.Option(None, "--json", help="Write here for machines; - prints."),
) -> None:
    """Price every recorded option from its recorded volatility."""
    if not folder.is_dir():
        end(USERS_MISTAKE, f"{folder} is not a folder; name the one of the snapshots.")
    if json_out is not None and str(json_out) != "-":
        refuse_unwritable("--json", json_out)
    with errors_named():
        from quorate.cli.warm import warmed
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
        warmed()
        from quorate.sim.options.reprice import repriced

        report = repriced(snapshots)
    if json_out is not None and str(json_out) == "-":
        print_json(report)
    else:
        show(report)
        if json_out is not None:
            try:
                json_out.write_text(json.dumps(report, indent=1) + "\n", encoding="ascii")
            except OSError as error:
                end(USERS_MISTAKE, f"{json_out} cannot be written: {error.strerror}.")
    if report["float_difference_max"] > ERROR_MAX:
        end(FOUND_WRONG, f"A price is off by {report['float_difference_max']} of the forward.")
