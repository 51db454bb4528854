"""Messages byte for byte as CometBFT has them, and the two versions' forms of one thing.

CAPTURED comes from runs of the released programs, taken off the socket: one validator and its
kvstore application (transactions, queries, the first blocks), and a node that caught up by state
sync from another (snapshots, and a second validator that joins). FILLED was written by code that
protoc made of each release's own definitions: every field is set, a text or bytes to the name of
its field, a number to one that follows from the name. Both are hexadecimal.
"""

from typing import Any
from zlib import crc32

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from quorate.runtime.cometbft.messages import (
    CHOICES,
    ED25519,
    MESSAGE,
    SECP256K1,
    TABLE,
    BlockIdFlag,
    CheckTxType,
    Request,
    Response,
    ValidatorUpdate,
    frame,
    rechecked,
    uvarint,
    validator_key,
    validator_update,
)

OLD = "v0.38.26"
NEW = "v1.0.1"

CAPTURED = {
    OLD: """
Request flush 1200
Request info 1a140a07302e33382e3236100b18082205322e302e30
Request list_snapshots 6200
Request load_snapshot_chunk 7206080410011801
Request check_tx 42050a03613d31
Request init_chain 2a7e0a0c088e8b81d80610f9afbcf6011211746573742d636861696e2d4242413863501a310a100
  88080c00a10ffffffffffffffffff01120e08a08d0612040880c60a188080401a090a076564323535313922002a00222
  60a220a2051246fcd0eeefe9a63c44088f0deb423fff49584e35a45db7269c14bc593672d100a3001
Request prepare_proposal 82016d0887e0bf0a1a1e121c0a180a1462437f1195189979832c40c604cb60ffa16612f91
  80a28022803320c08eb8f81d80610b8be81e2013a209979a9114982a54c979aef2ef81ae588c970c0b4c04e01a5c70fa
  e3ecb9333a2421462437f1195189979832c40c604cb60ffa16612f9
Request process_proposal 8a01a801123c121c0a180a1462437f1195189979832c40c604cb60ffa16612f9180a18021
  21c0a180a1421fe31dfa154a261626bf854046fd2271b7bed4b1801180122205037c27a4c057931b51261b7ee46efa6f
  80a7ec1b99aeec96f8382313f1060182806320c08ec8f81d80610efd1a0bb013a209979a9114982a54c979aef2ef81ae
  588c970c0b4c04e01a5c70fae3ecb9333a2421462437f1195189979832c40c604cb60ffa16612f9
Request finalize_block a201a801123c121c0a180a1462437f1195189979832c40c604cb60ffa16612f9180a1802121
  c0a180a1421fe31dfa154a261626bf854046fd2271b7bed4b1801180122205037c27a4c057931b51261b7ee46efa6f80
  a7ec1b99aeec96f8382313f1060182806320c08ec8f81d80610efd1a0bb013a209979a9114982a54c979aef2ef81ae58
  8c970c0b4c04e01a5c70fae3ecb9333a2421462437f1195189979832c40c604cb60ffa16612f9
Request commit 5a00
Request query 320b0a016112062f73746f7265
Response info 22210a0a7b2273697a65223a317d1205322e302e30180120022a080200000000000000
Response flush 1a00
Response query 3a101a066578697374733201613a01314802
Response check_tx 4a022801
Response init_chain 320a1a080000000000000000
Response prepare_proposal 8a01050a03613d31
Response process_proposal 9201020801
Response finalize_block aa01ee0112e1013a730a03617070121e0a0763726561746f721211436f736d6f736869204e
  65746f776f6b6f1801120a0a036b65791201611801121f0a09696e6465785f6b65791210696e64657820697320776f72
  6b696e671801121f0a0b6e6f696e6465785f6b65791210696e64657820697320776f726b696e673a6a0a036170701215
  0a0763726561746f721208436f736d6f7368691801120a0a036b65791201311801121f0a09696e6465785f6b65791210
  696e64657820697320776f726b696e671801121f0a0b6e6f696e6465785f6b65791210696e64657820697320776f726b
  696e672a080200000000000000
Response commit 6200
Request offer_snapshot 6a4f0a2b0804100118022220737373737373737373737373737373737373737373737373737
  37373737373732a016d12206868686868686868686868686868686868686868686868686868686868686868
Request apply_snapshot_chunk 7a34080112066368756e6b311a2862626136353537396664333963313061326231383
  430313630363536306163353264653439343531
""",
    NEW: """
Request info 1a120a05312e302e31100b18092205322e312e30
Request flush 1200
Request list_snapshots 6200
Request load_snapshot_chunk 7206080410011801
Request check_tx 42070a03613d311802
Request init_chain 2a91010a0c08819081d80610e4a0fd91021211746573742d636861696e2d7365434467311a3d0a0
  a08808080021080ade204120e08a08d0612040880c60a188080401a090a07656432353531392200320c0a0610c0e0e6f
  0011202080f3a040a001200222d100a1a2019225cf39ab4883d4b13cfa55525b0f34ec5dce9460bdc91c644e1f86ff4a
  2e92207656432353531393001
Request prepare_proposal 82016d0895f9ff011a1e121c0a180a14dd787626e319bb997259ad7fcb71997c75901f641
  80a28022802320c08839081d80610f2b8e4d9013a20ed41c9f3bb73cf4faae4af1652c9d55567954dcf70018bc97de60
  7a2d88223884214dd787626e319bb997259ad7fcb71997c75901f64
Request process_proposal 8a01a801123c121c0a180a14dd787626e319bb997259ad7fcb71997c75901f64180a18021
  21c0a180a1421fe31dfa154a261626bf854046fd2271b7bed4b18011801222096a78cb4dc815fc0e646b17a076e708c8
  4517b650d6c5e455a233ef045a768ad2806320c08849081d80610f2d39ac4023a20ed41c9f3bb73cf4faae4af1652c9d
  55567954dcf70018bc97de607a2d88223884214dd787626e319bb997259ad7fcb71997c75901f64
Request finalize_block a201aa01123c121c0a180a14dd787626e319bb997259ad7fcb71997c75901f64180a1802121
  c0a180a1421fe31dfa154a261626bf854046fd2271b7bed4b18011801222096a78cb4dc815fc0e646b17a076e708c845
  17b650d6c5e455a233ef045a768ad2806320c08849081d80610f2d39ac4023a20ed41c9f3bb73cf4faae4af1652c9d55
  567954dcf70018bc97de607a2d88223884214dd787626e319bb997259ad7fcb71997c75901f644806
Request commit 5a00
Request query 320b0a016112062f73746f7265
Response info 22210a0a7b2273697a65223a317d1205322e312e30180120022a080200000000000000
Response flush 1a00
Response query 3a101a066578697374733201613a01314802
Response check_tx 4a022801
Response init_chain 320a1a080000000000000000
Response prepare_proposal 8a01050a03613d31
Response process_proposal 9201020801
Response finalize_block aa01ee0112e1013a730a03617070121e0a0763726561746f721211436f736d6f736869204e
  65746f776f6b6f1801120a0a036b65791201611801121f0a09696e6465785f6b65791210696e64657820697320776f72
  6b696e671801121f0a0b6e6f696e6465785f6b65791210696e64657820697320776f726b696e673a6a0a036170701215
  0a0763726561746f721208436f736d6f7368691801120a0a036b65791201311801121f0a09696e6465785f6b65791210
  696e64657820697320776f726b696e671801121f0a0b6e6f696e6465785f6b65791210696e64657820697320776f726b
  696e672a080200000000000000
Response commit 6200
Request offer_snapshot 6a4f0a2b0804100118022220737373737373737373737373737373737373737373737373737
  37373737373732a016d12206868686868686868686868686868686868686868686868686868686868686868
Request apply_snapshot_chunk 7a34080112066368756e6b311a2866626363356432326631303531336534313361386
  664616139363536343839613030666532626134
""",
}

