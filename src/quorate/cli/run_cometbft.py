"""`quorate run` for the home of a node whose blocks CometBFT orders."""

import json
import time

from quorate.cli.console import Bar
from quorate.runtime.cometbft.begin import Begun, begin
from quorate.runtime.cometbft.node import run_comet_node
from quorate.runtime.home import Home


def run_cometbft(home: Home, as_json: bool) -> None:
    """Run the node until SIGTERM or SIGINT. Raises as `begin` and `run_comet_node`."""
    before_s = time.monotonic()
    with Bar("Replaying the log") as bar:
        begun = begin(home, bar.update)
    seconds = time.monotonic() - before_s

    def announce(endpoint: str) -> None:
        if as_json:
            print(json.dumps(facts(begun, endpoint, seconds)), flush=True)
        else:
            told(home, begun, endpoint, seconds)

    run_comet_node(home, begun, announce)
    if not as_json:
        executor = begun.ledger.executor
        print(f"Stopped at height {executor.height}, root {executor.root.hex()[:16]}.")


def facts(begun: Begun, endpoint: str, seconds: float) -> dict[str, object]:
    """Say for machines where the node is and what it took."""
    executor = begun.ledger.executor
    return {
        "height": executor.height,
        "state_root": executor.root.hex(),
        "endpoint": endpoint,
        "snapshot": begun.snapshot,
        "blocks_replayed": begun.blocks,
        "commands_replayed": begun.commands,
        "recovery_s": round(seconds, 3),
        "torn_at": begun.torn.offset if begun.torn else None,
    }


def told(home: Home, begun: Begun, endpoint: str, seconds: float) -> None:
    """Say where the node is and what it took."""
    if begun.torn is not None:
        print(
            f"Cut an unfinished write from segment {begun.torn.segment}, "
            f"offset {begun.torn.offset}; CometBFT tells that block again."
        )
    executor = begun.ledger.executor
    source = f"snapshot {begun.snapshot}" if begun.snapshot else "genesis"
    assert home.config.cometbft is not None
    print(
        f"Height {executor.height}, root {executor.root.hex()[:16]}: {source} and "
        f"{begun.blocks} blocks of the log, {seconds:.1f} s."
    )
    print(f"Waiting for CometBFT at {home.config.cometbft.abci}; its RPC is at "
          f"{home.config.cometbft.rpc}.")  # fmt: skip
    print(f"Listening at {endpoint}. Stop with Ctrl-C.", flush=True)
