"""Seeds that found something, named after what they found."""

from dataclasses import replace

import pytest

from quorate.sim.cluster.config import drawn_full
from quorate.sim.cluster.full_world import FullWorld
from quorate.sim.cluster.run import run_phases
from quorate.sim.scenarios.catalogue import run_named


@pytest.mark.parametrize("seed", [11, 22, 67])
def test_a_block_delivered_before_a_restart_is_still_served_by_its_digest(seed: int) -> None:
    """Who misses the last few blocks asks for them by digest; memory does not have them."""
    outcome = run_named("whole-every-fault", seed)
    assert not outcome.broken, outcome.sentence


def test_notarized_blocks_without_a_finalization_do_not_use_up_the_checkpoint_lag() -> None:
    """Views both notarized and nullified can never be final, and still count as heights."""
    config = replace(drawn_full(8), lag_max=4)
    outcome = run_phases(FullWorld(config), True)
    assert not outcome.broken, outcome.sentence
