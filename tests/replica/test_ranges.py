"""What proves a range of blocks, and what ties its first block to a certified snapshot."""

import pytest

from quorate.codec.blocks import decode_block, encode_block
from quorate.codec.peer import Range
from quorate.ordering.scheme import KeyScheme
from quorate.replica.ranges import block_fault, linked, range_fault
from quorate.types.consensus import CheckpointCertificate, VoteKind
from tests.replica.syncing import BOUND, COUNT, VALIDATORS, Disk, World

SCHEME = KeyScheme(VALIDATORS, BOUND, None)
Chain = tuple[Range, dict[int, CheckpointCertificate]]


@pytest.fixture(scope="module")
def chain() -> Chain:
    """Give a range of final blocks, and certificates of what they led to."""
    world = World([Disk() for _ in range(COUNT)])
    for host in world.hosts:
        host.start()
    world.run(lambda: min(world.heights()) >= 8)
    parts = world.hosts[0].core.parts
    last = max(height for height in parts.chain.certificates if height <= 8)
    blocks = tuple(
        decode_block(world.hosts[0].payloads[parts.chain.digests[height]], COUNT)
        for height in range(3, last + 1)
    )
    assert len(blocks) > 2
    return Range(blocks, parts.chain.certificates[last]), dict(parts.checkpoints.certificates)


def test_a_true_range_proves_its_blocks(chain: Chain) -> None:
    found, certificates = chain
    assert range_fault(found, VALIDATORS, SCHEME) == ""
    for first in range(len(found.blocks)):
        rest = Range(found.blocks[first:], found.certificate)
        height = found.blocks[first].header.height
        if height in certificates:
            assert block_fault(rest, certificates[height], VALIDATORS, SCHEME) == ""
    assert any(block.header.height in certificates for block in found.blocks)


def test_a_range_with_a_gap_proves_nothing(chain: Chain) -> None:
    found, _ = chain
    gap = Range((found.blocks[0], *found.blocks[2:]), found.certificate)
    assert not linked(gap.blocks)
    assert "parent" in range_fault(gap, VALIDATORS, SCHEME)
    back = Range((found.blocks[1], found.blocks[0], *found.blocks[1:]), found.certificate)
    assert "parent" in range_fault(back, VALIDATORS, SCHEME)


def test_another_last_block_proves_nothing(chain: Chain) -> None:
    found, _ = chain
    short = Range(found.blocks[:-1], found.certificate)
    assert "another block" in range_fault(short, VALIDATORS, SCHEME)
    last = found.blocks[-1]
    header = last.header._replace(time_ms=last.header.time_ms + 1)
    forged = decode_block(encode_block(header, last.items, COUNT), COUNT)
    other = Range((*found.blocks[:-1], forged), found.certificate)
    assert "another block" in range_fault(other, VALIDATORS, SCHEME)


def test_a_certificate_that_finalizes_nothing_proves_nothing(chain: Chain) -> None:
    found, _ = chain
    certificate = found.certificate
    subject = certificate.subject._replace(kind=VoteKind.NOTARIZE)
    notarized = Range(found.blocks, certificate._replace(subject=subject))
    assert "another block" in range_fault(notarized, VALIDATORS, SCHEME)
    for changed in (
        certificate._replace(
            signers=certificate.signers[1:], signatures=certificate.signatures[1:]
        ),
        certificate._replace(signatures=certificate.signatures[::-1]),
    ):
        assert "does not hold" in range_fault(Range(found.blocks, changed), VALIDATORS, SCHEME)


def test_a_final_block_that_was_not_what_was_executed_is_refused(chain: Chain) -> None:
    found, certificates = chain
    first = next(
        at for at, block in enumerate(found.blocks) if block.header.height in certificates
    )
    rest = Range(found.blocks[first:], found.certificate)
    certificate = certificates[found.blocks[first].header.height]
    assert block_fault(rest, certificate, VALIDATORS, SCHEME) == ""
    digest = certificate._replace(exec_block_digest=bytes(32))
    assert "executed" in block_fault(rest, digest, VALIDATORS, SCHEME)
    height = certificate._replace(height=certificate.height + 1)
    assert "another height" in block_fault(rest, height, VALIDATORS, SCHEME)
    unproved = Range(rest.blocks[:-1] or rest.blocks, found.certificate._replace(signatures=()))
    assert block_fault(unproved, certificate, VALIDATORS, SCHEME)
