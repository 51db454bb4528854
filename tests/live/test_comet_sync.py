"""State sync by real CometBFT: a node with an empty home takes a snapshot of ours and goes on."""

import shutil
from pathlib import Path

import pytest

from quorate.codec.commands import Faucet, Place
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.development import role_key
from quorate.runtime.files import snapshot_names
from tests.live.comet import CometChain, comet_chain, signed, signed_roots
from tests.live.comet_join import joined, syncing

pytestmark = pytest.mark.slow
# Two snapshots of this many heights each must outlive CometBFT's search for them, 5 s or more.
EVERY = 25
TRADERS = 20


def traded(chain: CometChain) -> None:
    """Have a state that is worth a snapshot."""
    with chain.client(0) as client:
        items = [
            signed(client, role_key(f"trader {at}"), Faucet(10**9), Place(1, at % 2, 600_000, 1))
            for at in range(TRADERS)
        ]
        assert not client.submit(items).rejects


def snapshots_everywhere(chain: CometChain) -> int:
    """Wait until four have a snapshot of everything traded; give the lowest of their heights."""
    wanted = chain.height(0)
    heights: dict[int, int] = {}

    def has(index: int) -> bool:
        home = chain.pairs[index].home
        found = [int(name.partition(".")[0]) for name in snapshot_names(home.path)]
        heights[index] = max(found, default=0)
        return heights[index] > wanted

    for index in range(4):
        chain.until(index, has)
    return min(heights.values())


def test_a_new_node_joins_by_state_sync_though_some_lie_and_is_killed(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    """Three of four send wrong chunks; what they sent is fetched again, from another."""
    folder: Path = tmp_path_factory.mktemp("sync")
    with comet_chain(folder / "c", every_blocks=EVERY) as chain:
        for liar in chain.pairs[1:]:
            liar.kill()
            liar.start({"chunks": "wrong"})
        traded(chain)
        height = snapshots_everywhere(chain)
        chain.reached(height + 3)
        lies = [pair.home.path / "lies" for pair in chain.pairs[1:4]]
        newcomer = joined(chain, folder / "validator-4", cometbft)
        syncing(chain, newcomer, (0, 1), height)
        empty = folder / "empty"
        shutil.copytree(newcomer.home.path, empty)
        # It may happen to ask the honest one first; then again from the beginning.
        while True:
            newcomer.start()
            chain.until(4, lambda at: chain.height(at) >= height)
            chain.goes_on(1)
            if any(path.exists() for path in lies):
                break
            newcomer.kill()
            shutil.rmtree(newcomer.home.path)
            shutil.copytree(empty, newcomer.home.path)
        # It has its state by no other way: the blocks before are in no log and no store of it.
        assert min(signed_roots(newcomer.home)) > height
        assert int(newcomer.comet.status()["sync_info"]["earliest_block_height"]) >= height
        for kill in (newcomer.kill, newcomer.kill_node, newcomer.comet.kill):
            kill()
            newcomer.start()
            chain.goes_on(1)
        traded(chain)
        chain.goes_on(2)
        chain.sound()
