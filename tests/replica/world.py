"""A development chain with a few traders, driven without a disk: what these tests share."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from quorate.admission import chain_of, sign_bundle
from quorate.codec import commands as c
from quorate.codec.genesis import genesis_hash
from quorate.codec.items import encode_items
from quorate.crypto import public_key
from quorate.execution.image import Image
from quorate.execution.machine import Machine, genesis_image
from quorate.replica.executor import Executor, kernel_machine, spec_machine
from quorate.replica.intake import judged
from quorate.replica.ledger import Settings
from quorate.replica.messages import Append, Batch, Effect, Judged, Reply, Request, Synced
from quorate.replica.replica import Replica
from quorate.runtime import development
from quorate.storage.log import Identity, Record
from quorate.types.blocks import Item
from quorate.types.records import EVENT

GENESIS = development.genesis()
IDENTITY = Identity(GENESIS.chain_id, genesis_hash(GENESIS))
CHAIN = chain_of(*IDENTITY)
NOW = GENESIS.time_ms + 1000
KEY = development.role_key("validator")
SETTINGS = Settings(IDENTITY, KEY, public_key(KEY))
ALICE, BOB = development.role_key("alice"), development.role_key("bob")
FUNDS = c.Faucet(10**12)
MACHINES = ["spec", "kernel"]


def machine_of(kind: str, image: Image) -> Machine:
    """Load an image into the spec or the kernels."""
    if kind == "spec":
        return spec_machine(image)
    return kernel_machine(image, np.arange(1, 9))


def executor_of(kind: str = "spec", image: Image | None = None) -> Executor:
    """Make an executor at genesis, or at an image."""
    return Executor(machine_of(kind, image or genesis_image(GENESIS)))


def replica_of(kind: str = "spec", **changes: Any) -> Replica:
    """Make a replica at genesis."""
    return Replica(executor_of(kind), replace(SETTINGS, **changes))


def bundle(key: bytes, nonce: int, *commands: c.Command, account: int = 0) -> Item:
    """Sign commands; the nonce counts from the chain's first second."""
    return sign_bundle(key, CHAIN, account, NOW + nonce, c.encode_commands(commands))


def request(number: int, *items: Item, client: int = 1) -> Request:
    """Send items as a client does."""
    return Request(client, number, encode_items(items))


def judged_batch(*requests: Request) -> Batch:
    """Run requests through admission."""
    return judged(requests, CHAIN)


def submit(replica: Replica, now_ms: int, *requests: Request) -> list[Effect]:
    """Run requests through admission and into the replica."""
    return replica.step(now_ms, Judged(judged(requests, CHAIN)))


def synced(replica: Replica) -> list[Effect]:
    """Tell the replica that the disk has caught up."""
    return replica.step(NOW, Synced(replica.executor.height))


def kinds(effects: Iterable[Effect]) -> str:
    """Name effects by their types."""
    return " ".join(type(effect).__name__ for effect in effects)


def replies(effects: Iterable[Effect]) -> list[Reply]:
    """Pick the replies."""
    return [effect for effect in effects if isinstance(effect, Reply)]


def events_of(reply: Reply) -> Any:
    """Read a reply's events."""
    return np.frombuffer(reply.events, EVENT)


def logged(effects: Iterable[Effect]) -> list[Record]:
    """Give what was appended as a log would give it back."""
    appended = [effect for effect in effects if isinstance(effect, Append)]
    return [
        Record(0, 4096 * at, int(effect.kind), 0, 1, at + 1, at, effect.height, effect.payload)
        for at, effect in enumerate(appended)
    ]


def random_trading(blocks: int, seed: int = 1) -> list[Sequence[Request]]:
    """Draw blocks of orders, cancels, transfers and mistakes by four traders."""
    rng = np.random.default_rng(seed)
    keys = [development.role_key(f"trader {index}") for index in range(4)]
    found: list[Sequence[Request]] = [
        [request(0, *(bundle(key, 0, FUNDS) for key in keys), bundle(ALICE, 0, FUNDS))]
    ]
    for block in range(1, blocks):
        items = []
        for index, key in enumerate(keys):
            commands: list[c.Command] = []
            for _ in range(int(rng.integers(1, 6))):
                market = int(rng.integers(1, 4))
                price = {1: 600_000, 2: 300_000, 3: 6_000_000}[market]
                price += int(rng.integers(-20, 21))
                side, size = int(rng.integers(0, 2)), int(rng.integers(1, 50))
                drawn: list[c.Command] = [
                    c.Place(market, side, price, size),
                    c.Place(market, side, price, size, flags=0x20),
                    c.Cancel(int(rng.integers(1, 20 * block + 2))),
                    c.CancelAll(market) if rng.integers(0, 4) == 0 else FUNDS,
                    c.Transfer(0, development.key_address(ALICE), 0, 10**6),
                ]
                commands.append(drawn[int(rng.integers(0, 5))])
            nonce = 100 * block + index if rng.integers(0, 9) else 100
            items.append(bundle(key, nonce, *commands))
        found.append([request(block, *items)])
    return found


def run_blocks(replica: Replica, blocks: Sequence[Sequence[Request]]) -> list[Effect]:
    """Run one block per entry; give all effects."""
    effects: list[Effect] = []
    for index, requests in enumerate(blocks):
        effects += submit(replica, NOW + 10 * index, *requests)
        effects += synced(replica)
    return effects
