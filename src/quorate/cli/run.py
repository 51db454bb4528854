"""`quorate run`: run the node of a home."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quorate.cli.console import Bar, errors_named

if TYPE_CHECKING:
    from quorate.runtime.home import Home
    from quorate.runtime.start import Started


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home that `init` has made."),
    as_json: bool = typer.Option(False, "--json", help="Say in one line for machines where."),
) -> None:
    """Run the node of a home until SIGTERM or SIGINT."""
    with errors_named():
        from quorate.cli.warm import warmed
        from quorate.runtime.config import CLUSTER, COMETBFT
        from quorate.runtime.endpoint import abci_endpoint, listen_endpoint
        from quorate.runtime.home import read_home

        found = read_home(home)
        listen_endpoint(found.path, found.config.listen)
        if found.config.cometbft is not None:
            from quorate.runtime.cometbft.binary import refuse_without_libraries

            abci_endpoint(found.path, found.config.cometbft.abci)
            refuse_without_libraries()
        warmed()
        # Importing these compiles what is not compiled yet, without a word.
        if found.engine == COMETBFT:
            from quorate.cli.run_cometbft import run_cometbft

            run_cometbft(found, as_json)
        elif found.engine == CLUSTER:
            from quorate.cli.run_validator import run_validator

            run_validator(found, as_json)
        else:
            run_alone(found, as_json)


def run_alone(home: "Home", as_json: bool) -> None:
    """Run a node alone. Raises as `start` and `run_node`."""
    from quorate.runtime.node import run_node
    from quorate.runtime.start import refuse_halted, start

    refuse_halted(home)
    before_s = time.monotonic()
    with Bar("Replaying the log") as bar:
        started = start(home, bar.update)
    seconds = time.monotonic() - before_s

    def announce(endpoint: str) -> None:
        report(started, endpoint, seconds, as_json)

    run_node(home, started.files, started.replica, announce)
    if not as_json:
        executor = started.replica.executor
        print(f"Stopped at height {executor.height}, root {executor.root.hex()[:16]}.")


def report(it: "Started", endpoint: str, seconds: float, as_json: bool) -> None:
    """Say where the node is and what it took."""
    executor = it.replica.executor
    if as_json:
        tree = {
            "height": executor.height,
            "state_root": executor.root.hex(),
            "endpoint": endpoint,
            "snapshot": it.snapshot,
            "blocks_replayed": it.blocks,
            "commands_replayed": it.commands,
            "recovery_s": round(seconds, 3),
            "torn_at": it.torn.offset if it.torn else None,
        }
        print(json.dumps(tree), flush=True)
        return
    if it.torn is not None:
        print(
            f"Cut an unfinished write from segment {it.torn.segment}, "
            f"offset {it.torn.offset}; nothing in it was acknowledged."
        )
    source = f"snapshot {it.snapshot}" if it.snapshot else "genesis"
    print(
        f"Height {executor.height}, root {executor.root.hex()[:16]}: {source} and "
        f"{it.blocks} blocks of the log, {seconds:.1f} s."
    )
    print(f"Listening at {endpoint}. Stop with Ctrl-C.", flush=True)
