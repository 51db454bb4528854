"""`quorate run`: run the node of a home."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quorate.cli.console import errors_named

if TYPE_CHECKING:
    from quorate.runtime.home import Home


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
    from quorate.cli.started import tell, tell_end, timed
    from quorate.runtime.node import run_node
    from quorate.runtime.start import refuse_halted, start

    refuse_halted(home)
    started, seconds = timed(home, start)

    def announce(endpoint: str) -> None:
        tell(started, endpoint, seconds, as_json)

    run_node(home, started.files, started.replica, announce)
    tell_end(started, as_json)
