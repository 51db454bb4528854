"""`quorate prove`: write a proof of an account, an order or an event."""

from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import USERS_MISTAKE, Bar, end, errors_named


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home; its node may be running."),
    account: str = typer.Option("", "--account", help="A number, or 0x and an address."),
    order: int = typer.Option(0, "--order", help="The id of an open order."),
    event: str = typer.Option("", "--event", help="HEIGHT:INDEX of an event in its block."),
    height: int | None = typer.Option(
        None, "--height", help="Of accounts and orders: as of this height, not the last."
    ),
    out: Path | None = typer.Option(None, "--out", help="Where to write; without it: stdout."),
) -> None:
    """Write a proof under the signed checkpoint of a height. Works while the node runs."""
    question = question_of(account, order, event)
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.home import read_home

        found = read_home(home)
        warmed()
        # Importing this compiles what is not compiled yet, without a word.
        from quorate.runtime.proving import prove

        with Bar("Replaying the log") as bar:
            proof = prove(found, question, height, bar.update)
        if out is None:
            print(proof)
            return
        try:
            out.write_text(proof, encoding="ascii")
        except OSError as error:
            end(USERS_MISTAKE, f"{out} cannot be written: {error.strerror}.")
        print(f"Wrote {out}, {len(proof)} bytes.")


def question_of(account: str, order: int, event: str) -> dict[str, Any]:
    """Read what is to be proved; exactly one thing."""
    if bool(account) + bool(order) + bool(event) != 1:
        end(USERS_MISTAKE, "Name one of --account, --order and --event.")
    if order:
        return {"order_id": order}
    if account.isdigit():
        return {"account": int(account)}
    if account:
        return {"address": account}
    block, colon, index = event.partition(":")
    if not (colon and block.isdigit() and index.isdigit()):
        end(USERS_MISTAKE, "Give --event as HEIGHT:INDEX, two numbers.")
    return {"event": (int(block), int(index))}
