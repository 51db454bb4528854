"""Exported proofs and the stand-alone verifier, which share no code, held together."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import coincurve
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment import proof, verifier
from quorate.types import codes, events, records
from quorate.types.records import Table
from tests.commitment import proof_world
from tests.commitment.proof_world import GENESIS, KEYS, SIGNERS, World

VERIFIER = Path(verifier.__file__)
MUTATIONS = Path(__file__).with_name("mutations.py")
KINDS = ["account", "position", "order", "event"]
EQUAL = dict.fromkeys(SIGNERS, 1)


@pytest.fixture(scope="module")
def world() -> World:
    return proof_world.world()


def exported(world: World, kind: str) -> bytes:
    return proof.exported(getattr(world, kind)())


def lines_of(data: bytes) -> list[str]:
    return verifier.verified(data, GENESIS, EQUAL)


def changed(data: bytes, *path: str | int, to: Any) -> bytes:
    """Set one value of a proof file and make the file digest right again."""
    value = json.loads(data)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    del value["file_digest"]
    value["file_digest"] = hashlib.sha256(proof.canonical(value)).hexdigest()
    return proof.canonical(value)


def refusal(data: bytes) -> str:
    with pytest.raises(verifier.Refused) as caught:
        lines_of(data)
    return str(caught.value)


# --- what is proved -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_is_verified_and_short(world: World, kind: str) -> None:
    data = exported(world, kind)
    title = f"verified: {kind}, chain 4242, height 1000007, epoch 6, signed by 3 of 4 validators"
    assert lines_of(data)[0] == title
    assert len(data) < 8000


def test_rows_are_written_in_words(world: World) -> None:
    account = lines_of(exported(world, "account"))
    assert "account 2" in account and "  cash: -12.345678" in account
    assert "position in market 7" in account and "position in asset 3" in account
    position = lines_of(exported(world, "position"))
    assert "position in asset 3" in position and "position in market 7" not in position
    order = lines_of(exported(world, "order"))
    assert {"  order id: 5", "  side: sell", "  tif: immediate or cancel"} <= set(order)
    assert "  kind: fill" in lines_of(exported(world, "event"))
    ledger = lines_of(proof.exported(world.event(9)))
    assert "event 9 of 11" in ledger and "  kind: deposited" in ledger
    assert any(line.startswith("  amount: ") for line in ledger)


def test_a_liquidation_is_written_in_its_words(world: World) -> None:
    """What a receipt says: step, prices, margin before and after, and where the money went."""
    lines = lines_of(proof.exported(world.event(proof_world.LIQUIDATED)))
    said = dict(line.strip().split(": ", 1) for line in lines if line.startswith("  "))
    assert said["kind"] == "liquidated" and (said["end"], said["code"]) == ("2", "2")
    assert said["side"] == "sell" and (said["market"], said["account"]) == ("7", "3")
    assert (said["mark ticks"], said["price ticks"]) == ("50000", "49000")
    assert (said["lots"], said["position"]) == ("5", "-12")
    assert said["equity before"] == "12.500000" and said["equity after"] == "-0.000001"
    assert said["maintenance before"] == "20.000000" and said["fund"] == "0.250000"
    assert said["cash"] == "0.000004" and "order id" not in said


def test_words_that_an_event_leaves_are_not_printed(world: World) -> None:
    lines = lines_of(proof.exported(world.event(proof_world.TRIGGER_ENDED)))
    assert "  kind: trigger_ended" in lines and not any("word" in line for line in lines)


def test_every_event_and_account_can_be_proved(world: World) -> None:
    for index in range(11):
        lines_of(proof.exported(world.event(index)))
    for slot in range(3):
        view = world.views[Table.ACCOUNTS]
        lines_of(proof.exported(proof.account_proof(world.state, view, slot, world.checkpoint)))


def test_the_layout_is_that_of_the_records() -> None:
    dtypes = {
        "chain": records.CHAIN,
        "account": records.ACCOUNT,
        "position": records.POSITION,
        "order": records.ORDER,
        "event": records.EVENT,
        "ledger_event": records.LEDGER_EVENT,
        **{name.lower(): reading for name, reading in events.EVENT_READINGS.items()},
    }
    assert sorted(verifier.LAYOUT) == sorted(dtypes)
    for name, dtype in dtypes.items():
        forms = []
        for field in dtype.names or ():
            kind, shape = dtype[field].base, dtype[field].shape
            size = dtype[field].itemsize
            forms.append((field, f"b{size}" if shape else f"{kind.kind}{size}"))
        assert list(verifier.LAYOUT[name]) == forms
        assert verifier.row_bytes(name) == dtype.itemsize


def test_the_verifiers_numbers_are_those_of_the_house() -> None:
    tables = {"chain": Table.CHAIN, "account": Table.ACCOUNTS, "order": Table.ORDERS}
    assert verifier.TABLES == {
        "account": tables["account"],
        "position": tables["account"],
        "order": tables["order"],
        "event": tables["chain"],
    }
    assert list(verifier.EVENT_KINDS[1:]) == [kind.name.lower() for kind in codes.EventKind]
    assert len(verifier.TIFS) == len(codes.Tif)
    assert [side.upper() for side in verifier.SIDES] == [side.name for side in codes.Side]
    assert verifier.ASSET_KEY == records.ASSET_KEY


# --- what is refused ----------------------------------------------------------------------------


def ran_mutations(world: World, kind: str, folder: Path, mode: str) -> None:
    """Change every byte in an interpreter that has neither quorate nor numpy."""
    data = exported(world, kind)
    (folder / "proof.json").write_bytes(data)
    command = [sys.executable, "-I", "-S", str(MUTATIONS), str(VERIFIER)]
    command += [str(folder / "proof.json"), GENESIS.hex(), mode, *(key.hex() for key in SIGNERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 5 * len(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["plain", "resealed"])
def test_every_changed_byte_is_refused(
    world: World, kind: str, mode: str, tmp_path: Path
) -> None:
    ran_mutations(world, kind, tmp_path, mode)


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_changed_bytes_are_refused(world: World, kind: str) -> None:
    data = exported(world, kind)
    for place in range(0, len(data), 37):
        refusal(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def test_another_genesis_is_refused(world: World) -> None:
    with pytest.raises(verifier.Refused, match="genesis"):
        verifier.verified(exported(world, "account"), bytes(32), EQUAL)


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("slot",), 1, "state root"),
        (("slot",), True, "integer"),
        (("slot",), 2**28, "integer"),
        (("slot",), -1, "integer"),
        (("table",), 8, "another table"),
        (("chain_id",), 4243, "signature of"),
        (("kind",), "order", "keys"),
        (("kind",), "audit", "kind"),
        (("kind",), ["order"], "kind"),
        (("format",), "quorate-proof-2", "format"),
        (("siblings",), [], "28 entries"),
        (("siblings", 0), "00" * 31, "32 bytes"),
        (("siblings", 3), "AB" * 32, "lower-case"),
        (("top_siblings", 1), "00" * 32, "state root"),
        (("preimage",), "", "state root"),
        (("more",), 1, "keys"),
        (("position", "index"), 0, "not in the account"),
        (("position", "index"), 2, "no such position"),
        (("position", "row"), "00" * 64, "not in the account"),
        (("position", "more"), 1, "keys"),
        (("checkpoint",), [], "not an object"),
        (("checkpoint", "height"), 1, "signature of"),
        (("checkpoint", "height"), 2**64, "integer"),
        (("checkpoint", "epoch"), 7, "signature of"),
        (("checkpoint", "exec_block_digest"), "00" * 32, "signature of"),
        (("checkpoint", "state_root"), "00" * 32, "state root"),
        (("checkpoint", "signatures"), [], "3 needed"),
        (("checkpoint", "signatures"), {}, "not a list"),
    ],
)
def test_a_changed_value_is_refused(
    world: World, path: tuple[str | int, ...], to: Any, reason: str
) -> None:
    assert reason in refusal(changed(exported(world, "position"), *path, to=to))


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("event", "index"), 4, "events root"),
        (("event", "index"), 11, "integer"),
        (("event", "count"), 12, "events root"),
        (("event", "count"), 0, "zero"),
        (("event", "preimage"), "00" * 112, "events root"),
        (("event", "preimage"), "00" * 64, "112 bytes"),
        (("event", "siblings", 23), "00" * 32, "events root"),
        (("slot",), 1, "state root"),
    ],
)
def test_a_changed_event_is_refused(
    world: World, path: tuple[str | int, ...], to: Any, reason: str
) -> None:
    assert reason in refusal(changed(exported(world, "event"), *path, to=to))


def test_a_chain_row_of_another_height_is_refused(world: World) -> None:
    other = proof_world.signed(replace(world.checkpoint, height=proof_world.HEIGHT + 1))
    data = proof.exported(replace(world.event(), checkpoint=other))
    assert "another height" in refusal(data)


def test_a_free_order_slot_is_refused(world: World) -> None:
    view = world.views[Table.ORDERS]
    data = proof.exported(proof.order_proof(world.state, view, 0, world.checkpoint))
    assert "no order" in refusal(data)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{}", b"\xff", b'{"a":NaN}', b"[" * 100_000, b"1" * 5000]
)
def test_what_is_no_proof_is_refused(text: bytes) -> None:
    refusal(text)


def test_a_deeply_nested_file_is_refused_before_it_is_parsed() -> None:
    """It overflowed the C stack of the JSON parser where the recursion limit had been raised."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        assert "more lists" in refusal(b"[" * 200_000)
    finally:
        sys.setrecursionlimit(before)


# --- signatures ---------------------------------------------------------------------------------


def with_signatures(world: World, entries: list[tuple[bytes, bytes]]) -> bytes:
    value = [{"signature": part.hex(), "signer": signer.hex()} for signer, part in entries]
    return changed(exported(world, "order"), "checkpoint", "signatures", to=value)


def signatures(world: World, count: int) -> list[tuple[bytes, bytes]]:
    digest = proof.checkpoint_digest(world.checkpoint)
    return [(key.public_key.format(), proof_world.signature(key, digest)) for key in KEYS[:count]]


def test_a_quorum_is_more_than_two_thirds(world: World) -> None:
    assert "3 needed" in refusal(with_signatures(world, signatures(world, 2)))
    lines_of(with_signatures(world, signatures(world, 3)))
    lines_of(with_signatures(world, signatures(world, 4)))


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 9), min_size=4, max_size=4),
    st.sets(st.integers(0, 3), min_size=1, max_size=4),
)
def test_a_quorum_is_counted_by_weight(weights: list[int], chosen: set[int]) -> None:
    """The oracle counts in thirds: signers need more than two thirds of the whole weight."""
    world = proof_world.world()
    entries = signatures(world, 4)
    data = with_signatures(world, [entries[at] for at in sorted(chosen)])
    given_weights = dict(zip(SIGNERS, weights, strict=True))
    signed, whole = sum(weights[at] for at in chosen), sum(weights)
    if 3 * signed > 2 * whole:
        (title, *_) = verifier.verified(data, GENESIS, given_weights)
        words = f"signed by {len(chosen)} of 4 validators"
        if set(weights) != {1}:
            words += f", weight {signed} of {whole}"
        assert title.endswith(words)
    else:
        with pytest.raises(verifier.Refused, match=f"weigh {signed} of {whole}, "):
            verifier.verified(data, GENESIS, given_weights)


