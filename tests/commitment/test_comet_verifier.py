"""Proofs under CometBFT and their stand-alone verifier, against real nodes, libraries, liars."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment import comet_header, comet_proof, comet_verifier, proof, verifier
from quorate.commitment.comet_header import CommitSignature, SignedHeader, Time
from quorate.runtime.cometbft import answers
from tests.commitment import comet_world, proof_world
from tests.commitment.comet_world import (
    ABSENT,
    COMMIT,
    EQUAL,
    FLAGS,
    KEYS,
    NAME,
    NIL,
    RECORDED,
    signed_over,
)
from tests.commitment.proof_world import GENESIS, HEIGHT, World

VERIFIER = Path(comet_verifier.__file__)
MUTATIONS = Path(__file__).with_name("mutations.py")
KINDS = ["account", "position", "order", "event"]
# Ordered by power; no two alike but the last.
UNLIKE = dict(zip(KEYS, (10, 8, 7, 5, 3, 2, 2), strict=True))


@pytest.fixture(scope="module")
def world() -> World:
    return proof_world.world()


@pytest.fixture(scope="module")
def files(world: World) -> dict[str, bytes]:
    signed = signed_over(world)
    return {
        kind: comet_proof.exported_under(getattr(world, kind)(), signed) for kind in KINDS
    }


def lines_of(data: bytes, powers: dict[bytes, int] = EQUAL) -> list[str]:
    return comet_verifier.verified(data, GENESIS, powers)


def refusal(data: bytes, powers: dict[bytes, int] = EQUAL) -> str:
    with pytest.raises(comet_verifier.Refused) as caught:
        lines_of(data, powers)
    return str(caught.value)


def resealed(value: dict[str, Any]) -> bytes:
    value = {key: part for key, part in value.items() if key != "file_digest"}
    digest = hashlib.sha256(proof.canonical(value)).hexdigest()
    return proof.canonical({**value, "file_digest": digest})


def changed(data: bytes, *path: str | int, to: Any) -> bytes:
    """Set one value of a proof file and make the file digest right again."""
    value = json.loads(data)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return resealed(value)


# --- what real nodes answered -------------------------------------------------------------------


def recorded(tree: dict[str, Any]) -> tuple[SignedHeader, list[answers.Validator]]:
    signed = answers.signed_header_read(tree["commit"])
    validators, total = answers.validators_read(tree["validators"])
    assert total == len(validators) == len(signed.signatures)
    return signed, validators


REAL = pytest.mark.parametrize(
    "tree", RECORDED["signed_headers"], ids=lambda tree: tree["source"][:45]
)


@REAL
def test_hashes_of_real_headers(tree: dict[str, Any]) -> None:
    signed, validators = recorded(tree)
    powers = {validator.key: validator.power for validator in validators}
    header = comet_verifier.Header(comet_header.header_fields(signed.header))
    assert header.hash == signed.block_id.hash
    assert comet_verifier.validators_hash(powers) == signed.header.validators_hash
    assert comet_verifier.in_order(powers) == [validator.key for validator in validators]
    entries = tree["validators"]["validators"]
    for validator, entry in zip(validators, entries, strict=True):
        assert comet_verifier.address(validator.key).hex().upper() == entry["address"]


@REAL
def test_sign_bytes_of_real_votes(tree: dict[str, Any]) -> None:
    """Two libraries verify what real nodes signed, over the bytes that we say they signed."""
    signed, validators = recorded(tree)
    block_id = comet_verifier.BlockId(comet_header.block_id_fields(signed.block_id), "").encoded
    of = signed.header
    for validator, vote in zip(validators, signed.signatures, strict=True):
        if vote.flag == ABSENT:
            continue
        message = comet_verifier.sign_bytes(
            of.chain_id, of.height, signed.round, block_id, vote.time.seconds, vote.time.nanos
        )
        if len(validator.key) == 32:
            Ed25519PublicKey.from_public_bytes(validator.key).verify(vote.signature, message)
            continue
        r, s = (int.from_bytes(vote.signature[at : at + 32], "big") for at in (0, 32))
        der = coincurve.ecdsa.cdata_to_der(
            coincurve.ecdsa.deserialize_compact(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        )
        assert coincurve.PublicKey(validator.key).verify(der, message)


@REAL
def test_real_commits_hold_and_changed_ones_do_not(tree: dict[str, Any]) -> None:
    signed, validators = recorded(tree)
    powers = {validator.key: validator.power for validator in validators}
    header = comet_verifier.Header(comet_header.header_fields(signed.header))
    fields = comet_header.commit_fields(signed)
    words = comet_verifier.checked_commit(fields, header, powers)
    count = sum(vote.flag == COMMIT for vote in signed.signatures)
    assert words.startswith(f"signed by {count} of {len(powers)} validators, power ")
    first = fields["signatures"][0]
    for name, to in (("nanos", first["nanos"] ^ 1), ("seconds", first["seconds"] + 1)):
        other = {**fields, "signatures": [{**first, name: to}, *fields["signatures"][1:]]}
        with pytest.raises(comet_verifier.Refused, match="the signature of .* is wrong"):
            comet_verifier.checked_commit(other, header, powers)
    with pytest.raises(comet_verifier.Refused, match="the signature of .* is wrong"):
        comet_verifier.checked_commit({**fields, "round": signed.round + 1}, header, powers)


def test_rounds_absences_and_both_kinds_of_keys_were_recorded() -> None:
    """The tests above would pass with votes of one form; here are the forms."""
    trees = [recorded(tree) for tree in RECORDED["signed_headers"]]
    assert {len(validator.key) for _, found in trees for validator in found} == {32, 33}
    assert {signed.round for signed, _ in trees} == {0, 1}
    assert {vote.flag for signed, _ in trees for vote in signed.signatures} == {ABSENT, COMMIT}
    assert {signed.header.height == 1 for signed, _ in trees} == {True, False}


# --- what is proved -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_is_verified_and_short(files: dict[str, bytes], kind: str) -> None:
    title = f"verified: {kind}, chain {NAME}, height {HEIGHT}, signed by 5 of 7 validators"
    assert lines_of(files[kind])[0] == title
    assert len(files[kind]) < 10_000


def test_it_says_the_same_of_a_row_as_under_the_other_engines(
    world: World, files: dict[str, bytes]
) -> None:
    for kind in KINDS:
        plain = proof.exported(getattr(world, kind)())
        weights = dict.fromkeys(proof_world.SIGNERS, 1)
        assert lines_of(files[kind])[1:] == verifier.verified(plain, GENESIS, weights)[1:]


def test_power_is_told_where_it_is_not_one(world: World) -> None:
    data = comet_proof.exported_under(world.account(), signed_over(world, UNLIKE))
    assert lines_of(data, UNLIKE)[0].endswith("signed by 5 of 7 validators, power 27 of 37")


def test_another_name_of_the_chain_must_be_given(world: World) -> None:
    data = comet_proof.exported_under(world.account(), signed_over(world, name="venue-1"))
    assert refusal(data) == f"the header is not of the chain {NAME}"
    (title, *_) = comet_verifier.verified(data, GENESIS, EQUAL, "venue-1")
    assert "chain venue-1, " in title
    with pytest.raises(comet_verifier.Refused, match="not of the chain venue-2"):
        comet_verifier.verified(data, GENESIS, EQUAL, "venue-2")


def test_a_validator_of_secp256k1_signs_as_well(world: World) -> None:
    if "ripemd160" not in hashlib.algorithms_available:
        pytest.skip("this Python's hashlib has no RIPEMD-160, which such addresses need")
    key = coincurve.PrivateKey(b"\5" * 32)
    powers = {key.public_key.format(): 5, **dict.fromkeys(list(KEYS)[:2], 1)}
    of = comet_world.header(world.checkpoint.state_root, HEIGHT + 1, powers)
    found = comet_verifier.Header(comet_header.header_fields(of))
    block_id = comet_header.BlockId(found.hash, bytes(32), 1)
    encoded = comet_verifier.BlockId(comet_header.block_id_fields(block_id), "").encoded
    message = comet_verifier.sign_bytes(NAME, HEIGHT + 1, 0, encoded, 7, 8)
    digest = hashlib.sha256(message).digest()
    vote = CommitSignature(COMMIT, Time(7, 8), proof_world.signature(key, digest))
    away = CommitSignature(ABSENT, Time(0, 0), b"")
    assert comet_verifier.in_order(powers)[0] == key.public_key.format()
    signed = SignedHeader(of, 0, block_id, (vote, away, away))
    data = comet_proof.exported_under(world.order(), signed)
    assert lines_of(data, powers)[0].endswith("signed by 1 of 3 validators, power 5 of 7")
    wrong = changed(data, "commit", "signatures", 0, "nanos", to=9)
    assert "is wrong" in refusal(wrong, powers)


def test_a_thousand_validators_have_room(world: World) -> None:
    signed = signed_over(world)
    many = (signed.signatures[0],) * comet_proof.VALIDATORS_MAX
    for kind in KINDS:
        data = comet_proof.exported_under(getattr(world, kind)(), replace(signed, signatures=many))
        assert "1000 signatures of 7 validators" in refusal(data)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "kind"),
    # What is under the state root is changed and resealed in test_proof.py; here all beside it.
    [*(("plain", kind) for kind in KINDS), ("resealed", "position"), ("resealed", "event")],
)
def test_every_changed_byte_is_refused(
    files: dict[str, bytes], kind: str, mode: str, tmp_path: Path
) -> None:
    """In an interpreter that has neither quorate nor numpy."""
    (tmp_path / "proof.json").write_bytes(files[kind])
    command = [sys.executable, "-I", "-S", str(MUTATIONS), str(VERIFIER)]
    command += [str(tmp_path / "proof.json"), GENESIS.hex(), mode, *(key.hex() for key in EQUAL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 5 * len(files[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_changed_bytes_are_refused(files: dict[str, bytes], kind: str) -> None:
    data = files[kind]
    for place in range(0, len(data), 37):
        refusal(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


HEADER = "header"
VOTES = ("commit", "signatures")


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("format",), "quorate-proof-1", "format"),
        (("chain_id",), 4243, "not of the chain quorate-4243-"),
        (("genesis",), "00" * 32, "another genesis"),
        (("slot",), 1, "state root"),
        (("more",), 1, "keys"),
        (("checkpoint", "height"), HEIGHT - 1, f"not of height {HEIGHT}"),
        (("checkpoint", "state_root"), "00" * 32, "not under the state root"),
        (("checkpoint", "signatures"), [], "checkpoint has not exactly"),
        ((HEADER,), [], "header is not an object"),
        ((HEADER, "more"), 1, "keys"),
        ((HEADER, "height"), HEIGHT, f"not of height {HEIGHT + 1}"),
        ((HEADER, "height"), 2**63, "integer"),
        ((HEADER, "chain_id"), "quorate-1", "not of the chain"),
        ((HEADER, "chain_id"), "\u00e9", "not ASCII"),
        ((HEADER, "chain_id"), 7, "not ASCII"),
        ((HEADER, "app_hash"), "00" * 32, "app hash is not the state root"),
        ((HEADER, "app_hash"), "", "app hash is not the state root"),
        ((HEADER, "validators_hash"), "00" * 32, "name all of height"),
        ((HEADER, "data_hash"), "00" * 32, "another header"),
        ((HEADER, "data_hash"), "00" * 31, "32 bytes"),
        ((HEADER, "data_hash"), "", "another header"),
        ((HEADER, "next_validators_hash"), "00" * 32, "another header"),
        ((HEADER, "time_nanos"), 10**9, "integer"),
        ((HEADER, "time_nanos"), 5, "another header"),
        ((HEADER, "time_seconds"), 1.0, "integer"),
        ((HEADER, "time_seconds"), -62_135_596_801, "integer"),
        ((HEADER, "time_seconds"), -5, "another header"),
        ((HEADER, "version_app"), 2, "another header"),
        ((HEADER, "version_app"), 2**64, "integer"),
        ((HEADER, "proposer_address"), "01" * 20, "another header"),
        ((HEADER, "proposer_address"), "", "20 bytes"),
        ((HEADER, "last_block_id", "parts_total"), 2**32, "integer"),
        ((HEADER, "last_block_id", "hash"), "", "another header"),
        ((HEADER, "last_block_id", "more"), "", "keys"),
        (("commit",), None, "commit is not an object"),
        (("commit", "height"), HEIGHT + 1, "keys"),
        (("commit", "round"), 3, "signature of"),
        (("commit", "round"), 2**31, "integer"),
        (("commit", "block_id", "hash"), "00" * 32, "another header"),
        (("commit", "block_id", "parts_hash"), "00" * 32, "signature of"),
        (("commit", "block_id", "parts_total"), 2, "signature of"),
        (VOTES, [], "0 signatures of 7 validators"),
        (VOTES, {}, "not a list"),
        ((*VOTES, 0), {"flag": ABSENT}, "power 4 of 7, 5 needed"),
        ((*VOTES, 0), [], "power 4 of 7, 5 needed"),
        ((*VOTES, 2), [], "a signature is not an object"),
        ((*VOTES, 2, "flag"), COMMIT, "signature of"),
        ((*VOTES, 2, "flag"), 0, "flag is not known"),
        ((*VOTES, 2, "flag"), 4, "integer"),
        ((*VOTES, 2, "flag"), True, "integer"),
        ((*VOTES, 0, "flag"), 2.0, "integer"),
        ((*VOTES, 4, "nanos"), 0, "keys"),
        ((*VOTES, 4, "flag"), COMMIT, "keys"),
        ((*VOTES, 0, "nanos"), 10**9, "integer"),
        ((*VOTES, 0, "seconds"), 0, "signature of"),
        ((*VOTES, 0, "signature"), "00" * 64, "signature of"),
        ((*VOTES, 0, "signature"), "00" * 63, "64 bytes"),
    ],
)
def test_a_changed_value_is_refused(
    files: dict[str, bytes], path: tuple[str | int, ...], to: Any, reason: str
) -> None:
    assert reason in refusal(changed(files["position"], *path, to=to))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(), st.floats(), st.text(max_size=8),
    st.binary(max_size=40).map(bytes.hex), st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["flag", "hash", "nanos"]), st.integers(0, 3), max_size=3),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_file_the_answer_is_a_refusal(data: st.DataObject) -> None:
    world = proof_world.world()
    whole = comet_proof.exported_under(world.event(), signed_over(world))
    inner, path = json.loads(whole), []
    while isinstance(inner, dict | list) and inner:
        keys = sorted(inner) if isinstance(inner, dict) else list(range(len(inner)))
        path.append(data.draw(st.sampled_from(keys)))
        inner = inner[path[-1]]
        if data.draw(st.integers(0, 3)) == 0:
            break
    try:
        other = changed(whole, *path, to=data.draw(VALUES))
    except ValueError:
        return
    if path != ["file_digest"] and other != whole:
        refusal(other)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_proof_is_refused(text: bytes) -> None:
    refusal(text)


# --- whom one trusts ----------------------------------------------------------------------------


def test_a_wrong_or_stale_set_is_named_as_such(files: dict[str, bytes]) -> None:
    keys = list(EQUAL)
    for powers in (
        dict.fromkeys(keys[:6], 1),
        {**EQUAL, bytes(32): 1},
        {**EQUAL, keys[3]: 2},
        {**dict.fromkeys(keys[:6], 1), bytes(32): 1},
    ):
        said = refusal(files["order"], powers)
        assert f"the {len(powers)} given ones to " in said
        assert said.endswith(f"name all of height {HEIGHT + 1}, and each with its power then")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=7, max_size=7),
    st.lists(st.sampled_from([ABSENT, COMMIT, NIL]), min_size=7, max_size=7),
)
def test_a_quorum_is_counted_by_power(powers: list[int], flags: list[int]) -> None:
    """The oracle counts in thirds: votes for the block need more than two thirds of the power."""
    world = proof_world.world()
    given_powers = dict(zip(KEYS, powers, strict=True))
    data = comet_proof.exported_under(world.order(), signed_over(world, given_powers, flags))
    in_order = sorted(powers, reverse=True)
    power = sum(one for one, flag in zip(in_order, flags, strict=True) if flag == COMMIT)
    if 3 * power > 2 * sum(powers):
        assert f"signed by {flags.count(COMMIT)} of 7" in lines_of(data, given_powers)[0]
    else:
        assert f"have power {power} of {sum(powers)}, " in refusal(data, given_powers)


@pytest.mark.parametrize("at", [at for at, flag in enumerate(FLAGS) if flag != ABSENT])
def test_one_wrong_signature_among_enough_right_ones_is_refused(world: World, at: int) -> None:
    """Also one of a validator that voted for no block."""
    powers = dict.fromkeys(KEYS, 1)
    flags = [COMMIT] * 7
    flags[at] = FLAGS[at]
    signed = signed_over(world, powers, flags)
    vote = signed.signatures[at]
    wrong = replace(vote, signature=vote.signature[:63] + bytes([vote.signature[63] ^ 1]))
    assert lines_of(comet_proof.exported_under(world.order(), signed), powers)
    forged = comet_world.with_vote(signed, at, wrong)
    key = comet_verifier.in_order(powers)[at]
    said = refusal(comet_proof.exported_under(world.order(), forged), powers)
    assert said == f"the signature of {key.hex()} is wrong"


def test_votes_that_change_places_are_refused(world: World) -> None:
    signed = signed_over(world)
    one, two, *rest = signed.signatures
    swapped = replace(signed, signatures=(two, one, *rest))
    assert "is wrong" in refusal(comet_proof.exported_under(world.order(), swapped))


def test_a_commit_of_another_header_or_height_is_refused(world: World) -> None:
    root = world.checkpoint.state_root
    signed = signed_over(world)
    twin = comet_world.signed(replace(signed.header, proposer_address=b"\1" * 20), EQUAL)
    borrowed = replace(twin, header=signed.header)
    assert "another header" in refusal(comet_proof.exported_under(world.order(), borrowed))
    later = comet_world.signed(comet_world.header(root, HEIGHT + 2, EQUAL), EQUAL)
    renamed = replace(later, header=replace(later.header, height=HEIGHT + 1))
    assert "another header" in refusal(comet_proof.exported_under(world.order(), renamed))


# --- the program --------------------------------------------------------------------------------


def ran(*arguments: str, program: Path = VERIFIER) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_exit_codes(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(files["account"])
    trust = ["--genesis-hash", GENESIS.hex()]
    trust += [part for key in EQUAL for part in ("--signer", key.hex())]
    good = ran(str(path), *trust)
    assert good.returncode == 0 and "cash: -12.345678" in good.stdout, good.stderr
    named = ran(str(path), *trust, "--chain-id", NAME)
    assert (named.returncode, named.stdout) == (0, good.stdout)
    for wrong in ([*trust, "--chain-id", "x"], [*trust[:-1], f"{trust[-1]}:2"], trust[:-2]):
        bad = ran(str(path), *wrong)
        assert bad.returncode == 1 and bad.stdout.startswith("refused: ")
    path.write_bytes(files["account"] + b"\n")
    assert ran(str(path), *trust).returncode == 1
    for wrong in (
        [str(path)],
        [str(path), *trust[:2]],
        [str(path), *trust, *trust[2:4]],
        [str(path), *trust, "--signer", "02"],
        [str(path), *trust, "--signer", "02" + "ff" * 32],
        [str(path), *trust[:-1], f"{trust[-1]}:0"],
        [str(path), *trust[:-1], f"{trust[-1]}:01"],
        [str(path), *trust[:-1], f"{trust[-1]}:"],
        [str(path), *trust[:-1], f"{trust[-1]}:{2**60}"],
        [str(path), *trust, "--chain-id", "x" * 51],
        [str(path), *trust, "--chain-id", ""],
        [str(path), "--genesis-hash", "zz", *trust[2:]],
        [str(tmp_path / "none"), *trust],
    ):
        done = ran(*wrong)
        assert done.returncode == 2 and done.stderr, wrong


def test_it_needs_one_file_beside_it_and_says_so(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "proof.json").write_bytes(files["order"])
    program = Path(shutil.copy(VERIFIER, tmp_path))
    trust = ["--genesis-hash", GENESIS.hex(), *(f"--signer={key.hex()}" for key in EQUAL)]
    alone = ran(str(tmp_path / "proof.json"), *trust, program=program)
    assert alone.returncode == 2 and "verifier.py must lie in the same folder" in alone.stderr
    shutil.copy(verifier.__file__, tmp_path)
    both = ran(str(tmp_path / "proof.json"), *trust, program=program)
    assert both.returncode == 0 and both.stdout.startswith("verified: order")
