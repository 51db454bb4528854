"""`quorate inspect`: show what a home holds. Takes no lock and changes nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import typer

from quorate.cli.console import Bar, errors_named, print_json

COLUMNS: Final = "  {:<14}{:>11}{:>11}{:>11}{:>16}{:>9}"


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
    segments = counted(log["segments"], "segment")
    found = [
        f"{tree['home']}: {tree['name']}, chain {chain['chain_id']}",
        f"  genesis hash  {chain['genesis_hash']}",
        f"  signer        {signer(tree)}",
        f"  height        {chain['height']}, version {chain['protocol_version']} of the rules",
        f"  block time    {chain['time_ms']} ms, {utc(chain['time_ms'])}",
        f"  state root    {chain['state_root']}",
        f"  accounts      {chain['accounts']}, orders open {chain['orders_open']}, "
        f"fees {money(chain['fees_e6'])}",
        f"  log           {segments} of {log['segment_bytes'] >> 20} MiB, "
        f"after height {log['height_before']}",
    ]
    if tree["validator"] is not None:
        found[3:3] = validator_lines(tree["validator"])
    if tree["cometbft"] is not None:
        found[2:3] = cometbft_lines(tree["cometbft"])
    if tree["halt"] is not None:
        halt = tree["halt"]
        height = "" if halt["height"] is None else f" at height {halt['height']}"
        found.insert(1, f"  HALTED{height}: {halt['reason']}")
    for note in tree["resumed"]:
        height = f" at height {note['height']}" if note["digest"] else ""
        found.append(f"  resumed       {note['resumed_for']}")
        found.append(f"                from a halt{height}: {note['halted_for']}")
    for snapshot in tree["snapshots"]:
        state = "sound" if snapshot["sound"] else "DAMAGED"
        found.append(f"  snapshot      {snapshot['name']}, height {snapshot['height']}, {state}")
    found.append(COLUMNS.format("market", "bid", "ask", "last", "open interest", "trades"))
    found.append(COLUMNS.format("", "ticks", "ticks", "ticks", "lots", ""))
    for row in tree["markets"]:
        prices = (row["bid"], row["ask"], row["last_ticks"] or None)
        found.append(COLUMNS.format(
            f"{row['market']:>3} {row['name']}",
            *("-" if price is None else price for price in prices),
            row["open_interest_lots"], row["trades_count"],
        ))  # fmt: skip
    for row in tree["assets"]:
        units = row["deposited"] - row["withdrawn"]
        found.append(f"  asset {row['asset']:>3} {row['name']:<10} supply {units} units")
    return found


def cometbft_lines(tree: dict[str, Any]) -> list[str]:
    """Write a node's place beside CometBFT, which signs for it, for a reader."""
    if tree["chain_id"] is None:
        chain = "CometBFT's home is elsewhere"
    else:
        chain = f"chain {tree['chain_id']}, node {tree['node_id']}"
    shown = [f"  cometbft      {chain}", f"                abci {tree['abci']}, rpc {tree['rpc']}"]
    if tree["me"] >= 0:
        shown.append(f"  validator     {tree['me']} of {tree['validators']} at genesis")
    return shown


def validator_lines(tree: dict[str, Any]) -> list[str]:
    """Write a validator's place for a reader."""
    shown = [
        f"  consensus     {tree['consensus_hash']}",
        f"  validator     {tree['me']} of {len(tree['validators'])}; weight {tree['quorum']} of "
        f"{tree['weight']} decides",
    ]
    for number, row in enumerate(tree["validators"]):
        weight = "" if row["weight"] == 1 else f":{row['weight']}"
        shown.append(f"    {number:<12}{row['key']}{weight}  {row['peer']}")
    signers = ", ".join(map(str, tree["certified_by"]))
    certified = f"height {tree['height_certified']}, by {signers}" if signers else "no height yet"
    shown.append(
        f"  certified     {certified}; {tree['heights_certified']} certificates in the log, "
        f"view {tree['view']}"
    )
    if tree["evidence"]:
        shown.append(f"  EVIDENCE      {counted(tree['evidence'], 'record')} of signed lies")
    return shown


def signer(tree: dict[str, Any]) -> str:
    """Write who signs."""
    key = tree["chain"]["signer"] or "unknown, for the key cannot be read"
    return str(key) if tree["checkpoint"] else f"{key}; nothing is signed yet"


def counted(count: int, noun: str) -> str:
    """Write a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def utc(time_ms: int) -> str:
    """Write a time in words."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def money(amount_e6: int) -> str:
    """Write money of 1e-6 of the quote."""
    whole, rest = divmod(abs(amount_e6), 1_000_000)
    return f"{'-' if amount_e6 < 0 else ''}{whole}.{rest:06d}"