FILLED = {
    OLD: """
Request echo 0a090a076d657373616765
Request info 1a1b0a0776657273696f6e10421831220c616263695f76657273696f6e
Request init_chain 2a6e0a04085b10581208636861696e5f69641a3a0a0408221060120a085c1204085b105818221a1
  e0a0d7075625f6b65795f74797065730a0d7075625f6b65795f7479706573220208382a020860220d0a090a076564323
  535313910152a0f6170705f73746174655f62797465733018
Request query 32100a046461746112047061746818202001
Request check_tx 42060a0274781002
Request offer_snapshot 6a220a1608201038180e2204686173682a086d6574616461746112086170705f68617368
Request load_snapshot_chunk 720608201038184b
Request apply_snapshot_chunk 7a11083a12056368756e6b1a0673656e646572
Request prepare_proposal 820191010832120374787312037478731a38084d12340a0b0a076164647265737318151a0
  e766f74655f657874656e73696f6e2213657874656e73696f6e5f7369676e6174757265280122190802120b0a0761646
  472657373181518202204085b1058284828203204085b10583a146e6578745f76616c696461746f72735f68617368421
  070726f706f7365725f61646472657373
Request process_proposal 8a01700a037478730a037478731213084d120f0a0b0a0761646472657373181518011a190
  802120b0a0761646472657373181518202204085b1058284822046861736828203204085b10583a146e6578745f76616
  c696461746f72735f68617368421070726f706f7365725f61646472657373
Request extend_vote 9201080a04686173681020
Request verify_vote_extension 9a012b0a0468617368121176616c696461746f725f616464726573731820220e766f
  74655f657874656e73696f6e
Request finalize_block a201700a037478730a037478731213084d120f0a0b0a0761646472657373181518011a19080
  2120b0a0761646472657373181518202204085b1058284822046861736828203204085b10583a146e6578745f76616c6
  96461746f72735f68617368421070726f706f7365725f61646472657373
Response exception 0a070a056572726f72
Response echo 12090a076d657373616765
Response info 22280a0464617461120776657273696f6e182b20112a136c6173745f626c6f636b5f6170705f68617368
Response init_chain 32550a3a0a0408221060120a085c1204085b105818221a1e0a0d7075625f6b65795f7479706573
  0a0d7075625f6b65795f7479706573220208382a020860120d0a090a076564323535313910151a086170705f68617368
Response query 3a3d08011a036c6f672204696e666f283a32036b65793a0576616c756542130a110a047479706512036
  b65791a046461746148205209636f64657370616365
Response check_tx 4a3a08011204646174611a036c6f672204696e666f282f301c3a160a0474797065120e0a036b6579
  120576616c756518014209636f64657370616365
Response commit 62021837
Response list_snapshots 6a180a1608201038180e2204686173682a086d65746164617461
Response offer_snapshot 72020802
Response load_snapshot_chunk 7a070a056368756e6b
Response apply_snapshot_chunk 8201260802120226261a0e72656a6563745f73656e646572731a0e72656a6563745f
  73656e64657273
Response prepare_proposal 8a010a0a037478730a03747873
Response process_proposal 9201020801
Response extend_vote 9a01100a0e766f74655f657874656e73696f6e
Response verify_vote_extension a201020801
Response finalize_block aa01a9010a160a0474797065120e0a036b6579120576616c75651801123a08011204646174
  611a036c6f672204696e666f282f301c3a160a0474797065120e0a036b6579120576616c756518014209636f64657370
  6163651a0d0a090a07656432353531391015223a0a0408221060120a085c1204085b105818221a1e0a0d7075625f6b65
  795f74797065730a0d7075625f6b65795f7479706573220208382a0208602a086170705f68617368
""",
    NEW: """
Request echo 0a090a076d657373616765
Request info 1a1b0a0776657273696f6e10421831220c616263695f76657273696f6e
Request init_chain 2a98010a04085b10581208636861696e5f69641a520a0408221060120a085c1204085b105818221
  a1e0a0d7075625f6b65795f74797065730a0d7075625f6b65795f7479706573220208382a020860320c0a04085b10581
  204085b10583a080a02081d1202081d221f10151a0d7075625f6b65795f6279746573220c7075625f6b65795f7479706
  52a0f6170705f73746174655f62797465733018
Request query 32100a046461746112047061746818202001
Request check_tx 42060a0274781802
Request offer_snapshot 6a220a1608201038180e2204686173682a086d6574616461746112086170705f68617368
Request load_snapshot_chunk 720608201038184b
Request apply_snapshot_chunk 7a11083a12056368756e6b1a0673656e646572
Request prepare_proposal 820191010832120374787312037478731a38084d12340a0b0a076164647265737318151a0
  e766f74655f657874656e73696f6e2213657874656e73696f6e5f7369676e6174757265280122190802120b0a0761646
  472657373181518202204085b1058284828203204085b10583a146e6578745f76616c696461746f72735f68617368421
  070726f706f7365725f61646472657373
Request process_proposal 8a01700a037478730a037478731213084d120f0a0b0a0761646472657373181518011a190
  802120b0a0761646472657373181518202204085b1058284822046861736828203204085b10583a146e6578745f76616
  c696461746f72735f68617368421070726f706f7365725f61646472657373
Request extend_vote 9201080a04686173681020
Request verify_vote_extension 9a012b0a0468617368121176616c696461746f725f616464726573731820220e766f
  74655f657874656e73696f6e
Request finalize_block a201720a037478730a037478731213084d120f0a0b0a0761646472657373181518011a19080
  2120b0a0761646472657373181518202204085b1058284822046861736828203204085b10583a146e6578745f76616c6
  96461746f72735f68617368421070726f706f7365725f616464726573734864
Response exception 0a070a056572726f72
Response echo 12090a076d657373616765
Response info 22280a0464617461120776657273696f6e182b20112a136c6173745f626c6f636b5f6170705f68617368
Response init_chain 327f0a520a0408221060120a085c1204085b105818221a1e0a0d7075625f6b65795f7479706573
  0a0d7075625f6b65795f7479706573220208382a020860320c0a04085b10581204085b10583a080a02081d1202081d12
  1f10151a0d7075625f6b65795f6279746573220c7075625f6b65795f747970651a086170705f68617368
Response query 3a3d08011a036c6f672204696e666f283a32036b65793a0576616c756542130a110a047479706512036
  b65791a046461746148205209636f64657370616365
Response check_tx 4a3a08011204646174611a036c6f672204696e666f282f301c3a160a0474797065120e0a036b6579
  120576616c756518014209636f64657370616365
Response commit 62021837
Response list_snapshots 6a180a1608201038180e2204686173682a086d65746164617461
Response offer_snapshot 72020802
Response load_snapshot_chunk 7a070a056368756e6b
Response apply_snapshot_chunk 8201260802120226261a0e72656a6563745f73656e646572731a0e72656a6563745f
  73656e64657273
Response prepare_proposal 8a010a0a037478730a03747873
Response process_proposal 9201020801
Response extend_vote 9a01100a0e766f74655f657874656e73696f6e
Response verify_vote_extension a201020801
Response finalize_block aa01d3010a160a0474797065120e0a036b6579120576616c75651801123a08011204646174
  611a036c6f672204696e666f282f301c3a160a0474797065120e0a036b6579120576616c756518014209636f64657370
  6163651a1f10151a0d7075625f6b65795f6279746573220c7075625f6b65795f7479706522520a0408221060120a085c
  1204085b105818221a1e0a0d7075625f6b65795f74797065730a0d7075625f6b65795f7479706573220208382a020860
  320c0a04085b10581204085b10583a080a02081d1202081d2a086170705f68617368
""",
}