def test_signers_must_ascend_and_be_known(world: World) -> None:
    one, two, three, four = signatures(world, 4)
    assert "ascending" in refusal(with_signatures(world, [one, one, two]))
    assert "ascending" in refusal(with_signatures(world, [two, one, three]))
    with pytest.raises(verifier.Refused, match="not one of the given"):
        data = with_signatures(world, [one, two, three, four])
        verifier.verified(data, GENESIS, dict.fromkeys([*SIGNERS[:3], b"\x04" * 33], 1))


def test_one_wrong_signature_among_enough_right_ones_is_refused(world: World) -> None:
    one, two, three, (key, part) = signatures(world, 4)
    wrong = (key, part[:63] + bytes([part[63] ^ 1]))
    assert "is wrong" in refusal(with_signatures(world, [one, two, three, wrong]))


def test_the_high_s_twin_is_refused(world: World) -> None:
    (key, part), two, three = signatures(world, 3)
    high = verifier.N - int.from_bytes(part[32:], "big")
    twin = (key, part[:32] + high.to_bytes(32, "big"))
    assert "is wrong" in refusal(with_signatures(world, [twin, two, three]))


@settings(max_examples=30)
@given(st.integers(1, verifier.N - 1), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_signatures_as_the_library_makes_them(secret: int, digest: bytes, bit: int) -> None:
    key = coincurve.PrivateKey(secret.to_bytes(32, "big"))
    public, part = key.public_key.format(), proof_world.signature(key, digest)
    assert verifier.signature_holds(public, digest, part)
    flipped = (int.from_bytes(part, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not verifier.signature_holds(public, digest, flipped)
    # Over the digest zero, and over no other, a key and its negative have the same signatures.
    negative = bytes([public[0] ^ 1]) + public[1:]
    assert verifier.signature_holds(negative, digest, part) == (digest == bytes(32))
    other = bytes([digest[0] ^ 1]) + digest[1:]
    assert not verifier.signature_holds(public, other, part)


def test_numbers_out_of_range_are_no_signatures() -> None:
    public = SIGNERS[0]
    for r in (0, 1, verifier.N, verifier.N + 1, 2**256 - 1):
        for s in (0, verifier.N, verifier.N - 1, 2**256 - 1):
            part = r.to_bytes(32, "big") + s.to_bytes(32, "big")
            assert not verifier.signature_holds(public, bytes(32), part)
    for key in (b"", b"\x02" + bytes(32), b"\x02" + b"\xff" * 32, b"\x04" + public[1:]):
        assert verifier.public_point(key) is None


# --- the program --------------------------------------------------------------------------------


def ran(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(VERIFIER), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_exit_codes(world: World, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(exported(world, "account"))
    trust = ["--genesis-hash", GENESIS.hex()]
    trust += [part for key in SIGNERS for part in ("--signer", key.hex())]
    good = ran(str(path), *trust)
    assert good.returncode == 0 and "cash: -12.345678" in good.stdout
    heavy = ran(str(path), *trust[:2], "--signer", f"{SIGNERS[0].hex()}:7", *trust[4:])
    assert heavy.returncode == 0 and ", weight 9 of 10" in heavy.stdout
    path.write_bytes(exported(world, "account") + b"\n")
    bad = ran(str(path), *trust)
    assert bad.returncode == 1 and bad.stdout.startswith("refused: ")
    for wrong in (
        [str(path)],
        [str(path), *trust[:2]],
        [str(path), *trust, *trust[2:4]],
        [str(path), *trust, "--signer", "02"],
        [str(path), *trust, "--signer", "02" + "ff" * 32],
        [str(path), *trust[:-1], f"{SIGNERS[3].hex()}:0"],
        [str(path), *trust[:-1], f"{SIGNERS[3].hex()}:01"],
        [str(path), *trust[:-1], f"{SIGNERS[3].hex()}:"],
        [str(path), *trust[:-1], f"{SIGNERS[3].hex()}:-1"],
        [str(path), *trust[:-1], f"{SIGNERS[3].hex()}:{10**18}"],
        [str(path), "--genesis-hash", "zz", *trust[2:]],
        [str(tmp_path / "none"), *trust],
    ):
        done = ran(*wrong)
        assert done.returncode == 2 and done.stderr, wrong
