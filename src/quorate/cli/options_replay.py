"""`quorate options replay`: margin through recorded option chains, and who would have been hit."""

import json
from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named, print_json, refuse_unwritable
from quorate.cli.options_reprice import THROUGH


def replayed(folder: Path, through: str, accounts: int, seed: int) -> dict[str, Any]:
    """Read the chains and follow the accounts. Raises FileRefused."""
    from quorate.cli.warm import warmed
    from quorate.sim.options.chains import chains

    read = chains(folder, through)
    warmed()  # for good files alone
    from quorate.sim.options.crash import replay

    return replay(read, accounts, seed)


def shown(report: dict[str, Any]) -> None:
    """Print what was found for people."""
    for chain in report["chains"]:
        index = ", ".join(f"{c} {e6 / 1e6:,.0f}" for c, e6 in sorted(chain["index_e6"].items()))
        hit = ", ".join(
            f"{name} {report['summary'][name]['by_chain'][chain['stamp']]}"
            for name in ("standard", "portfolio")
        )
        print(f"{chain['stamp']}  {index:24}  liquidated: {hit}")
    for name in ("standard", "portfolio"):
        found = report["summary"][name]
        print(
            f"{name} margin: {found['liquidated']} of {found['accounts']} accounts,"
            f" {found['below_zero_when_found']} below zero when found;"
            f" initial margin in all {found['initial_e6'] / 1e6:,.0f}"
        )
        styles = ", ".join(f"{style} {n}" for style, n in found["by_style"].items() if n)
        print(f"  {styles or 'no style'}")
    hedged = report["summary"]["portfolio"]["hedge_would_do"]
    print(f"a hedge in the perpetual would have been enough for {hedged} of portfolio margin's")


def command(
    folder: Path = typer.Argument(..., metavar="DIR", help="Folder of recorded option chains."),
    json_out: Path | None = typer.Option(None, "--json", help="Write the report there; - prints."),
    accounts: int = typer.Option(240, min=1, max=100_000, help="Accounts to draw."),
    seed: int = typer.Option(1, help="By which they are drawn."),
    through: str = typer.Option(THROUGH, help="Stamp of the last chain; later ones are left."),
) -> None:
    """Follow seeded portfolios through recorded chains under standard and portfolio margin."""
    if not folder.is_dir():
        end(USERS_MISTAKE, f"{folder} is not a folder; name one of recorded option chains.")
    if json_out is not None and str(json_out) != "-":
        refuse_unwritable("--json", json_out)
    from quorate.sim.replays.read import FileRefused

    with errors_named():
        try:
            report = replayed(folder, through, accounts, seed)
        except FileRefused as error:
            end(USERS_MISTAKE, str(error))
    if json_out is not None and str(json_out) == "-":
        print_json(report)
        return
    shown(report)
    if json_out is not None:
        json_out.write_text(json.dumps(report, indent=1) + "\n")
