"""Admission of signed items: signatures bind every byte, blocks lay out what single items say."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import crypto
from quorate.admission import (
    AdmittedItem,
    admit,
    admit_block,
    chain_of,
    sign_bundle,
    sign_owner,
)
from quorate.codec import commands as c
from quorate.codec.bundle import encode_unsigned
from quorate.codec.eip712 import typed_message
from quorate.crypto.signatures import ORDER
from quorate.types import limits
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.codec import values

GENESIS_HASH = bytes(range(32))
CHAIN = chain_of(77, GENESIS_HASH)
KEY = crypto.key_from_seed("alice")
ADDRESS = crypto.address_of(crypto.public_key(KEY))
NOW = 1_700_000_000_000
PLACE = c.encode_command(c.Place(1, 0, 100, 1))
WITHDRAW = c.encode_command(c.Withdraw(0, bytes(range(20)), 5))
NATIVE = sign_bundle(KEY, CHAIN, 3, NOW, PLACE + PLACE, NOW + 9)
TYPED = sign_owner(KEY, CHAIN, 3, NOW, WITHDRAW, NOW + 9)


def resigned(item: Item, signature: bytes) -> Item:
    return Item(item.kind, item.data[:-65] + signature)


def test_a_sound_bundle_is_admitted() -> None:
    admitted = admit(NATIVE, CHAIN)
    assert isinstance(admitted, AdmittedItem)
    assert admitted.signer == ADDRESS
    assert (admitted.account, admitted.nonce, admitted.expiry_ms) == (3, NOW, NOW + 9)
    assert (admitted.count, admitted.kind) == (2, 1)
    assert admitted.commands == PLACE + PLACE
    preimage = b"QUORATE-BUNDLE-1" + (77).to_bytes(8, "little") + GENESIS_HASH + NATIVE.data[:-65]
    assert admitted.digest == crypto.sha256(preimage)


@settings(max_examples=30)
@given(values.OWNER, values.U32, values.POSITIVE)
def test_what_a_wallet_signs_is_admitted(command: c.Command, account: int, nonce: int) -> None:
    unsigned = encode_unsigned(77, account, nonce, c.encode_command(command))
    shown = typed_message(unsigned, GENESIS_HASH)
    signed = Account.sign_typed_data(KEY, full_message=shown)
    # Wallets say 27 or 28 for v; the client converts.
    wire = bytes(signed.signature[:64]) + bytes([signed.v - 27])
    admitted = admit(Item(2, unsigned + wire), CHAIN)
    assert isinstance(admitted, AdmittedItem) and admitted.signer == ADDRESS
    assert Item(2, unsigned + wire) == sign_owner(
        KEY, CHAIN, account, nonce, c.encode_command(command)
    )
    assert admit(Item(2, unsigned + bytes(signed.signature)), CHAIN) == (
        Reject.SIGNATURE_MUST_BE_VALID
    )


@pytest.mark.parametrize("item", [NATIVE, TYPED], ids=["native", "typed"])
def test_every_byte_is_bound(item: Item) -> None:
    for at in range(len(item.data)):
        for flip in (0x01, 0x80):
            changed = bytearray(item.data)
            changed[at] ^= flip
            result = admit(Item(item.kind, bytes(changed)), CHAIN)
            assert isinstance(result, Reject) or result.signer != ADDRESS, at


@pytest.mark.parametrize("item", [NATIVE, TYPED], ids=["native", "typed"])
def test_every_length_but_its_own_is_refused(item: Item) -> None:
    for size in range(len(item.data)):
        assert isinstance(admit(Item(item.kind, item.data[:size]), CHAIN), Reject)
    for more in (1, 64, limits.BUNDLE_BYTES_MAX):
        refused = admit(Item(item.kind, item.data + bytes(more)), CHAIN)
        assert refused == Reject.LENGTH_MUST_MATCH_COUNT


def test_a_signature_is_for_one_chain_one_genesis_and_one_kind() -> None:
    assert admit(NATIVE, chain_of(78, GENESIS_HASH)) == Reject.CHAIN_ID_MUST_MATCH
    for item in (NATIVE, TYPED):
        other = admit(item, chain_of(77, bytes(32)))
        assert isinstance(other, Reject) or other.signer != ADDRESS
    as_native = admit(Item(1, TYPED.data), CHAIN)
    assert isinstance(as_native, Reject) or as_native.signer != ADDRESS
    assert admit(Item(3, NATIVE.data), CHAIN) == Reject.KIND_MUST_BE_KNOWN


def test_signatures_at_their_edges() -> None:
    r, s, v = NATIVE.data[-65:-33], NATIVE.data[-33:-1], NATIVE.data[-1:]
    high = (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    invalid, low = Reject.SIGNATURE_MUST_BE_VALID, Reject.SIGNATURE_S_MUST_BE_LOW
    cases = [
        (r + high + v, low),
        (r + high + bytes([v[0] ^ 1]), low),
        (r + b"\xff" * 32 + v, low),
        (bytes(32) + s + v, invalid),
        (r + bytes(32) + v, invalid),
        (ORDER.to_bytes(32, "big") + s + v, invalid),
        (r + s + b"\x02", invalid),
        (r + s + b"\x1b", invalid),
        (bytes(65), invalid),
    ]
    for signature, code in cases:
        assert admit(resigned(NATIVE, signature), CHAIN) == code
        block = admit_block([NATIVE, resigned(NATIVE, signature)], CHAIN)
        assert block.codes.tolist() == [Reject.OK, code]
        assert not block.is_sound()
        assert block.rows[1].tobytes() == bytes(64)
        assert block.rows[0]["signer"].tobytes() == ADDRESS


def same_as_single(items: list[Item]) -> None:
    block = admit_block(items, CHAIN)
    assert len(block.rows) == len(block.codes) == len(block.digests) == len(items)
    assert block.commands.flags.c_contiguous and block.commands.shape[1] == 64
    for index, item in enumerate(items):
        single = admit(item, CHAIN)
        if isinstance(single, Reject):
            assert block.codes[index] == single
            assert block.rows[index].tobytes() == bytes(64)
            continue
        row = block.rows[index]
        assert block.codes[index] == Reject.OK and block.digests[index] == single.digest
        assert row["signer"].tobytes() == single.signer
        for name in ("account", "nonce", "expiry_ms", "count", "kind"):
            assert row[name] == getattr(single, name)
        laid = block.commands[row["first"] : row["first"] + row["count"]]
        assert laid.tobytes() == single.commands
    singles = [admit(item, CHAIN) for item in items]
    bundles = [single.bundle() for single in singles if isinstance(single, AdmittedItem)]
    assert block.bundles() == bundles
    assert all(len(record) == 64 for bundle in bundles for record in bundle.commands)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.lists(values.COMMANDS, min_size=1, max_size=3), st.integers(0, 9))))
def test_a_block_says_what_its_items_say(drawn: list[tuple[list[c.Command], int]]) -> None:
    items = []
    for number, (commands, trouble) in enumerate(drawn):
        item = sign_bundle(KEY, CHAIN, number, NOW + number, c.encode_commands(commands))
        if trouble == 0:
            item = Item(1, item.data[:-1])
        elif trouble == 1:
            item = resigned(item, bytes(65))
        elif trouble == 2:
            item = Item(7, item.data)
        elif trouble == 3:
            item = Item(1, b"")
        elif trouble == 4:
            item = TYPED
        items.append(item)
    same_as_single(items)


def test_blocks_without_items_and_without_sound_items() -> None:
    same_as_single([])
    same_as_single([Item(9, b"")])
    empty = admit_block([], CHAIN)
    assert empty.is_sound() and empty.commands.shape == (0, 64) and len(empty.rows) == 0


def test_threads_change_nothing() -> None:
    items = [sign_bundle(KEY, CHAIN, 1, NOW + number, PLACE) for number in range(700)]
    alone = admit_block(items, CHAIN)
    with ThreadPoolExecutor(2) as pool:
        threaded = admit_block(items, CHAIN, pool.map)
    assert alone.is_sound()
    assert alone.rows.tobytes() == threaded.rows.tobytes()
    assert np.array_equal(alone.commands, threaded.commands)


def test_more_commands_than_a_block_holds() -> None:
    large = sign_bundle(KEY, CHAIN, 1, NOW, PLACE * 1024)
    fits = limits.COMMANDS_PER_BLOCK_MAX // 1024
    block = admit_block([NATIVE] + [large] * fits + [NATIVE], CHAIN)
    full = Reject.BLOCK_FULL_SEND_LATER
    assert block.codes.tolist() == [0] * fits + [full, 0]
    assert len(block.commands) == limits.COMMANDS_PER_BLOCK_MAX - 1024 + 4


def test_two_keys_that_sign_one_content_share_its_digest() -> None:
    other = sign_bundle(crypto.key_from_seed("bob"), CHAIN, 3, NOW, PLACE + PLACE, NOW + 9)
    first, second = admit(NATIVE, CHAIN), admit(other, CHAIN)
    assert isinstance(first, AdmittedItem) and isinstance(second, AdmittedItem)
    assert first.digest == second.digest and first.signer != second.signer
