"""Pinned formats: N generated values -> bytes -> one hash per format in conformance.toml.

A hash that changes means that bytes on the wire or in the state have changed. If that is meant,
`make approve-formats` writes the file again, and the commit message says why. A room adds its
format to FORMATS.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from quorate.admission import chain_of, sign_bundle, sign_owner
from quorate.codec import commands as c
from quorate.codec.bundle import bundle_digest, encode_unsigned
from quorate.codec.eip712 import typed_digest
from quorate.codec.genesis import encode_genesis, genesis_hash
from quorate.codec.items import encode_exec_block, exec_block_digest
from quorate.codec.layout import LAYOUTS, OWNER_OPS, Field, Form
from quorate.crypto import key_from_seed
from quorate.types.blocks import (
    AssetSpec,
    ExecBlock,
    FeeTier,
    Genesis,
    Item,
    MarginTier,
    MarketSpec,
)
from quorate.types.codes import Op
from quorate.types.limits import (
    PAYOFF_CODE_MAX,
    PAYOFF_INPUTS,
    SMILE_PILLARS,
)
from tests.vectors import agreement

FILE = Path(__file__).with_name("conformance.toml")
HEAD = """\
# Hashes of generated values in their canonical bytes (tests/vectors/approve.py says which).
# A change here is a change of format. `make approve-formats` writes this file again.
"""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
CHAIN = chain_of(77, bytes(range(32)))
KEY = key_from_seed("conformance")


def drawn(rng: random.Random, field: Field) -> c.Value:
    """Draw a value of a field: small, large and extreme ones alike."""
    if field.form == Form.NAME:
        return "".join(rng.choices(LETTERS, k=rng.randrange(1, 17)))
    if field.form == Form.ADDRESS:
        return rng.randbytes(20)
    if field.form == Form.KEY:
        return rng.randbytes(field.width)
    if field.form == Form.CLOID:
        return rng.choice([0, 1, 2**64, 2**127, 2**128 - 1, rng.getrandbits(128)])
    if field.bits >> 8 * field.width - 1 == 0 or field.name == "flags":
        return rng.getrandbits(8) & field.bits
    middle = min(field.high, field.low + rng.getrandbits(rng.randrange(1, 64)))
    return rng.choice([field.low, field.high, middle, max(field.low, 0)])


def fields_drawn(rng: random.Random, op: Op) -> dict[str, c.Value]:
    return {field.name: drawn(rng, field) for field in LAYOUTS[op]}


def command(rng: random.Random, op: Op) -> c.Command:
    """Draw a command. Flags need not agree: this pins bytes, not rules."""
    values = fields_drawn(rng, op)
    if op == Op.LIST_MARKET:
        market = values.pop("market")
        spec = MarketSpec(**values, **fields_drawn(rng, Op.CONTINUATION))
        return c.ListMarket(market, spec)
    if op == Op.QUOTE:
        levels = [fields_drawn(rng, Op.QUOTE_LEVEL) for _ in range(rng.randrange(1, 5))]
        del values["levels_count"]
        return c.Quote(levels=tuple(c.QuoteLevel(**level) for level in levels), **values)
    if op == Op.LIST_PRODUCT:
        values["text"] = "".join(rng.choices(LETTERS, k=rng.randrange(1, 257)))
        del values["text_bytes"]
        values["code"] = tuple(rng.getrandbits(63) for _ in range(PAYOFF_CODE_MAX))
        values["ranges"] = tuple(rng.getrandbits(63) for _ in range(2 * PAYOFF_INPUTS))
    elif op == Op.VOTE_SMILE:
        expiry, forward = values["expiry"], values["forward_ticks"]
        vols = tuple(1_000 * rng.randrange(2**31) for _ in range(SMILE_PILLARS))
        return c.VoteSmile(expiry, forward, vols)
    return c.COMMANDS[op](**values)


def commands() -> Iterator[bytes]:
    rng = random.Random("commands")
    for _ in range(100):
        for op in c.COMMANDS:
            yield c.encode_command(command(rng, op))


def unsigned_bundles(rng: random.Random) -> Iterator[bytes]:
    ops = list(c.COMMANDS)
    for count in range(1, 65):
        body = c.encode_commands(command(rng, rng.choice(ops)) for _ in range(count))
        account, nonce = rng.getrandbits(32), rng.getrandbits(63)
        yield encode_unsigned(77, account, nonce, body, rng.choice([0, rng.getrandbits(63)]))


def bundle_digests() -> Iterator[bytes]:
    for unsigned in unsigned_bundles(random.Random("bundles")):
        yield unsigned
        yield bundle_digest(CHAIN.prefix, unsigned)


def typed_digests() -> Iterator[bytes]:
    rng = random.Random("typed")
    for _ in range(40):
        for op in OWNER_OPS:
            body = c.encode_command(command(rng, op))
            unsigned = encode_unsigned(77, rng.getrandbits(32), rng.getrandbits(63), body)
            yield unsigned
            yield typed_digest(CHAIN.domain, unsigned)


def signed_items() -> Iterator[bytes]:
    rng = random.Random("signed")
    for number in range(40):
        body = c.encode_command(command(rng, rng.choice(OWNER_OPS)))
        yield sign_bundle(KEY, CHAIN, number, rng.getrandbits(63), body).data
        yield sign_owner(KEY, CHAIN, number, rng.getrandbits(63), body).data


def exec_blocks() -> Iterator[bytes]:
    rng = random.Random("blocks")
    for count in range(30):
        items = tuple(Item(rng.randrange(256), rng.randbytes(rng.randrange(300)))
                      for _ in range(count))
        time_ms = rng.getrandbits(45)
        block = ExecBlock(rng.getrandbits(63), time_ms, rng.getrandbits(32), items)
        yield encode_exec_block(block)
        yield exec_block_digest(block)


def market(rng: random.Random, number: int) -> MarketSpec:
    return MarketSpec(
        name=f"MARKET-{number}",
        kind=rng.choice([1, 2]),
        tick_step=rng.randrange(1, 1000),
        lot_step=rng.randrange(1, 1000),
        quantum_e6=rng.randrange(1, 2**30),
        price_max_ticks=rng.randrange(1, 2**36),
        size_max_lots=rng.randrange(1, 2**36),
        position_max_lots=rng.getrandbits(45),
        base_asset=rng.randrange(8),
        lot_units=rng.getrandbits(40),
        margin_schedule=rng.randrange(8),
        fee_schedule=rng.randrange(8),
        slippage_max_ppm=rng.randrange(500_001),
        mark_ticks=rng.randrange(2**30),
    )


def geneses() -> Iterator[bytes]:
    rng = random.Random("geneses")
    for count in range(20):
        genesis = Genesis(
            name=f"chain {count}",
            chain_id=1 + rng.getrandbits(50),
            time_ms=rng.getrandbits(45),
            protocol_version=1,
            order_rule=rng.randrange(2),
            fills_per_command_max=rng.randrange(1, 64),
            orders_examined_per_command_max=rng.randrange(1, 64),
            orders_per_account_max=rng.randrange(1, 1000),
            faucet_e6_max=rng.getrandbits(40),
            bridge=rng.randbytes(20),
            governance=rng.randbytes(20),
            oracle=rng.randbytes(20),
            assets=tuple(AssetSpec(f"A{n}", rng.randrange(19)) for n in range(1 + count % 4)),
            fee_schedules=((FeeTier(0, -rng.randrange(100), rng.randrange(1000)),),),
            margin_schedules=((MarginTier(0, 50), MarginTier(rng.getrandbits(48), 20)),),
            markets=tuple(market(rng, n) for n in range(count)),
        )
        yield encode_genesis(genesis)
        yield genesis_hash(genesis)


FORMATS: dict[str, Callable[[], Iterator[bytes]]] = {
    "agreed_blocks": agreement.blocks,
    "bundle_digests": bundle_digests,
    "checkpoint_digests": agreement.checkpoint_digests,
    "commands": commands,
    "consensus_geneses": agreement.consensus_geneses,
    "exec_blocks": exec_blocks,
    "geneses": geneses,
    "peer_frames": agreement.peer_frames,
    "signed_items": signed_items,
    "typed_digests": typed_digests,
    "vote_digests": agreement.vote_digests,
}


def conformance_text() -> str:
    """Write what conformance.toml must say. Each value is hashed with its length before it."""
    text = HEAD
    for name, made in sorted(FORMATS.items()):
        digest = hashlib.sha256()
        count = 0
        for data in made():
            digest.update(len(data).to_bytes(8, "little") + data)
            count += 1
        text += f'\n[{name}]\nvalues = {count}\nsha256 = "{digest.hexdigest()}"\n'
    return text