def vectors(text: str) -> list[tuple[Any, str, bytes]]:
    """Read lines of class, kind and bytes; a line that begins with blanks goes on with the last."""
    lines = text.strip().replace("\n  ", "").splitlines()
    return [
        (MESSAGE[name], kind, bytes.fromhex(digits))
        for name, kind, digits in map(str.split, lines)
    ]


def captured(version: str, name: str, kind: str) -> Any:
    """Give the one captured message of a kind."""
    ((cls, body),) = [
        (cls, body)
        for cls, of, body in vectors(CAPTURED[version])
        if (cls.DESCRIPTOR.name, of) == (name, kind)
    ]
    return getattr(cls.FromString(body), kind)


def leaves(message: Any) -> list[tuple[str, Any]]:
    """List every scalar that is set, with the name of its field; nothing may be unknown."""
    assert not len(UnknownFieldSet(message)), message
    found: list[tuple[str, Any]] = []
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        for each in values:
            found += leaves(each) if field.message_type else [(field.name, each)]
    return found


ENUMS = ("type", "status", "result", "block_id_flag")  # filled with 1 or 2
VERSIONS = pytest.mark.parametrize("version", [OLD, NEW])


@VERSIONS
@pytest.mark.parametrize("source", [CAPTURED, FILLED], ids=["captured", "filled"])
def test_every_message_is_known_and_comes_out_byte_for_byte(
    source: dict[str, str], version: str
) -> None:
    for cls, kind, body in vectors(source[version]):
        message = cls.FromString(body)
        assert message.WhichOneof("value") == kind
        leaves(message)
        assert message.SerializeToString() == body
        again = cls()
        again.CopyFrom(message)
        size = len(body)
        head = bytes([size & 0x7F | 0x80, size >> 7]) if size > 127 else bytes([size])
        assert frame(again) == head + body


