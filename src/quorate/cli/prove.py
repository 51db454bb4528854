"""`quorate prove`: write a proof of an account, an order or an event."""

import os
import re
from pathlib import Path
from typing import Any, Final

import typer

from quorate.cli.console import USERS_MISTAKE, Bar, end, errors_named, refuse_unwritable

NUMBER: Final = re.compile("[0-9]{1,19}")
ADDRESS: Final = re.compile("0x[0-9a-fA-F]{40}")


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home; its node may be running."),
    account: str | None = typer.Option(None, help="A number, or 0x and 40 hex digits."),
    order: int | None = typer.Option(None, help="The id of an open order."),
    event: str | None = typer.Option(None, help="HEIGHT:INDEX of an event in its block."),
    height: int | None = typer.Option(
        None, help="Of accounts and orders: as of this height, not the last. A validator's home "
        "proves heights that a quorum certified.",
    ),
    out: Path | None = typer.Option(
        None, help="A new file, not in the home; without it: stdout."
    ),
) -> None:
    """Write a proof under the signed checkpoint of a height. Works while the node runs."""
    question = question_of(account, order, event)
    refuse_height(height, question)
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.home import read_home

        found = read_home(home)
        if out is not None:
            refuse_out(out, home)
        warmed()
        # Importing this compiles what is not compiled yet, without a word.
        from quorate.runtime.proving import prove

        with Bar("Replaying the log") as bar:
            proof = prove(found, question, height, bar.update)
        if out is None:
            print(proof)
            return
        try:
            # Should a file have come there meanwhile, it stays as it is.
            with out.open("x", encoding="ascii") as file:
                file.write(proof)
        except OSError as error:
            end(USERS_MISTAKE, f"{out} cannot be written: {error.strerror}.")
        print(f"Wrote {out}, {len(proof)} bytes.")


def refuse_out(out: Path, home: Path) -> None:
    """Refuse to write over anything, or among the node's own files."""
    if os.path.lexists(out):
        end(USERS_MISTAKE, f"--out {out} exists already; name a new file.")
    if out.resolve().is_relative_to(home.resolve()):
        end(USERS_MISTAKE, f"--out {out} lies in the home; name a file elsewhere.")
    refuse_unwritable("--out", out)


def refuse_height(height: int | None, question: dict[str, Any]) -> None:
    """Refuse a height that is none, and one that an event does not need."""
    if height is not None and "event" in question:
        end(USERS_MISTAKE, "--event HEIGHT:INDEX names its height itself; leave --height out.")
    if height is not None and height < 0:
        end(USERS_MISTAKE, "--height takes an integer of 0 or more.")


def question_of(account: str | None, order: int | None, event: str | None) -> dict[str, Any]:
    """Read what is to be proved; exactly one thing."""
    if [account, order, event].count(None) != 2:
        end(USERS_MISTAKE, "Name one of --account, --order and --event.")
    if order is not None:
        if order < 1:
            end(USERS_MISTAKE, "--order takes an integer above 0.")
        return {"order_id": order}
    if account is not None:
        if NUMBER.fullmatch(account):
            return {"account": int(account)}
        if not ADDRESS.fullmatch(account):
            end(USERS_MISTAKE, "--account takes a number, or 0x and 40 hex digits.")
        return {"address": account}
    block, _, index = str(event).partition(":")
    if not (NUMBER.fullmatch(block) and NUMBER.fullmatch(index)):
        end(USERS_MISTAKE, "--event takes HEIGHT:INDEX, two numbers.")
    return {"event": (int(block), int(index))}
