"""kill -9 of our node, of CometBFT, of both, of all, at any moment: nothing lost, nothing twice.

Clients send bundles that each credit another amount and place an order, one client at each pair,
and write down what was acknowledged, and at which height. What was not acknowledged when a process
died is sent again, byte for byte, to any pair. In the end every acknowledged bundle stands at its
height in every log, what was deposited is the sum of all amounts, and all roots are alike.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from quorate.codec.commands import Faucet, Place
from quorate.codec.items import BLOCK_HEAD, decode_items
from quorate.replica.messages import Level
from quorate.replica.records import TRUSTED
from quorate.runtime.client import Client
from quorate.runtime.cometbft.binary import Program
from quorate.runtime.development import role_key
from quorate.runtime.endpoint import home_endpoint
from quorate.runtime.errors import NodeGone
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home
from quorate.storage.log import Kind
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.live.comet import CometChain, comet_chain, signed
from tests.live.comet_release import POINTS

pytestmark = pytest.mark.slow
PATIENCE_S = 30.0
PAUSE_S = 0.02
RETRY_S = 0.2


@dataclass
class Sent:
    """A bundle. height: where it was acknowledged; 0 before. told: its reject codes."""

    item: Item
    amount: int
    height: int = 0
    told: tuple[Reject, ...] = ()


@dataclass
class Load:
    """A steady load: one client at each pair."""

    chain: CometChain
    rng: random.Random
    sent: list[Sent] = field(default_factory=list)
    lost: list[Sent] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fresh(self, client: Client) -> Sent:
        """Sign a bundle of a trader of its own."""
        with self.lock:
            number = len(self.sent)
            amount = self.rng.randrange(10**9, 10**10)
            side, price = self.rng.randrange(2), 600_000 + self.rng.randrange(-9, 10)
            key = role_key(f"load {number}")
            item = signed(client, key, Faucet(amount), Place(1, side, price, 1))
            self.sent.append(Sent(item, amount))
            return self.sent[-1]

    def run(self, index: int) -> None:
        """Be the client of one pair until the test is over and nothing of it waits."""
        try:
            while not self.over.is_set() or self.lost:
                try:
                    endpoint = home_endpoint(self.chain.pairs[index].home.path)
                    with Client(endpoint, PATIENCE_S) as client:
                        self.talk(client)
                except NodeGone as gone:
                    assert "timed out" not in str(gone), f"pair {index} does not answer"
                    time.sleep(RETRY_S)
        except BaseException as error:  # for the test's own thread to raise
            self.errors.append(error)

    def talk(self, client: Client) -> None:
        """Send until the test is over or the node is gone."""
        under_way: dict[int, Sent] = {}
        posted: list[Sent] = []
        try:
            while not self.over.is_set() or self.lost or under_way:
                with self.lock:
                    again = self.lost.pop() if self.lost else None
                if again is not None or not self.over.is_set():
                    it = again or self.fresh(client)
                    posted[:] = [it]
                    under_way[client.post([it.item])] = it
                    posted.clear()
                    time.sleep(PAUSE_S)
                if len(under_way) > 10 or self.over.is_set():
                    for number in list(under_way):
                        self.take(client, number, under_way)
        finally:
            # An acknowledgement that has come counts, also of a node that is gone.
            for number in client.arrived():
                if number in under_way:
                    self.take(client, number, under_way)
            with self.lock:
                self.lost += [*under_way.values(), *posted]

    def take(self, client: Client, number: int, under_way: dict[int, Sent]) -> None:
        """Take one reply up."""
        it = under_way[number]
        done = client.wait(number)
        del under_way[number]
        if done.rejects == [Reject.BLOCK_FULL_SEND_LATER]:
            # CometBFT v1 takes none while it catches up.
            with self.lock:
                self.lost.append(it)
            return
        assert done.rejects in ([], [Reject.NONCE_ALREADY_USED]), done
        assert done.level == Level.EXECUTED or done.rejects, done
        it.height, it.told = done.height, tuple(done.rejects)


@contextmanager
def loaded(chain: CometChain, seed: int) -> Iterator[Load]:
    """Have a load on a chain; at the end all of it is acknowledged."""
    load = Load(chain, random.Random(seed))
    threads = [
        threading.Thread(target=load.run, args=(index,), daemon=True)
        for index in range(len(chain.pairs))
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive() or load.errors, "a client waits for ever"
    if load.errors:
        raise load.errors[0]
    assert not load.lost


def items_of(home: Home) -> dict[int, list[Item]]:
    """Read the items of each block in a home's log."""
    found: dict[int, list[Item]] = {}
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            if record.kind == Kind.BLOCK:
                payload = bytes(record.payload)
                count = BLOCK_HEAD.unpack_from(payload)[3]
                items = decode_items(
                    payload[BLOCK_HEAD.size : len(payload) - count * TRUSTED.itemsize]
                )
                assert not isinstance(items, Reject)
                found[record.height] = list(items)
    return found