@VERSIONS
def test_every_field_has_the_number_that_its_name_has(version: str) -> None:
    for cls, kind, body in vectors(FILLED[version]):
        found = leaves(cls.FromString(body))
        assert found, kind
        for name, value in found:
            told = name.removesuffix("_v0")
            span = 2 if told in ENUMS else 100
            number = crc32(told.encode()) % span + 1
            wanted = {str: told, bytes: told.encode(), bool: True}.get(type(value), number)
            assert value == wanted, (kind, name)


def fields_of(version: str, source: dict[str, str]) -> dict[tuple[str, str], None]:
    """List (message, field) for all that a version's messages set."""
    seen: dict[tuple[str, str], None] = {}

    def walk(message: Any) -> None:
        for field, value in message.ListFields():
            seen[message.DESCRIPTOR.name, field.name] = None
            if field.message_type:
                for each in value if field.is_repeated else [value]:
                    walk(each)

    for cls, _, body in vectors(source[version]):
        walk(cls.FromString(body))
    return seen


def test_no_field_of_the_table_is_without_a_vector() -> None:
    seen = fields_of(OLD, FILLED) | fields_of(NEW, FILLED)
    seen |= fields_of(OLD, CAPTURED) | fields_of(NEW, CAPTURED)
    table = {(message, field) for message, fields in TABLE.items() for field in fields}
    # PublicKey is a choice, and the other key was chosen.
    assert table - set(seen) == {("PublicKey", SECP256K1)}


