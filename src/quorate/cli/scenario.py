"""`quorate scenario run`: real trouble, replayed, against tables written before the run."""

import json
import os
import sys
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

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def data_folder(data: Path | None) -> Path:
    """Where recorded data lies: --data, $QUORATE_DATA, or beside the checkout."""
    if data is not None:
        if not data.is_dir():
            end(USERS_MISTAKE, f"--data {data} is not a folder.")
        return data
    return Path(os.environ.get("QUORATE_DATA") or SHARED)


def names_wanted(names: list[str], everything: bool) -> list[str]:
    """The scenarios to run, in order."""
    from quorate.sim.scenarios.clearing.description import scenario_names

    known = scenario_names()
    unknown = [name for name in names if name not in known]
    if unknown:
        end(USERS_MISTAKE, f"There is no scenario {unknown[0]}; --list names them.")
    if everything:
        return known
    if not names:
        end(USERS_MISTAKE, "Name a scenario, or give --all; --list names them.")
    return names


def print_list() -> None:
    """Print what can be run."""
    from quorate.sim.scenarios.clearing.description import scenario_load, scenario_names

    for name in scenario_names():
        print(f"{name:22} {scenario_load(name).says}")


def missing_files(scenario: Any, data: Path) -> list[str]:
    """Recorded files that a scenario needs and that are not there."""
    return [name for name in scenario.files if not (data / name).is_file()]


def print_outcome(tree: dict[str, Any]) -> None:
    """Print a line for people, and the lines of the table that fail."""
    figures, fund = tree["figures"], tree["insurance_fund"]
    auction_s = sum(tree["time_in_auction_ms"].values()) // 1000
    print(
        f"{tree['name']:22} {'passed' if tree['passed'] else 'FAILED'}  "
        f"{figures['accounts']:,} accounts, {figures['blocks']:,} blocks, "
        f"{figures['liquidated']:,} liquidation steps, "
        f"deleveraged {tree['adl_notional'] // 10**6:,} USD "
        f"(least {tree['adl_least'] // 10**6:,}), "
        f"insurance {fund['start'] // 10**6:,} / {fund['min'] // 10**6:,} / "
        f"{fund['end'] // 10**6:,} USD, bad debt {tree['bad_debt'] // 10**6:,} USD, "
        f"auction {auction_s:,} s, conservation {tree['conservation_delta']}, "
        f"{tree['receipts_checked']:,} receipts, {tree['receipts_wrong']:,} wrong",
        flush=True,
    )
    for each in tree["expected"]:
        if not each["holds"]:
            bounds = f"{each['least']} to {each['most']}"
            print(f"  {each['figure']}: found {each['found']}, expected {bounds}: {each['why']}")
    for sentence in tree["faults"]:
        print(f"  receipt: {sentence}")


def table_of(tree: dict[str, Any]) -> str:
    """What was expected of a scenario and what was found, as a table in Markdown."""
    lines = [f"### {tree['name']}", ""]
    if "skipped" in tree:
        return "\n".join([*lines, tree["skipped"], ""])
    figures = tree["figures"]
    lines.append(
        f"{figures['accounts']:,} accounts, {figures['blocks']:,} blocks, "
        f"{figures['accounts_liquidated']:,} accounts liquidated in {figures['liquidated']:,} "
        f"steps, {tree['receipts_checked']:,} receipts checked."
    )
    lines += ["", "| figure | expected | found | holds | why |", "|---|---|---|---|---|"]
    for each in tree["expected"]:
        holds = "yes" if each["holds"] else "**no**"
        row = (each["figure"], each["bounds"], f"{each['found']:,}", holds, each["why"])
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join([*lines, ""])


def run_one(
    name: str, data: Path, spec: bool, plots: Path | None, quiet: bool
) -> dict[str, Any]:
    """Run one scenario; a tree that says why where its data is missing."""
    from quorate.sim.scenarios.clearing.description import scenario_load
    from quorate.sim.scenarios.clearing.run import Run, tree_of

    scenario = scenario_load(name)
    missing = missing_files(scenario, data)
    if missing:
        why = f"{missing[0]} is not below {data}; name its folder by --data or $QUORATE_DATA."
        sys.stderr.write(f"{name:22} skipped: {why}\n")
        return {"name": name, "skipped": why}
    with Bar(f"Running {name}") as bar:
        outcome = Run(scenario, data, spec).go(bar.update)
    tree = tree_of(outcome)
    if not quiet:
        print_outcome(tree)
    if plots is not None:
        from quorate.sim.scenarios.clearing.plots import draw

        draw(outcome, plots / f"{name}.png")
    return tree


def refuse_plots(plots: Path | None) -> None:
    """Find out before the work that no picture can be drawn."""
    if plots is None:
        return
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        end(USERS_MISTAKE, "--plots needs matplotlib: pip install 'quorate[plots]'.")
    if not plots.is_dir():
        end(USERS_MISTAKE, f"--plots {plots} must be a folder that exists.")


def command(
    action: str = typer.Argument("run", help="run."),
    names: list[str] = typer.Argument(None, help="Scenarios; see --list."),
    everything: bool = typer.Option(False, "--all", help="Run all of them."),
    show_list: bool = typer.Option(False, "--list", help="List the scenarios."),
    json_out: Path | None = typer.Option(None, "--json", help="Write here for machines; - prints."),
    table: Path | None = typer.Option(None, "--table", help="Write a Markdown table here."),
    plots: Path | None = typer.Option(None, "--plots", help="Draw a PNG of each into this folder."),
    data: Path | None = typer.Option(None, "--data", help="Folder of recorded data."),
    spec: bool = typer.Option(False, "--spec", help="On the readable definition; slow."),
) -> None:
    """Replay real trouble through the clearing house."""
    if show_list:
        print_list()
        return
    if action != "run":
        end(USERS_MISTAKE, f"quorate scenario takes run, not {action}.")
    wanted = names_wanted(names or [], everything)
    if json_out is not None and str(json_out) != "-":
        refuse_unwritable("--json", json_out)
    if table is not None:
        refuse_unwritable("--table", table)
    refuse_plots(plots)
    folder = data_folder(data)
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.sim.replays.read import FileRefused
        from quorate.sim.scenarios.clearing.description import ScenarioRefused

        if not spec:
            warmed()
        try:
            quiet = str(json_out) == "-"
            trees = [run_one(name, folder, spec, plots, quiet) for name in wanted]
        except (FileRefused, ScenarioRefused) as refused:
            end(USERS_MISTAKE, str(refused))
        if table is not None:
            table.write_text("\n".join(map(table_of, trees)), "ascii")
        if json_out is not None and str(json_out) == "-":
            print_json({"scenarios": trees})
        elif json_out is not None:
            json_out.write_text(json.dumps({"scenarios": trees}, indent=1) + "\n", "ascii")
        failed = [tree["name"] for tree in trees if not tree.get("passed", True)]
        if failed:
            end(FOUND_WRONG, f"Not as expected: {', '.join(failed)}.")
