"""`quorate inspect`: show what a home holds. Takes no lock and changes nothing."""

from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import Bar, errors_named, print_json


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home; its node may be running."),
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Show chain, markets, accounts, log and snapshots of a home."""
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.home import read_home

        found = read_home(home)
        warmed()
        # Importing this compiles what is not compiled yet, without a word.
        from quorate.runtime.survey import survey

        with Bar("Replaying the log") as bar:
            tree = survey(found, bar.update)
        if as_json:
            print_json(tree)
        else:
            print("\n".join(lines(tree)))


def lines(tree: dict[str, Any]) -> list[str]:
    """Write the survey for a reader."""
    chain, log = tree["chain"], tree["log"]
    found = [
        f"{tree['home']}: {tree['name']}, chain {chain['chain_id']}",
        f"  genesis hash  {chain['genesis_hash']}",
        f"  signer        {chain['signer'] or 'nothing is signed yet'}",
        f"  height        {chain['height']}, block time {chain['time_ms']} ms, "
        f"version {chain['protocol_version']} of the rules",
        f"  state root    {chain['state_root']}",
        f"  accounts      {chain['accounts']}, orders open {chain['orders_open']}, "
        f"fees {money(chain['fees_e6'])}",
        f"  log           {log['segments']} segments of {log['segment_bytes'] >> 20} MiB, "
        f"after height {log['height_before']}",
    ]
    if tree["halt"] is not None:
        halt = tree["halt"]
        found.insert(1, f"  HALTED at height {halt['height']}: {halt['reason']}")
    for snapshot in tree["snapshots"]:
        state = "sound" if snapshot["sound"] else "DAMAGED"
        found.append(f"  snapshot      {snapshot['name']}, height {snapshot['height']}, {state}")
    found.append("  market            bid        ask       last   open interest   trades")
    for row in tree["markets"]:
        found.append(
            f"  {row['market']:>3} {row['name']:<10}{row['bid']:>11}{row['ask']:>11}"
            f"{row['last_ticks']:>11}{row['open_interest_lots']:>16}{row['trades_count']:>9}"
        )
    for row in tree["assets"]:
        units = row["deposited"] - row["withdrawn"]
        found.append(f"  asset {row['asset']:>3} {row['name']:<10} supply {units} units")
    return found


def money(amount_e6: int) -> str:
    """Write money of 1e-6 of the quote."""
    whole, rest = divmod(abs(amount_e6), 1_000_000)
    return f"{'-' if amount_e6 < 0 else ''}{whole}.{rest:06d}"