@VERSIONS
def test_the_first_call_of_a_chain(version: str) -> None:
    init = captured(version, "Request", "init_chain")
    assert init.chain_id.startswith("test-chain-") and init.initial_height == 1
    assert init.time.seconds > 1_700_000_000
    (update,) = init.validators
    key_type, key = validator_key(update)
    assert (key_type, len(key), update.power) == (ED25519, 32, 10)
    assert list(init.consensus_params.validator.pub_key_types) == [ED25519]
    assert init.consensus_params.feature.HasField("pbts_enable_height") == (version == NEW)


@VERSIONS
def test_a_block_with_two_votes(version: str) -> None:
    block = captured(version, "Request", "finalize_block")
    assert len(block.hash) == len(block.next_validators_hash) == 32
    assert len(block.proposer_address) == 20
    votes = [(v.validator.power, v.block_id_flag) for v in block.decided_last_commit.votes]
    assert votes == [(10, BlockIdFlag.COMMIT), (1, BlockIdFlag.ABSENT)]
    assert block.syncing_to_height == (block.height if version == NEW else 0)
    proposed = captured(version, "Request", "process_proposal").proposed_last_commit
    prepared = captured(version, "Request", "prepare_proposal")
    assert proposed.votes[0] == block.decided_last_commit.votes[0]
    assert prepared.local_last_commit.votes[0].validator == proposed.votes[0].validator
    assert prepared.max_tx_bytes > 1 << 20


