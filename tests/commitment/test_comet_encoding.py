"""The bytes that CometBFT hashes and signs, against the library of Protocol Buffers itself."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.commitment import comet_verifier

pytest.importorskip("google.protobuf", reason="the library protobuf is not installed")

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# CometBFT v0.38 spec, section "Data Structures": name, number and type of each field.
SCHEMA = {
    "Time": "seconds 1 INT64, nanos 2 INT32",
    "Parts": "total 1 UINT32, hash 2 BYTES",
    "BlockId": "hash 1 BYTES, parts 2 Parts",
    "Vote": "type 1 INT32, height 2 SFIXED64, round 3 SFIXED64, block_id 4 BlockId, time 5 Time,"
    " chain_id 6 STRING",
    "Version": "block 1 UINT64, app 2 UINT64",
    "Key": "ed25519 1 BYTES, secp256k1 2 BYTES",
    "Validator": "pub_key 1 Key, power 2 INT64",
}


def classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="comet.proto", package="comet", syntax="proto3")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            label, number, kind = field.split()
            made = message.field.add(name=label, number=int(number), label=1)
            if kind in SCHEMA:
                made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".comet.{kind}"
            else:
                made.type = getattr(FieldDescriptorProto, f"TYPE_{kind}")
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"comet.{name}")) for name in SCHEMA}


MESSAGES = classes()
DIGEST = st.one_of(st.just(b""), st.binary(min_size=32, max_size=32))
SECONDS = st.integers(comet_verifier.SECONDS_MIN, comet_verifier.SECONDS_MAX)
NANOS = st.integers(0, comet_verifier.NANOS_MAX)


@given(
    st.text(st.characters(codec="ascii"), max_size=50), st.integers(0, 2**63 - 1),
    st.integers(0, 2**31 - 1), DIGEST, DIGEST, st.integers(0, 2**32 - 1), SECONDS, NANOS,
    st.booleans(),
)  # fmt: skip
def test_votes_are_written_as_the_library_writes_them(
    chain_id: str, height: int, round_: int, digest: bytes, parts: bytes, total: int,
    seconds: int, nanos: int, for_none: bool,
) -> None:  # fmt: skip
    fields = {"hash": digest.hex(), "parts_hash": parts.hex(), "parts_total": total}
    block_id = comet_verifier.BlockId(fields, "").encoded
    theirs = MESSAGES["BlockId"](hash=digest, parts={"total": total, "hash": parts})
    assert block_id == theirs.SerializeToString(deterministic=True)
    vote = MESSAGES["Vote"](
        type=2, height=height, round=round_, chain_id=chain_id,
        block_id=None if for_none else theirs, time={"seconds": seconds, "nanos": nanos},
    )  # fmt: skip
    written = vote.SerializeToString(deterministic=True)
    ours = comet_verifier.sign_bytes(
        chain_id, height, round_, b"" if for_none else block_id, seconds, nanos
    )
    assert ours == comet_verifier.varint(len(written)) + written


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(1, 2**60 - 1))
def test_versions_and_validators_too(block: int, app: int, power: int) -> None:
    ours = comet_verifier.number(1, block) + comet_verifier.number(2, app)
    assert ours == MESSAGES["Version"](block=block, app=app).SerializeToString()
    for name, key in (("ed25519", bytes(32)), ("secp256k1", b"\2" + bytes(32))):
        validator = MESSAGES["Validator"](pub_key={name: key}, power=power)
        leaf = hashlib.sha256(b"\0" + validator.SerializeToString()).digest()
        if len(key) == 33 and "ripemd160" not in hashlib.algorithms_available:
            continue
        assert comet_verifier.validators_hash({key: power}) == leaf


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_tree_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    """Built from the other end: by level; the last of an odd number goes up as it is."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\1" + one + two).digest() for one, two in pairs] + odd
    assert comet_verifier.merkle(leaves) == (level[0] if level else hashlib.sha256(b"").digest())
