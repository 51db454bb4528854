"""Consensus genesis <-> canonical JSON."""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec.consensus_genesis import (
    GENESIS_BYTES_MAX,
    consensus_hash,
    decode_consensus_genesis,
    encode_consensus_genesis,
)
from quorate.codec.genesis import GenesisInvalid
from quorate.types.consensus import (
    VALIDATORS_MAX,
    WEIGHT_TOTAL_MAX,
    ConsensusGenesis,
    ConsensusParameters,
    ValidatorSpec,
)


def validator(index: int, weight: int = 1) -> ValidatorSpec:
    key, transport = bytes([2 + index % 2]) + bytes([index]) * 32, bytes([0xF0, index]) * 16
    return ValidatorSpec(f"validator-{index}", key, transport, weight)


FOUR = tuple(validator(index) for index in range(4))
GENESIS = ConsensusGenesis(77, bytes(range(32)), FOUR)


@st.composite
def parameters(draw: st.DrawFn) -> ConsensusParameters:
    """Draw times whose relations hold."""
    heartbeat, delta = draw(st.integers(1, 10**6)), draw(st.integers(1, 10**6))
    idle = heartbeat + 3 * delta
    skip = draw(st.integers(idle + 1, idle + 10**6))
    return ConsensusParameters(
        delta_ms=delta,
        heartbeat_ms=heartbeat,
        skip_timeout_ms=skip,
        retry_ms=draw(st.integers(1, skip - 1)),
        standstill_ms=draw(st.integers(1, 86_400_000)),
        view_timeout_ms_max=draw(st.integers(idle, 86_400_000)),
        clock_precision_ms=draw(st.integers(0, 86_400_000)),
        message_delay_ms=draw(st.integers(0, 86_400_000)),
        block_bytes_max=draw(st.integers(1024, 16 << 20)),
        checkpoint_lag_max=draw(st.integers(1, 1 << 20)),
    )


