"""`quorate replay-chain`: execute a home's blocks once more, under another engine, and compare."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, Bar, end, errors_named, print_json

if TYPE_CHECKING:
    from quorate.runtime.replay_chain import Compared

ENGINES: Final = ("solo",)


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home; its node may be running."),
    engine: str = typer.Option("solo", "--engine", help="What executes: solo."),
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Execute the finalized blocks of a home from genesis and compare every signed root."""
    if engine not in ENGINES:
        end(USERS_MISTAKE, f'--engine takes {" or ".join(ENGINES)}, not "{engine}".')
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.home import read_home

        found = read_home(home)
        warmed()
        # Importing this compiles what is not compiled yet, without a word.
        from quorate.runtime.replay_chain import replayed_chain

        with Bar("Executing the chain") as bar:
            compared = replayed_chain(found, bar.update)
    if as_json:
        print_json({"home": str(home), "engine": engine, **asdict(compared)})
    else:
        print("\n".join(lines(compared, engine)))
    if compared.different:
        raise typer.Exit(FOUND_WRONG)


def lines(compared: "Compared", engine: str) -> list[str]:
    """Write the comparison for a reader."""
    shown = [
        f"Executed {compared.heights} blocks with {compared.bundles} bundles and "
        f"{compared.commands} commands under {engine}, from genesis to root "
        f"{compared.root[:16]}.",
        f"Compared {compared.own} checkpoints of its own and {of_quorum(compared)}: "
        f"{compared.different or 'no'} difference{'' if compared.different == 1 else 's'}.",
    ]
    if compared.unreached:
        shown.append(f"CometBFT's headers were not compared. {compared.unreached}")
    shown += [f"  {sentence}" for sentence in compared.differences]
    if compared.different > len(compared.differences):
        shown.append(f"  and {compared.different - len(compared.differences)} more")
    return shown


def of_quorum(compared: "Compared") -> str:
    """Say what of the quorum's was compared."""
    if compared.headers or compared.unreached:
        return f"{compared.headers} headers of CometBFT"
    return f"{compared.certified} certificates of the quorum"
