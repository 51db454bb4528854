"""`quorate run` for the home of a validator of a chain of many."""

import json
import time

from quorate.cli.console import Bar
from quorate.runtime.cluster.begin import Begun, begin
from quorate.runtime.cluster.node import run_cluster_node
from quorate.runtime.errors import NodeRestart
from quorate.runtime.home import Home


def run_validator(home: Home, as_json: bool) -> None:
    """Run a validator until SIGTERM or SIGINT. Raises as `begin` and `run_cluster_node`."""
    going_on = True
    while going_on:
        try:
            run_once(home, as_json)
            going_on = False
        except NodeRestart as caught_up:
            if not as_json:
                print(f"{caught_up} Beginning again from there.", flush=True)


def run_once(home: Home, as_json: bool) -> None:
    """Run a validator until it is told to stop, or has caught up by a snapshot: NodeRestart."""
    before_s = time.monotonic()
    with Bar("Replaying the log") as bar:
        begun = begin(home, bar.update)
    seconds = time.monotonic() - before_s

    def announce(endpoint: str) -> None:
        if as_json:
            print(json.dumps(facts(begun, endpoint, seconds)), flush=True)
        else:
            told(home, begun, endpoint, seconds)

    run_cluster_node(home, begun, announce)
    if not as_json:
        executor = begun.ledger.executor
        print(f"Stopped at height {executor.height}, root {executor.root.hex()[:16]}.")


def facts(begun: Begun, endpoint: str, seconds: float) -> dict[str, object]:
    """Say for machines where the validator is and what it took."""
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
    """Say where the validator is and what it took."""
    if begun.torn is not None:
        print(
            f"Cut an unfinished write from segment {begun.torn.segment}, "
            f"offset {begun.torn.offset}; nothing in it was acknowledged."
        )
    executor = begun.ledger.executor
    source = f"snapshot {begun.snapshot}" if begun.snapshot else "genesis"
    assert home.consensus is not None
    print(
        f"Validator {home.me} of {len(home.consensus.validators)}. Height {executor.height}, root "
        f"{executor.root.hex()[:16]}: {source} and {begun.blocks} blocks of the log, "
        f"{seconds:.1f} s."
    )
    if begun.validator.rejoining.observing:
        print("Its log was lost: it observes, and votes again when the others have answered.")
    print(f"Listening at {endpoint}. Stop with Ctrl-C.", flush=True)
