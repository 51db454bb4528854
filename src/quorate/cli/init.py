"""`quorate init`: make a home, or the homes of all validators of a chain."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named, print_json, refuse_engine

if TYPE_CHECKING:
    from quorate.runtime.home import Home


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A new or empty folder."),
    genesis: Path | None = typer.Option(
        None, "--genesis", help="The application's genesis; without it: the development chain."
    ),
    engine: str | None = typer.Option(
        None, "--engine", help="Who orders the chain: solo, cluster or cometbft. Without it: solo, "
        "and cluster with --validators.",
    ),
    validators: int | None = typer.Option(
        None, "--validators", help="Make so many homes in HOME, one for each validator of a chain."
    ),
    hosts: str | None = typer.Option(
        None, "--hosts", help="Where each validator is reached, separated by commas: a,b,c,d."
    ),
    port_base: int | None = typer.Option(
        None, "--port-base", help="The first port between validators; 7700, of cometbft 26656."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print for machines."),
) -> None:
    """Make a home."""
    many = validators is not None
    refuse_engine(engine, ("solo", "cluster", "cometbft"))
    if engine == "solo" and many:
        end(USERS_MISTAKE, "--engine solo is a node alone; leave --validators out.")
    if engine == "cluster" and not many:
        end(USERS_MISTAKE, "--engine cluster is for a chain of many; add --validators N.")
    if validators is None and (hosts is not None or port_base is not None):
        end(USERS_MISTAKE, "--hosts and --port-base are for a chain of many; add --validators N.")
    with errors_named():
        if validators is None:
            (make_comet_node if engine == "cometbft" else make_one)(home, genesis, as_json)
            return
        named = None if hosts is None else [host.strip() for host in hosts.split(",")]
        if engine == "cometbft":
            from quorate.runtime.cometbft.homes import init_comet

            report_comet(home, init_comet(home, validators, genesis, named, port_base), as_json)
            return
        from quorate.runtime.validators import init_validators

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


def make_comet_node(home: Path, genesis: Path | None, as_json: bool) -> None:
    """Make our half of a node whose CometBFT home is another's work. Raises as `init_home`."""
    from quorate.runtime.cometbft.homes import app_state, init_comet_node, proxy_app

    made = init_comet_node(home, genesis)
    assert made.config.cometbft is not None
    tree = {
        "home": str(home),
        "chain_id": made.genesis.chain_id,
        "genesis_hash": made.genesis_hash.hex(),
        "app_state": app_state(made.genesis),
        "proxy_app": proxy_app(made),
        "rpc": str(made.config.cometbft.rpc),
    }
    if as_json:
        print_json(tree)
        return
    print(f"Made {home}: {made.genesis.name}, chain {made.genesis.chain_id}, our half alone.")
    print(f"  genesis hash  {made.genesis_hash.hex()}")
    print(f"  app_state     {json.dumps(tree['app_state'])}, of CometBFT's genesis")
    print(f"  rpc           {tree['rpc']}, of CometBFT; config.toml names another")
    print(f"Start it: quorate run {home}")
    print(f"  and beside it: cometbft start --home CMTHOME --proxy_app {tree['proxy_app']}")


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


def report_comet(folder: Path, homes: "list[Home]", as_json: bool) -> None:
    """Say what was made of a chain that CometBFT orders."""
    from quorate.runtime.cometbft.homes import comet_place, proxy_app
    from quorate.runtime.home import COMETBFT_FOLDER

    first, places = homes[0], [comet_place(home) for home in homes]
    if as_json:
        rows = [
            {
                "home": str(home.path),
                "cometbft_home": str(home.path / COMETBFT_FOLDER),
                "node_id": place.node_id,
                "p2p": str(place.listen),
                "rpc": str(home.config.cometbft.rpc),
                "proxy_app": proxy_app(home),
            }
            for home, place in zip(homes, places, strict=True)
            if home.config.cometbft is not None
        ]
        print_json(
            {
                "folder": str(folder),
                "chain_id": first.genesis.chain_id,
                "genesis_hash": first.genesis_hash.hex(),
                "cometbft_chain_id": places[0].chain_id,
                "validators": rows,
            }
        )
        return
    name, chain_id = first.genesis.name, first.genesis.chain_id
    print(f"Made {folder}: {name}, chain {chain_id}, {strength(first)}.")
    print(f"  genesis hash    {first.genesis_hash.hex()}")
    print(f"  cometbft chain  {places[0].chain_id}")
    for home, place in zip(homes, places, strict=True):
        print(f"  {home.path.name:<14}  port {place.listen.port}, node {place.node_id}")
    print("Each folder is one validator's whole home: move it to its machine, with its keys.")
    print(f"Start each: quorate run {first.path}")
    start = f"cometbft start --home {first.path / COMETBFT_FOLDER} --proxy_app {proxy_app(first)}"
    print(f"  and beside it: {start}")


def strength(home: "Home") -> str:
    """Say in words how many validators decide, and how many may fail. Equal weights."""
    from quorate.runtime.cometbft.homes import comet_place
    from quorate.runtime.validators import validator_set
    from quorate.types.consensus import faulty_weight_max

    if home.consensus is None:
        count = total = comet_place(home).count
        quorum = 2 * total // 3 + 1  # CometBFT's: more than two thirds
    else:
        votes = validator_set(home.consensus)
        count, total, quorum = len(votes.keys), votes.total, votes.quorum
    if count == 1:
        return "1 validator"
    spare = faulty_weight_max(total)
    may = f"{spare} may fail" if spare else "none may fail"
    return f"{count} validators, {quorum} decide, {may}"
