"""The structure kernel against the oracle, and each rule by name."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quorate.admission.structure import bundle_checked
from quorate.codec import commands as c
from quorate.codec.bundle import encode_unsigned
from quorate.types.codes import Op, Reject
from tests.admission import oracle
from tests.codec import values
from tests.codec.test_genesis import MARKET

CHAIN_ID = 77
PLACE = c.encode_command(c.Place(1, 0, 100, 1))
QUOTE = c.Quote(1, 3, (c.QuoteLevel(99, 5, 101, 5), c.QuoteLevel(98, 5, 102, 5)))
LISTING = c.encode_command(c.ListMarket(1, MARKET))


def bundle(commands: bytes) -> bytes:
    return encode_unsigned(CHAIN_ID, 3, 1_700_000_000_000, commands) + bytes(65)


def code_of(data: bytes, kind: int = 1) -> Reject:
    """Ask the kernel, and see that the oracle agrees."""
    code = Reject(bundle_checked(np.frombuffer(data, np.uint8), kind, CHAIN_ID))
    assert code == oracle.structure_code(data, kind, CHAIN_ID)
    return code


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


@given(st.lists(values.COMMANDS, min_size=1, max_size=8))
def test_what_builders_make_is_sound(commands: list[c.Command]) -> None:
    assert code_of(bundle(c.encode_commands(commands))) == Reject.OK


@given(st.lists(values.COMMANDS, min_size=1, max_size=3), st.data())
def test_kernel_and_oracle_agree_on_mutations(
    commands: list[c.Command], data: st.DataObject
) -> None:
    sound = bundle(c.encode_commands(commands))
    mutated = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sound) - 66))
        mutated[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 0x7F, 0xFF])))
    code_of(bytes(mutated), data.draw(st.sampled_from([1, 2])))


@given(st.sampled_from([*Op, 0, 8, 128]), st.binary(min_size=63, max_size=63), st.booleans())
def test_kernel_and_oracle_agree_on_any_record(op: int, rest: bytes, after_head: bool) -> None:
    record = bytes([op]) + rest
    code_of(bundle(LISTING[:64] + record if after_head else record))


@given(st.binary(max_size=300), st.integers(0, 6))
@example(b"", 1)
def test_kernel_and_oracle_agree_on_any_bytes(data: bytes, kind: int) -> None:
    code_of(data, kind)


def test_every_byte_of_every_operation() -> None:
    samples = [
        c.Place(1, 1, 100, 5, 1, 0x2C, 9, 7), c.Cancel(5), c.CancelClient(6), c.CancelAll(2),
        c.Modify(1, 2, 3, 0x20), c.ModifyClient(1, 2, 3), c.Deadman(8),
        c.ApproveAgent(bytes(range(20))), c.RevokeAgent(bytes(20)), c.Withdraw(0, bytes(20), 5),
        c.Transfer(0, bytes(20), 1, 5), c.OpenSubaccount(2), c.Faucet(5),
        c.Deposit(0, bytes(20), 1, 5), c.ListMarket(1, MARKET), c.SetStatus(1, 2),
        c.SetFeeTier(1, 2, -3, 4), c.SetMarginTier(1, 2, 3), c.AddAsset(1, 6, "WETH"),
        c.Upgrade(2, 50),
        c.SetValidator(2, b"\2" * 33, 5), c.SetMark(1, 5),
        c.Trigger(1, 1, 2, 900, 5, 0x0F, 890, 44, 10_000), c.CancelTrigger(5), QUOTE,
        c.SetGroup(1, 1000, 5, 6, 7, 8), c.Isolate(1, -5), c.Donate(1, 5),
        c.SetRisk(1, 2, -3, 4), c.SetBand(1, 3, 1000, 5, 6, 7), c.SetFeed(0, "BTC", 5),
        c.SetVoter(bytes(range(20)), 5), c.SetSwitch(3, 2), c.SetGlobal(1, 2, 3),
        c.ScheduleTier(1, 2, 3, 4), c.VotePrice(0, 5, 6),
        c.ListProduct(1, "CALL", 2, 0, 9, 5_000, "fix", (7,) * 64, (-1, 9) * 24),
        c.SetSeries(1, 2, 3, -4, 5, -6, 7, -8, 9), c.SetListing(1, 2, 3, 4, 5, 6, 7),
        c.VoteSmile(1, 5, (9_000,) * 9), c.SetMarginMode(1),
    ]  # fmt: skip
    assert [sample.op for sample in samples] == list(c.COMMANDS)
    for sample in samples:
        sound = bundle(c.encode_command(sample))
        assert code_of(sound) == Reject.OK
        for at in range(32, len(sound) - 65):
            for value in (0, 1, 2, 4, 5, 0x20, 0x41, 0x7F, 0x80, 0xFF):
                code_of(changed(sound, at, value))


def test_a_quote_takes_no_more_than_a_bundle() -> None:
    level = c.QuoteLevel(1, 1, 2, 1)
    full = c.encode_command(c.Quote(1, 0, (level,) * 31))
    assert code_of(bundle(full * 32)) == Reject.OK
    assert code_of(bundle(PLACE + full * 31 + full[:-64])) == (
        Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD
    )


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (c.Place(1, 0, 1, 1, flags=0x22), Reject.OK),
        (c.Place(1, 0, 1, 1, flags=0x02), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 1, 1, tif=2, flags=0x20), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 1, 1, tif=3, flags=0x20), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 0, 1, tif=2, flags=0x40), Reject.OK),
        (c.Place(1, 0, 0, 1, tif=3, flags=0x41), Reject.OK),
        (c.Place(1, 0, 1, 1, tif=2, flags=0x40), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 0, 1, tif=0, flags=0x40), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 0, 1, tif=1, flags=0x40, expiry_ms=5), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 1, 1, tif=1, expiry_ms=5), Reject.OK),
        (c.Place(1, 0, 1, 1, tif=1), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 1, 1, tif=0, expiry_ms=5), Reject.FLAGS_MUST_AGREE),
        (c.Place(1, 0, 1, 1, tif=2, expiry_ms=5), Reject.FLAGS_MUST_AGREE),
    ],
)
def test_flags_agree(place: c.Place, code: Reject) -> None:
    assert code_of(bundle(c.encode_command(place))) == code


@pytest.mark.parametrize(
    ("key_type", "key", "code"),
    [
        (1, bytes(33), Reject.OK),
        (1, b"\xff" * 32 + b"\0", Reject.OK),
        (1, b"\xff" * 32 + b"\1", Reject.FIELD_MUST_BE_IN_RANGE),
        (2, b"\2" + b"\xff" * 32, Reject.OK),
        (2, b"\3" + bytes(32), Reject.OK),
        (2, b"\4" + b"\xff" * 32, Reject.FIELD_MUST_BE_IN_RANGE),
        (2, bytes(33), Reject.FIELD_MUST_BE_IN_RANGE),
    ],
)
def test_validator_keys_have_the_form_of_their_type(
    key_type: int, key: bytes, code: Reject
) -> None:
    sound = bundle(c.encode_command(c.SetValidator(key_type, key, 5)))
    assert code_of(sound) == code
    for unknown in (0, 3, 255):
        assert code_of(changed(sound, 33, unknown)) == Reject.FIELD_MUST_BE_IN_RANGE


def test_continuations() -> None:
    refused = Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD
    head, tail = LISTING[:64], LISTING[64:]
    assert code_of(bundle(head + tail + PLACE + head + tail)) == Reject.OK
    for commands in (head, tail, head + PLACE, PLACE + tail, head + tail + tail, head + head):
        assert code_of(bundle(commands)) == refused


def test_levels_of_a_quote() -> None:
    refused = Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD
    data = c.encode_command(QUOTE)
    head, level = data[:64], data[64:128]
    assert code_of(bundle(PLACE + data + LISTING + data + PLACE)) == Reject.OK
    for commands in (
        head, level, head + level, head + level + PLACE, data + level, head + head,
        head + LISTING[64:] + level, LISTING[:64] + level, PLACE + level,
    ):  # fmt: skip
        assert code_of(bundle(commands)) == refused
    for count, code in ((0, 107), (1, 0), (32, 0), (33, 107), (2**63 - 1, 107)):
        said = head[:16] + count.to_bytes(8, "little") + head[24:]
        assert code_of(bundle(said + level * min(count, 40))) == code
    # A negative count is a range, whatever follows.
    assert code_of(bundle(head[:16] + b"\xff" * 8 + head[24:] + level)) == 107


def test_header_rules() -> None:
    sound = bundle(PLACE)
    assert code_of(sound) == Reject.OK
    assert code_of(sound[:-1]) == Reject.LENGTH_MUST_MATCH_COUNT
    assert code_of(sound + b"\0") == Reject.LENGTH_MUST_MATCH_COUNT
    assert code_of(sound[:96]) == Reject.LENGTH_MUST_MATCH_COUNT
    assert code_of(b"") == Reject.LENGTH_MUST_MATCH_COUNT
    assert code_of(changed(sound, 14, 0)) == Reject.COUNT_MUST_BE_1_TO_1024
    assert code_of(changed(sound, 15, 5)) == Reject.COUNT_MUST_BE_1_TO_1024
    assert code_of(changed(sound, 14, 2)) == Reject.LENGTH_MUST_MATCH_COUNT
    assert code_of(changed(sound, 12, 1)) == Reject.FLAGS_MUST_BE_ZERO
    assert code_of(changed(sound, 13, 1)) == Reject.FLAGS_MUST_BE_ZERO
    assert code_of(changed(sound, 0, 78)) == Reject.CHAIN_ID_MUST_MATCH
    assert code_of(changed(sound, 7, 128)) == Reject.CHAIN_ID_MUST_MATCH
    assert code_of(changed(sound, 23, 128)) == Reject.FIELD_MUST_BE_IN_RANGE
    assert code_of(changed(sound, 31, 128)) == Reject.FIELD_MUST_BE_IN_RANGE
    for kind in (0, 3, 4, 5, 6, 255):
        assert code_of(sound, kind) == Reject.KIND_MUST_BE_KNOWN


def test_the_largest_bundle() -> None:
    assert code_of(bundle(PLACE * 1024)) == Reject.OK
    assert code_of(bundle(PLACE * 1023 + bytes(64))) == Reject.OPERATION_MUST_BE_KNOWN


def test_typed_items_carry_one_owner_command() -> None:
    owner = c.encode_command(c.OpenSubaccount(1))
    assert code_of(bundle(owner), 2) == Reject.OK
    for commands in (PLACE, owner + owner, c.encode_command(c.Faucet(5)), bytes(64)):
        assert code_of(bundle(commands), 2) == Reject.OWNER_COMMAND_MUST_STAND_ALONE


WITHOUT_MACHINE_CODE = """
import sys
import numpy as np
from quorate.admission.structure import bundle_checked
for line in sys.stdin:
    kind, data = line.split()
    print(int(bundle_checked(np.frombuffer(bytes.fromhex(data), np.uint8), int(kind), 77)))
"""


def test_the_same_source_without_machine_code() -> None:
    sound = bundle(LISTING + c.encode_command(c.SetFeeTier(1, 2, -3, 4)) + PLACE)
    inputs = [(1 + at % 2, changed(sound, at, value)) for at in range(290) for value in (0, 255)]
    lines = "".join(f"{kind} {data.hex()}\n" for kind, data in inputs)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MACHINE_CODE],
        input=lines,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(int(code_of(data, kind))) for kind, data in inputs]
