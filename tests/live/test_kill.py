"""kill -9 at any moment, then restart: the same root, nothing acknowledged lost, nothing twice.

A client sends bundles that each credit another amount and place an order, and writes down what was
acknowledged. The node is killed at a random moment: while it recovers, executes, syncs, replies.
After the restart the client sends everything again that was not acknowledged, byte for byte.
"""

import random
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest

from quorate.admission import sign_bundle
from quorate.codec.commands import Faucet, Place, encode_commands
from quorate.execution.machine import genesis_image
from quorate.replica.executor import Executor, kernel_machine
from quorate.replica.messages import Level
from quorate.replica.records import checkpoint_read
from quorate.replica.replay import Replay
from quorate.runtime.client import Client
from quorate.runtime.development import key_address, role_key
from quorate.runtime.errors import NodeGone
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home, init_home
from quorate.runtime.recover import process_secrets
from quorate.storage.log import Kind
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.live.nodes import PATIENCE_S, Nursery, config_text, connected

KILLS = 25
BUNDLES_PER_KEY = 50
WINDOW = 40


@dataclass
class Ledger:
    """What the client knows: items by number, what it was told of each, roots it has seen."""

    home: Home
    rng: random.Random
    items: dict[int, Item] = field(default_factory=dict)
    amounts: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[int, int] = field(default_factory=dict)
    roots: dict[int, str] = field(default_factory=dict)

    def trader(self, number: int) -> bytes:
        return role_key(f"kill {number // BUNDLES_PER_KEY}")

    def fresh(self, client: Client) -> int:
        """Sign the next bundle."""
        number = len(self.items)
        self.amounts[number] = self.rng.randrange(10**9, 10**10)
        side, price = self.rng.randrange(2), 600_000 + self.rng.randrange(-9, 10)
        commands = encode_commands([Faucet(self.amounts[number]), Place(1, side, price, 1)])
        nonce = int(time.time() * 1000) + number % BUNDLES_PER_KEY
        key = self.trader(number)
        self.items[number] = sign_bundle(key, client.chain(), 0, nonce, commands)
        return number


def load(client: Client, ledger: Ledger, until_s: float) -> None:
    """Send until the time is over or the node is gone; note each acknowledgement as it comes."""
    again = [number for number in ledger.items if number not in ledger.acknowledged]
    under_way: dict[int, int] = {}
    try:
        while under_way or time.monotonic() < until_s:
            while len(under_way) < WINDOW and time.monotonic() < until_s:
                number = again.pop() if again else ledger.fresh(client)
                under_way[client.post([ledger.items[number]])] = number
            if under_way:
                request = next(iter(under_way))
                take(client, ledger, request, under_way)
            if ledger.rng.randrange(50) == 0 and ledger.acknowledged:
                seen = client.ask("checkpoint")
                ledger.roots[seen["height"]] = seen["state_root"]
    except NodeGone:
        for request in client.arrived():
            if request in under_way:
                take(client, ledger, request, under_way)


def take(client: Client, ledger: Ledger, request: int, under_way: dict[int, int]) -> None:
    """Take one reply up."""
    done = client.wait(request)
    number = under_way.pop(request)
    assert done.level == Level.EXECUTED or done.rejects == [Reject.NONCE_ALREADY_USED]
    # A bundle whose acknowledgement was lost with the node has been executed before.
    assert done.rejects in ([], [Reject.NONCE_ALREADY_USED]), done.rejects
    ledger.acknowledged[number] = done.height


def check(client: Client, ledger: Ledger) -> None:
    """Compare every trader's trail with what was acknowledged: nothing lost, nothing twice."""
    supply = client.ask("assets")["assets"][0]["deposited"]
    acknowledged = sum(ledger.amounts[number] for number in ledger.acknowledged)
    assert acknowledged <= supply <= sum(ledger.amounts.values())


def check_log(ledger: Ledger) -> None:
    """Execute the whole log again and compare every root ever signed or seen."""
    home = ledger.home
    executor = Executor(kernel_machine(genesis_image(home.genesis), process_secrets()))
    replay = Replay(executor, home.identity, roots_every=1)
    signed: dict[int, str] = {}
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            if record.kind == Kind.CHECKPOINT:
                checkpoint = checkpoint_read(record.payload, home.identity)
                assert checkpoint.height not in signed, "a height was signed twice"
                signed[checkpoint.height] = checkpoint.state_root.hex()
        replay.feed(scan.records)
    replay.settle()
    assert list(signed) == list(range(1, executor.height + 1))
    assert {height: signed[height] for height in ledger.roots} == ledger.roots


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_at_any_moment(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    folder = tmp_path_factory.mktemp("kill")
    home = init_home(folder / "home", config_text=config_text(segment_mib=1))
    rng = random.Random(seed)
    ledger = Ledger(home, rng)
    with Nursery() as nursery:
        for _ in range(KILLS):
            nursery.start(home.path)
            if rng.randrange(5) == 0:
                time.sleep(rng.uniform(0, 0.3))  # while it recovers, or before it listens
                nursery.end(signal.SIGKILL)
                continue
            with connected(home.path) as client:
                check(client, ledger)
                alarm = threading.Timer(rng.uniform(0, 0.25), nursery.end, [signal.SIGKILL])
                alarm.start()
                load(client, ledger, time.monotonic() + PATIENCE_S)
                alarm.join()
        nursery.start(home.path)
        with connected(home.path) as client:
            check(client, ledger)
            while len(ledger.acknowledged) < len(ledger.items):
                load(client, ledger, time.monotonic() + 0.05)
            assert client.ask("assets")["assets"][0]["deposited"] == sum(ledger.amounts.values())
            last = len(ledger.items) - 1
            client.ask("account", address=key_address(ledger.trader(last)).hex())
        nursery.end(signal.SIGTERM)
    assert len(ledger.acknowledged) > KILLS * 10
    check_log(ledger)
