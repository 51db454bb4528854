"""`quorate init`: make a home."""

from pathlib import Path

import typer

from quorate.cli.console import errors_named, print_json


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A new or empty folder."),
    genesis: Path | None = typer.Option(
        None, "--genesis", help="The application's genesis; without it: the development chain."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Make a home."""
    with errors_named():
        from quorate.runtime.home import init_home, signer_of

        made = init_home(home, genesis)
        _, signer = signer_of(home)
        if as_json:
            print_json(
                {
                    "home": str(home),
                    "chain_id": made.genesis.chain_id,
                    "genesis_hash": made.genesis_hash.hex(),
                    "signer": signer.hex(),
                }
            )
            return
        print(f"Made {home}: {made.genesis.name}, chain {made.genesis.chain_id}.")
        print(f"  genesis hash  {made.genesis_hash.hex()}")
        print(f"  signer        {signer.hex()}")
        print(f"Start it: quorate run {home}")
