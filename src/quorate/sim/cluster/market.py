"""Clients of the simulated exchange: signed bundles, made once, and admission that remembers.

Admission is a function of the item's bytes, so all nodes of all runs share one memory of it.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import Final

from quorate.admission import admit_block, chain_of, sign_bundle
from quorate.codec import commands as c
from quorate.codec.genesis import genesis_hash
from quorate.codec.items import encode_items
from quorate.crypto import address_of, key_from_seed, public_key
from quorate.execution.image import Image
from quorate.execution.machine import Machine, SpecMachine, genesis_image
from quorate.replica.mempool import Bundle, bundles_of
from quorate.sim.flow import GENESIS_MS, PRICE_MID, bench_genesis
from quorate.storage.log import Identity
from quorate.types.blocks import Item
from quorate.types.codes import Reject

TRADERS: Final = 6
BUNDLES: Final = 240
DEPOSIT_E6: Final = 10**12


def key_of(name: str) -> bytes:
    """Give a simulated person's key."""
    return key_from_seed(f"simulated {name}")


def address(key: bytes) -> bytes:
    """Give the address of a key."""
    found = address_of(public_key(key))
    assert found is not None
    return found


BRIDGE: Final = key_of("bridge")
KEYS: Final = tuple(key_of(f"trader {index}") for index in range(TRADERS))
GENESIS: Final = bench_genesis(2, bridge=address(BRIDGE))
IDENTITY: Final = Identity(GENESIS.chain_id, genesis_hash(GENESIS))
CHAIN: Final = chain_of(*IDENTITY)


@lru_cache(maxsize=1)
def first_image() -> Image:
    """Give the state of genesis."""
    return genesis_image(GENESIS)


def machine_of(kernels: bool, image: Image) -> Machine:
    """Load a state into the kernels, or into the readable definition: the same to the roots."""
    if not kernels:
        return SpecMachine(image)
    import numpy as np

    from quorate.execution.machine import KernelMachine

    return KernelMachine(image, np.arange(1, 9))


@lru_cache(maxsize=1)
def bundles() -> tuple[Item, ...]:
    """Sign everything that clients will ever send: deposits first, then trading."""
    rng = Random(7)
    made = [
        sign_bundle(
            BRIDGE, CHAIN, 0, GENESIS_MS + 1,
            c.encode_commands(
                [c.Deposit(0, address(key), 0, DEPOSIT_E6, at + 1) for at, key in enumerate(KEYS)]
            ),
        )
    ]  # fmt: skip
    for number in range(BUNDLES):
        key = KEYS[rng.randrange(TRADERS)]
        commands: list[c.Command] = []
        for _ in range(rng.randrange(1, 5)):
            market, side = rng.randrange(1, 3), rng.randrange(2)
            price = PRICE_MID + rng.randrange(-12, 13)
            if rng.randrange(6):
                commands.append(c.Place(market, side, price, rng.randrange(1, 40)))
            else:
                commands.append(c.CancelAll(market))
        made.append(
            sign_bundle(key, CHAIN, 0, GENESIS_MS + 10 + number, c.encode_commands(commands))
        )
    return tuple(made)


@lru_cache(maxsize=4 * BUNDLES)
def admitted(item: Item) -> Bundle | Reject:
    """Judge one item, once."""
    return bundles_of([item], admit_block([item], CHAIN))[0]


def written(items: Sequence[Item]) -> bytes:
    """Write items as a request does."""
    return encode_items(items)


def named(item: Item) -> bytes:
    """Give the digest by which the checkers know an item: of its bytes in a block."""
    return sha256(encode_items([item])).digest()
