"""Catching up while the others go on: a killed validator by ranges, an empty one by a snapshot."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from quorate.admission import sign_bundle
from quorate.codec.commands import Faucet, Place, encode_commands
from quorate.runtime.client import Client
from quorate.runtime.development import role_key
from quorate.runtime.errors import NodeGone
from quorate.runtime.files import SNAPSHOT_FOLDER, follow_segments
from quorate.runtime.recover import segments_listed
from quorate.storage.log import Kind
from quorate.storage.snapshot import CHUNK_BYTES
from tests.live.nodes import PATIENCE_S
from tests.live.validators import Validators, chain_of_many

ORDERS = 900  # of a bundle: some 60 KB of log, and as much of state


def pour(client: Client, bundles: int, name: str) -> None:
    """Send large bundles of orders that rest, each acknowledged before the next."""
    for number in range(bundles):
        nonce = int(time.time() * 1000)
        key = role_key(f"{name} {number} {nonce}")
        rest = [Place(1, 0, 400_000 + at, 1) for at in range(ORDERS)]
        commands = encode_commands([Faucet(10**12), *rest])
        done = client.submit([sign_bundle(key, client.chain(), 0, nonce, commands)])
        assert not done.rejects


@contextmanager
def load(chain: Validators, index: int) -> Iterator[None]:
    """Send a bundle now and then by one validator while the block of this context runs."""
    over = threading.Event()

    def work() -> None:
        with chain.client(index) as client:
            while not over.wait(0.05):
                pour(client, 1, f"load {index}")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def pruned_to(chain: Validators, index: int) -> int:
    """Give the height up to which a validator's log is gone."""
    return segments_listed(chain.homes[index])[0].height_before


def kill(chain: Validators, index: int) -> None:
    """Kill a validator."""
    process = chain.processes.pop(index)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def bases(chain: Validators, index: int) -> list[int]:
    """Give the heights of the snapshots that a log goes on from."""
    home = chain.homes[index]
    return [
        record.height
        for scan in follow_segments(home.path, home.identity)
        for record in scan.records
        if record.kind == Kind.BASE
    ]


def stands(chain: Validators, index: int, height: int) -> None:
    """Wait until a validator has executed a height, whatever it has to begin again for."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            if chain.ask(index, "network")["height"] >= height:
                return
        except NodeGone:
            assert chain.processes[index].poll() is None
        assert time.monotonic() < end_s
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_validator_catches_up_by_ranges(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("up")
    with chain_of_many(folder / "c") as chain:
        for index in range(4):
            chain.start(index)
        chain.until(0, lambda found: found["height"] >= 5)
        kill(chain, 3)
        with chain.client(0) as client:
            pour(client, 30, "behind")
        behind = chain.ask(0, "network")["height"]
        with load(chain, 1):
            chain.start(3)
            time.sleep(2.0)
            kill(chain, 3)  # on its way
            chain.start(3)
            stands(chain, 3, behind)
            reached = chain.ask(0, "network")["height"]
            stands(chain, 3, reached)
        chain.alike(chain.ask(1, "network")["height"])
        assert not bases(chain, 3)


@pytest.mark.slow
def test_empty_validator_catches_up_by_a_snapshot(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("up")
    with chain_of_many(folder / "c", every_blocks=40) as chain:
        for index in range(3):
            chain.start(index)
        end_s = time.monotonic() + PATIENCE_S
        with chain.client(0) as client:
            while not all(pruned_to(chain, index) for index in range(3)):
                assert time.monotonic() < end_s, "no log was pruned"
                pour(client, 5, "fill")
        for index in range(3):
            # Blocks lately finalized are in memory; what is pruned is gone for good by a restart.
            chain.stop(index)
            chain.start(index)
        chain.until(0, lambda found: len(found["peers"]) == 2)
        with load(chain, 1):
            chain.start(3)
            for _ in range(2):
                chain.client(3).close()
                time.sleep(0.4)
                kill(chain, 3)  # while it fetches, installs, or begins again
                chain.start(3)
            reached = chain.ask(0, "network")["height"]
            stands(chain, 3, reached)
        height = chain.ask(0, "network")["height"]
        stands(chain, 3, height)
        chain.alike(height)
        assert bases(chain, 3) or pruned_to(chain, 3)
        newest = max((chain.home(3) / SNAPSHOT_FOLDER).iterdir())
        assert newest.stat().st_size > 2 * CHUNK_BYTES, "a snapshot of several chunks"
        # It votes: without it there is no quorum any more.
        kill(chain, 0)
        height = chain.ask(1, "network")["height"]
        stands(chain, 3, height + 20)
        chain.alike(height + 10, (1, 2, 3))
