"""`quorate init`: make a home, or the homes of all validators of a chain."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named, print_json

if TYPE_CHECKING:
    from quorate.runtime.home import Home


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A new or empty folder."),
    genesis: Path | None = typer.Option(
        None, "--genesis", help="The application's genesis; without it: the development chain."
    ),
    validators: int | None = typer.Option(
        None, "--validators", help="Make so many homes in HOME, one for each validator of a chain."
    ),
    hosts: str | None = typer.Option(
        None, "--hosts", help="Where each validator is reached, separated by commas: a,b,c,d."
    ),
    port_base: int | None = typer.Option(
        None, "--port-base", help="The first port between validators; 7700."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Make a home."""
    if validators is None and (hosts is not None or port_base is not None):
        end(USERS_MISTAKE, "--hosts and --port-base are for a chain of many; add --validators N.")
    with errors_named():
        if validators is None:
            make_one(home, genesis, as_json)
            return
        from quorate.runtime.validators import init_validators

        named = None if hosts is None else [host.strip() for host in hosts.split(",")]
        report(home, init_validators(home, validators, genesis, named, port_base), as_json)


def make_one(home: Path, genesis: Path | None, as_json: bool) -> None:
    """Make the home of a node alone. Raises as `init_home`."""
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


def report(folder: Path, homes: "list[Home]", as_json: bool) -> None:
    """Say what was made of a chain of many."""
    first = homes[0]
    assert first.consensus is not None and first.config.cluster is not None
    rows = [
        {
            "home": str(home.path),
            "listen": str(peer),
            "weight": validator.weight,
            "consensus_key": validator.consensus_key.hex(),
            "transport_key": validator.transport_key.hex(),
        }
        for home, peer, validator in zip(
            homes, first.config.cluster.peers, first.consensus.validators, strict=True
        )
    ]
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "chain_id": first.genesis.chain_id,
                "genesis_hash": first.genesis_hash.hex(),
                "consensus_hash": first.consensus_hash.hex(),
                "validators": rows,
            }
        )
        return
    name, chain_id = first.genesis.name, first.genesis.chain_id
    print(f"Made {folder}: {name}, chain {chain_id}, {strength(first)}.")
    print(f"  genesis hash    {first.genesis_hash.hex()}")
    print(f"  consensus hash  {first.consensus_hash.hex()}")
    for home, row in zip(homes, rows, strict=True):
        print(f"  {home.path.name:<14}  {row['listen']}, signer {row['consensus_key']}")
    print("Each folder is one validator's whole home: move it to its machine, with its keys.")
    print(f"Start each: quorate run {first.path}")


def strength(home: "Home") -> str:
    """Say in words how many validators decide, and how many may fail. Equal weights."""
    from quorate.runtime.validators import validator_set
    from quorate.types.consensus import faulty_weight_max

    assert home.consensus is not None
    votes = validator_set(home.consensus)
    count, spare = len(votes.keys), faulty_weight_max(votes.total)
    if count == 1:
        return "1 validator"
    may = f"{spare} may fail" if spare else "none may fail"
    return f"{count} validators, {votes.quorum} decide, {may}"