def nothing_lost(chain: CometChain, load: Load) -> None:
    """Hold what was acknowledged against every log, and against the state."""
    height = chain.height(0)
    chain.goes_on(3)  # a log is read as far as a later record says that it is durable
    chain.sound()
    executed = [it for it in load.sent if not it.told]
    for pair in chain.pairs:
        blocks = items_of(pair.home)
        assert max(blocks) >= height
        first: dict[Item, int] = {}
        for at in sorted(blocks):
            for item in blocks[at]:
                first.setdefault(item, at)
        assert [it.height for it in executed] == [first.get(it.item) for it in executed]
        assert all(it.item in first for it in load.sent), "acknowledged as used, and in no block"
    for index in range(len(chain.pairs)):
        deposited = chain.ask(index, "assets")["assets"][0]["deposited"]
        assert deposited == sum([it.amount for it in load.sent])


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_each_process_killed_at_any_moment(
    seed: int, tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    rng = random.Random(seed)
    with comet_chain(tmp_path_factory.mktemp("kill") / "c") as chain:
        with loaded(chain, seed) as load:
            for _ in range(2):
                victims = rng.sample(range(4), 3)
                time.sleep(rng.uniform(0.2, 0.8))
                node, comet, both = [chain.pairs[at] for at in victims]
                node.kill_node()
                time.sleep(rng.uniform(0, 0.5))
                node.start()
                comet.comet.kill()
                time.sleep(rng.uniform(0, 0.5))
                comet.start()
                both.kill()
                time.sleep(rng.uniform(0, 0.5))
                both.start()
                chain.goes_on(2)
        assert len(load.sent) > 100
        nothing_lost(chain, load)


def test_killed_between_finalize_block_and_commit(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    """One pair after the other dies at a point of its own; two at a time at the last ones."""
    with comet_chain(tmp_path_factory.mktemp("point") / "c") as chain:
        with loaded(chain, 3) as load:
            for at, point in enumerate(POINTS):
                pair = chain.pairs[at % 4]
                pair.kill()
                pair.start({"die": point})
                pair.node.gone()
                pair.start()
                chain.goes_on(1)
        nothing_lost(chain, load)


def test_the_whole_network_is_killed(
    tmp_path_factory: pytest.TempPathFactory, cometbft: Program
) -> None:
    with comet_chain(tmp_path_factory.mktemp("all") / "c") as chain:
        with loaded(chain, 4) as load:
            time.sleep(1.0)
            for pair in chain.pairs:
                pair.kill()
            chain.start_all()
            chain.goes_on(2)
            # All at one block, each at another point of it, unless the others die too early.
            for pair in chain.pairs:
                pair.kill()
            height = max(chain_heights(chain)) + 3
            points = ("executed", "unsynced", "synced", "told")
            for pair, point in zip(chain.pairs, points, strict=True):
                pair.start({"die": point, "height": height})
            chain.until(0, lambda _: [it.node.running for it in chain.pairs].count(False) >= 2)
            time.sleep(0.5)
            for pair in chain.pairs:
                pair.kill()
            chain.start_all()
            chain.goes_on(2)
        nothing_lost(chain, load)


def chain_heights(chain: CometChain) -> list[int]:
    """Read from the logs how far each pair is."""
    return [max(items_of(pair.home)) for pair in chain.pairs]
