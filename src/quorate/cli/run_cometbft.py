"""`quorate run` for the home of a node whose blocks CometBFT orders."""

from quorate.cli.started import tell, tell_end, timed
from quorate.runtime.cometbft.begin import begin
from quorate.runtime.cometbft.node import run_comet_node
from quorate.runtime.endpoint import abci_endpoint
from quorate.runtime.home import Home


def run_cometbft(home: Home, as_json: bool) -> None:
    """Run the node until SIGTERM or SIGINT. Raises as `begin` and `run_comet_node`."""
    assert home.config.cometbft is not None
    abci = abci_endpoint(home.path, home.config.cometbft.abci)
    begun, seconds = timed(home, begin)
    waiting = f"CometBFT is expected at {abci}, its RPC at {home.config.cometbft.rpc}."

    def announce(endpoint: str) -> None:
        tell(begun, endpoint, seconds, as_json, more=(waiting,))

    run_comet_node(home, begun, announce)
    tell_end(begun, as_json)