@VERSIONS
def test_results_of_a_block(version: str) -> None:
    block = captured(version, "Response", "finalize_block")
    assert len(block.tx_results) == 1 and block.app_hash == b"\x02" + bytes(7)
    assert [a.key for a in block.tx_results[0].events[0].attributes] == [
        "creator", "key", "index_key", "noindex_key",
    ]


@VERSIONS
def test_snapshots(version: str) -> None:
    offer = captured(version, "Request", "offer_snapshot")
    snapshot = offer.snapshot
    assert (snapshot.height, snapshot.format, snapshot.chunks) == (4, 1, 2)
    assert (snapshot.hash, snapshot.metadata, offer.app_hash) == (b"s" * 32, b"m", b"h" * 32)
    load = captured(version, "Request", "load_snapshot_chunk")
    assert (load.height, load.format, load.chunk) == (4, 1, 1)
    apply = captured(version, "Request", "apply_snapshot_chunk")
    assert (apply.index, apply.chunk, len(apply.sender)) == (1, b"chunk1", 40)


@VERSIONS
def test_a_first_check_is_no_recheck(version: str) -> None:
    check = captured(version, "Request", "check_tx")
    assert check.tx == b"a=1" and not rechecked(check)
    assert (check.type_v0, check.type) == (0, 0 if version == OLD else CheckTxType.CHECK)


def test_a_recheck_is_told_in_either_form() -> None:
    checks = [bytes.fromhex(text) for text in ("0a01781001", "0a01781801")]
    assert [rechecked(MESSAGE["CheckTxRequest"].FromString(body)) for body in checks] == [True] * 2


@given(st.binary(min_size=32, max_size=32), st.integers(0, 127))
def test_a_validator_is_written_in_both_forms(key: bytes, power: int) -> None:
    old = b"\x0a\x22\x0a\x20" + key
    new = b"\x1a\x20" + key + b"\x22\x07ed25519"
    number = bytes([0x10, power]) if power else b""
    update = validator_update(key, power)
    assert update.SerializeToString() == old + number + new
    for form in (old + number, number + new):
        read = ValidatorUpdate.FromString(form)
        assert (*validator_key(read), read.power) == (ED25519, key, power)


def test_other_keys_of_validators() -> None:
    update = validator_update(b"k" * 33, 1, SECP256K1)
    assert update.pub_key.WhichOneof("sum") == SECP256K1
    assert validator_key(update) == (SECP256K1, b"k" * 33)
    assert validator_key(ValidatorUpdate(power=3)) == ("", b"")
    assert validator_key(ValidatorUpdate.FromString(b"\x0a\x03\x22\x01k")) == ("", b"")


@pytest.mark.parametrize("name", TABLE)
def test_a_field_that_the_table_lacks_is_skipped(name: str) -> None:
    foreign = b"\xa2\x1f\x03new"  # field 500, three bytes
    message = MESSAGE[name].FromString(foreign)
    assert not message.ListFields()
    assert name not in CHOICES or message.WhichOneof(CHOICES[name]) is None


def test_an_enum_value_that_is_new_is_kept() -> None:
    body = bytes.fromhex("82010208") + b"\x09"
    assert Response.FromString(body).apply_snapshot_chunk.result == 9
    assert Response.FromString(body).SerializeToString() == body


@pytest.mark.parametrize(
    ("number", "digits"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001")],
)
def test_lengths_at_their_edges(number: int, digits: str) -> None:
    assert uvarint(number).hex() == digits


@given(st.integers(0, 2**64 - 1))
def test_a_length_is_its_septets_lowest_first(number: int) -> None:
    septets = uvarint(number)
    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(septets)) == number
    assert all(byte & 0x80 for byte in septets[:-1]) and septets[-1] < 0x80
    assert len(septets) == max(1, -(-number.bit_length() // 7))


def test_empty_requests_are_told_apart() -> None:
    for kind, (number, _) in TABLE["Request"].items():
        head = number << 3 | 2
        body = uvarint(head) + b"\0"
        assert Request.FromString(body).WhichOneof("value") == kind
