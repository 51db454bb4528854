"""`quorate replay`: recorded market data through the whole path, and what came out."""

import importlib
import json
from pathlib import Path
from typing import Any, Final

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

# format: (rows by default, 0 for all; reproduced executions demanded of a whole file, per mille)
FORMATS: Final = {
    "lobster": (0, 985),
    "bitstamp": (0, 950),
    "bitmex": (20_160, 0),
    "binance": (0, 0),
}
SHOWN: Final = (
    "messages", "commands", "bundles", "blocks", "fills", "filled_lots", "rejects",
    "margin_rejects", "executions_recorded", "executions_reproduced", "reproduced_open_loop",
    "resyncs", "trades", "trades_filled_whole", "spread", "unmatched_by_reason",
    "conservation_delta", "state_root", "commands_per_second", "time_ms",
)  # fmt: skip


def refuse_arguments(
    file: Path, format_name: str, json_out: Path | None, limit: int | None
) -> None:
    """Find the user's mistakes before anything is compiled."""
    if format_name not in FORMATS:
        end(USERS_MISTAKE, f"--format must be one of {', '.join(FORMATS)}.")
    if not file.is_file():
        end(USERS_MISTAKE, f"{file} is not a file; name a recorded one.")
    if limit is not None and limit < 0:
        end(USERS_MISTAKE, "--limit must be 0 (all rows) or more.")
    if json_out is not None and str(json_out) != "-":
        refuse_unwritable("--json", json_out)


def replayed(file: Path, format_name: str, limit: int, seed: int) -> dict[str, Any]:
    """Run the replay of one format. Raises FileRefused."""
    import os
    import time
    from concurrent.futures import ThreadPoolExecutor

    from quorate.cli.warm import warmed
    from quorate.sim.replays.formats import read

    # A file that cannot be used is refused before kernels are compiled for it.
    records = read(file, format_name, limit)
    warmed()
    from quorate.sim.replays.venue import World

    replay = importlib.import_module(f"quorate.sim.replays.{format_name}").replay
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool, Bar(f"Replaying {file.name}") as bar:
        world = World(time.perf_counter_ns, pool.map, bar.update)
        found: dict[str, Any] = replay(records, world, seed)
        return found


def findings(report: dict[str, Any], per_mille: int) -> list[str]:
    """Say what was found wrong, one sentence each."""
    found = []
    if report["conservation_delta"]:
        found.append(f"Money or units appeared or vanished: {report['conservation_delta']}.")
    if report["self_trades"]:
        found.append(f"An account traded with itself {report['self_trades']} times.")
    recorded, came_out = report.get("executions_recorded", 0), report.get("executions_reproduced")
    if came_out is not None and came_out * 1000 < recorded * per_mille:
        found.append(
            f"Only {came_out} of {recorded} recorded executions came out; "
            f"at least {per_mille} of 1000 must."
        )
    if report.get("unexplained"):
        found.append(f"{report['unexplained']} executions that had to come out did not.")
    return found


def show(report: dict[str, Any]) -> None:
    """Print for people."""
    for name in SHOWN:
        value = report.get(name)
        if value == {}:
            print(f"{name}: none")
        elif isinstance(value, dict):
            print(f"{name}:")
            for key, part in value.items():
                print(f"  {key}: {part}")
        elif value is not None:
            print(f"{name}: {value}")


def command(
    file: Path = typer.Argument(..., help="A recorded file, plain, .gz or .xz."),
    format_name: str = typer.Option(..., "--format", help=f"One of {', '.join(FORMATS)}."),
    json_out: Path | None = typer.Option(None, "--json", help="Write here for machines; - prints."),
    limit: int | None = typer.Option(
        None, "--limit", help="So many rows, 0 for all. Default: all, of bitmex two weeks."
    ),
    seed: int = typer.Option(1, "--seed", help="Of the population (bitmex, binance)."),
) -> None:
    """Run recorded market data through admission, execution and commitment."""
    refuse_arguments(file, format_name, json_out, limit)
    rows, per_mille = FORMATS[format_name]
    with errors_named():
        from quorate.sim.replays.read import FileRefused

        try:
            report = replayed(file, format_name, rows if limit is None else limit, seed)
        except FileRefused as refused:
            end(USERS_MISTAKE, str(refused))
        if json_out is None:
            show(report)
        elif str(json_out) == "-":
            print_json(report)
        else:
            show(report)
            try:
                json_out.write_text(json.dumps(report, indent=1) + "\n", encoding="ascii")
            except OSError as error:
                end(USERS_MISTAKE, f"{json_out} cannot be written: {error.strerror}.")
        # The bar is for whole files: the first rows name mostly orders that are older than they.
        wrong = findings(report, 0 if limit else per_mille)
        if wrong:
            end(FOUND_WRONG, " ".join(wrong))