@st.composite
def geneses(draw: st.DrawFn) -> ConsensusGenesis:
    """Draw a genesis of up to nine validators, none of a third where there are four."""
    count = draw(st.integers(1, 9))
    unit = draw(st.integers(1, 1000))
    extra = st.integers(0, (unit - 1) // 3) if count > 3 else st.integers(0, 1000)
    validators = tuple(
        replace(validator(index), weight=unit + draw(extra)) for index in range(count)
    )
    return ConsensusGenesis(
        draw(st.integers(1, 2**52 - 20)),
        draw(st.binary(min_size=32, max_size=32)),
        validators,
        draw(st.integers(0, 2**62)),
        draw(parameters()),
    )


@settings(max_examples=100)
@given(geneses())
def test_a_consensus_genesis_round_trips(genesis: ConsensusGenesis) -> None:
    data = encode_consensus_genesis(genesis)
    assert data.isascii() and decode_consensus_genesis(data) == genesis
    assert consensus_hash(genesis) == hashlib.sha256(b"QUORATE-CONSENS1" + data).digest()


def test_the_bytes_are_those_of_a_sorted_and_dense_dump() -> None:
    """The oracle is the standard library's own view of the records."""

    def shown(value: Any) -> Any:
        return "0x" + value.hex() if isinstance(value, bytes) else value

    tree = asdict(GENESIS, dict_factory=lambda pairs: {key: shown(value) for key, value in pairs})
    data = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()
    assert encode_consensus_genesis(GENESIS) == data
    assert data.startswith(b'{"app_genesis":"0x000102')


def test_the_greatest_set_fits() -> None:
    every = tuple(validator(index) for index in range(VALIDATORS_MAX))
    long = tuple(replace(it, name=f"{it.name:.>16}", weight=512) for it in every)
    assert sum(it.weight for it in long) == WEIGHT_TOTAL_MAX
    data = encode_consensus_genesis(replace(GENESIS, validators=long))
    assert len(data) < GENESIS_BYTES_MAX


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_the_hash(data: st.DataObject) -> None:
    text = bytearray(encode_consensus_genesis(GENESIS))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    try:
        other = decode_consensus_genesis(bytes(text))
    except GenesisInvalid as error:
        said = str(error)
        assert said.endswith(".") and "\n" not in said
    else:
        assert encode_consensus_genesis(other) == bytes(text)
        assert consensus_hash(other) != consensus_hash(GENESIS)


KEY_0 = "0x02" + "00" * 32
KEY_1 = "0x03" + "01" * 32
SEED_0 = "0x" + "f000" * 16
SEED_1 = "0x" + "f001" * 16


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"chain_id":77', '"chain_id":0', "chain_id must be an integer from 1 to"),
        ('"chain_id":77', '"chain_id":7.7', "The number 7.7 must be written as an integer."),
        ('"chain_id":77', '"chain_id":77,"chain_id":77', "chain_id stands twice"),
        ('"chain_id":77', '"chain_id":77,"color":1', "color is not a field"),
        ('"epoch":0,', "", "epoch is missing."),
        ('"epoch":0', '"epoch":-0', "The genesis is not in its canonical form"),
        ('"epoch":', '"epoch": ', "The genesis is not in its canonical form"),
        ("0x000102", "0x0001", 'app_genesis must be "0x" and 64 lowercase hex digits.'),
        ("0x000102", "0x00010G", 'app_genesis must be "0x" and 64 lowercase hex digits.'),
        (KEY_0, "0x04" + "00" * 32, "validators[0].consensus_key must be a compressed public"),
        (KEY_0, KEY_0 + "00", 'validators[0].consensus_key must be "0x" and 66 lowercase'),
        (KEY_1, KEY_0, "validators[1].consensus_key is that of validators[0]; each needs"),
        (SEED_1, SEED_0, "validators[1].transport_key is that of validators[0]; each needs"),
        (SEED_0, SEED_0.upper(), 'validators[0].transport_key must be "0x" and 64 lowercase'),
        ("validator-3", "validator-2", "validators[3].name is that of validators[2]; each"),
        ("validator-3", "validator 3", "validators[3].name must be 1 to 16 printable ASCII"),
        ('"weight":1', '"weight":0', "validators[0].weight must be an integer from 1 to 65536."),
        ('"weight":1', '"weight":2', "validators[0].weight must be less than a third of all, 5"),
        ('"delta_ms":150', '"delta_ms":0', "parameters.delta_ms must be an integer from 1 to"),
        ('"delta_ms":150', '"delta_ms":600', "parameters.skip_timeout_ms must be more than heart"),
        ('"retry_ms":500', '"retry_ms":2000', "parameters.skip_timeout_ms must be more than ret"),
        ('"view_timeout_ms_max":30000', '"view_timeout_ms_max":649',
         "parameters.view_timeout_ms_max must be at least heartbeat_ms + 3 * delta_ms, 650."),
        ('"block_bytes_max":4194304', '"block_bytes_max":16777217',
         "parameters.block_bytes_max must be an integer from 1024 to 16777216."),
        ('"checkpoint_lag_max":64', '"checkpoint_lag_max":0', "parameters.checkpoint_lag_max"),
        ("}", "", "The genesis is not JSON"),
    ],
)  # fmt: skip
def test_a_wrong_consensus_genesis_is_refused_in_one_sentence(
    old: str, new: str, said: str
) -> None:
    text = encode_consensus_genesis(GENESIS).decode()
    assert old in text
    with pytest.raises(GenesisInvalid) as caught:
        decode_consensus_genesis(text.replace(old, new, 1).encode())
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The genesis is not JSON"),
        (b"\xff\xfe", "The genesis is not JSON"),
        (b"7", "The genesis must be an object."),
        (b"[" * 60_000, "The genesis is nested too deeply"),
        (b" " * (GENESIS_BYTES_MAX + 1), "The genesis must be at most"),
    ],
)
def test_what_is_no_consensus_genesis_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(GenesisInvalid, match=said):
        decode_consensus_genesis(data)


@pytest.mark.parametrize(
    ("weights", "sound"),
    [
        ((1,), True),
        ((9, 1), True),
        ((1, 1, 9), True),  # below four, no weights can do without one
        ((1, 1, 1, 1), True),
        ((33, 33, 33, 1), True),
        ((34, 33, 33, 2), False),
        ((3, 2, 2, 2), False),
        ((65536,), True),
        ((65536, 1), False),
    ],
)
def test_no_validator_weighs_a_third_of_four_or_more(weights: tuple[int, ...], sound: bool) -> None:
    validators = tuple(validator(index, weight) for index, weight in enumerate(weights))
    genesis = replace(GENESIS, validators=validators)
    if sound:
        assert decode_consensus_genesis(encode_consensus_genesis(genesis)) == genesis
    else:
        with pytest.raises(GenesisInvalid, match="weight"):
            consensus_hash(genesis)


def test_nobody_is_no_validator_set() -> None:
    with pytest.raises(GenesisInvalid, match="validators must be a list of 1 to 128 entries."):
        encode_consensus_genesis(replace(GENESIS, validators=()))
