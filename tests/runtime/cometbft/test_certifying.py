"""A proof meets the header and commit that certify its root."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quorate.commitment import comet_proof, comet_verifier
from quorate.commitment.comet_header import SignedHeader
from quorate.commitment.proof import Proof
from quorate.runtime.cometbft import certifying
from quorate.runtime.cometbft.certifying import NotCertified, RootDiffers, certified
from quorate.runtime.cometbft.rpc import Rpc, RpcFailed
from quorate.runtime.endpoint import Endpoint
from tests.commitment import comet_world, proof_world
from tests.commitment.comet_world import EQUAL, signed_over
from tests.commitment.proof_world import GENESIS, HEIGHT
from tests.runtime.cometbft.rpc_world import Refusal, commit_tree, json_rpc, serving, status_tree


def node(signed: SignedHeader, height_last: int) -> Callable[[str, dict[str, Any]], Any]:
    """Be a node that has one header to give."""

    def method(name: str, given: dict[str, Any]) -> Any:
        if name == "status":
            return status_tree(height_last)
        assert name == "commit"
        if given != {"height": str(signed.header.height)}:
            raise Refusal("no such height")
        return commit_tree(signed)

    return method


def certify(endpoint: Endpoint, proof: Proof) -> bytes:
    async def run() -> bytes:
        async with Rpc(endpoint) as rpc:
            return await certified(rpc, proof)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["account", "event"])
def test_a_proof_is_certified_and_verified(kind: str) -> None:
    world = proof_world.world()
    proof, signed = getattr(world, kind)(), signed_over(world)
    with serving(json_rpc(node(signed, HEIGHT + 1))) as endpoint:
        data = certify(endpoint, proof)
        assert certifying.certified_now(endpoint, proof) == data
    assert data == comet_proof.exported_under(proof, signed)
    assert comet_verifier.verified(data, GENESIS, EQUAL)[0].startswith(f"verified: {kind}")


def test_the_last_height_has_no_header_of_its_own_yet() -> None:
    world = proof_world.world()
    with serving(json_rpc(node(signed_over(world), HEIGHT))) as endpoint:
        with pytest.raises(NotCertified, match=f"with block {HEIGHT + 1}, and CometBFT's last is"):
            certify(endpoint, world.account())
        assert certifying.certified_last(endpoint, None) == HEIGHT - 1
        assert certifying.certified_last(endpoint, 7) == 7
        with pytest.raises(NotCertified):
            certifying.certified_last(endpoint, HEIGHT)
    empty = serving(json_rpc(node(signed_over(world), 0)))
    with empty as endpoint, pytest.raises(NotCertified):
        certifying.certified_last(endpoint, None)


def test_another_root_than_ours_is_no_proof() -> None:
    world = proof_world.world()
    other = comet_world.signed(comet_world.header(bytes(32), HEIGHT + 1, EQUAL), EQUAL)
    differing = serving(json_rpc(node(other, HEIGHT + 9)))
    with differing as endpoint, pytest.raises(RootDiffers) as caught:
        certify(endpoint, world.account())
    assert world.checkpoint.state_root.hex()[:16] in str(caught.value)


def test_a_node_that_has_pruned_the_height_says_so() -> None:
    world = proof_world.world()
    signed = signed_over(world)
    older = replace(world.checkpoint, height=HEIGHT - 5)
    proof = replace(world.account(), checkpoint=older)
    pruned = serving(json_rpc(node(signed, HEIGHT + 1)))
    with pruned as endpoint, pytest.raises(RpcFailed, match="no such height"):
        certify(endpoint, proof)


def test_more_validators_than_a_file_holds() -> None:
    world = proof_world.world()
    signed = signed_over(world)
    many = replace(signed, signatures=signed.signatures[:1] * (comet_proof.VALIDATORS_MAX + 1))
    crowded = serving(json_rpc(node(many, HEIGHT + 1)))
    with crowded as endpoint, pytest.raises(RpcFailed, match="1001 validators signed height"):
        certify(endpoint, world.account())
