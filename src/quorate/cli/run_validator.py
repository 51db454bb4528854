"""`quorate run` for the home of a validator of a chain of many."""

from quorate.cli.started import tell, tell_end, timed
from quorate.runtime.cluster.begin import begin
from quorate.runtime.cluster.node import run_cluster_node
from quorate.runtime.errors import NodeRestart
from quorate.runtime.home import Home

OBSERVING = "Its log was lost: it observes, and votes again when the others have answered."


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
    assert home.consensus is not None
    begun, seconds = timed(home, begin)
    who = f"Validator {home.me} of {len(home.consensus.validators)}. "
    more = (OBSERVING,) if begun.validator.rejoining.observing else ()

    def announce(endpoint: str) -> None:
        tell(begun, endpoint, seconds, as_json, who, more)

    run_cluster_node(home, begun, announce)
    tell_end(begun, as_json)
