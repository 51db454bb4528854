"""A proof under CometBFT: our row, and over its root the header and commit that CometBFT signed."""

from quorate.commitment.comet_header import SignedHeader
from quorate.commitment.comet_proof import VALIDATORS_MAX, exported_under
from quorate.commitment.proof import Checkpoint, Proof
from quorate.replica.executor import Executor
from quorate.runtime.cometbft.rpc import Rpc, RpcFailed, asked_once
from quorate.runtime.endpoint import Endpoint
from quorate.storage.log import Identity


class NotCertified(Exception):
    """No header carries the root of this height yet. The sentence says why."""


class RootDiffers(Exception):
    """CometBFT signed another root than ours. The sentence says which."""


def checkpoint_of(executor: Executor, identity: Identity) -> Checkpoint:
    """Give the checkpoint of an executor's height; under this engine no signature stands in it."""
    chain_id, genesis = identity
    digest = executor.chain()["exec_block_digest"].tobytes()
    return Checkpoint(chain_id, genesis, 0, executor.height, digest, executor.root, {})


def checked_under(proof: Proof, signed: SignedHeader) -> bytes:
    """Write a proof under the header of the next height. Raises RootDiffers, RpcFailed."""
    height, root = proof.checkpoint.height, proof.checkpoint.state_root
    if signed.header.app_hash != root:
        raise RootDiffers(
            f"CometBFT's header of height {height + 1} has the app hash "
            f"{signed.header.app_hash.hex()[:16]}, but the root of height {height} is "
            f"{root.hex()[:16]} here."
        )
    count = len(signed.signatures)
    if count > VALIDATORS_MAX:
        raise RpcFailed(
            f"{count} validators signed height {height + 1}, but a proof has room for "
            f"{VALIDATORS_MAX}."
        )
    return exported_under(proof, signed)


async def certified(rpc: Rpc, proof: Proof) -> bytes:
    """Fetch what certifies a proof's root, and write both as a file for the verifier.

    Raises NotCertified, RootDiffers, RpcFailed.
    """
    height = proof.checkpoint.height
    refuse_uncertified((await rpc.status()).height_last, height)
    return checked_under(proof, await rpc.commit(height + 1))


def refuse_uncertified(height_last: int, height: int) -> None:
    """Refuse a height whose root no header carries yet. Raises NotCertified."""
    if height_last <= height:
        raise NotCertified(
            f"The root of height {height} is in no header yet: it comes with block {height + 1}, "
            f"and CometBFT's last is {height_last}."
        )


def certified_last(endpoint: Endpoint, height: int | None) -> int:
    """Say the newest height whose root a header carries, or that of this height one does.

    Raises NotCertified, RpcFailed.
    """
    height_last = asked_once(endpoint, Rpc.status).height_last
    if height is None:
        height = max(height_last - 1, 0)
    refuse_uncertified(height_last, height)
    return height


def certified_now(endpoint: Endpoint, proof: Proof) -> bytes:
    """Do as `certified` where no event loop runs."""
    return asked_once(endpoint, lambda rpc: certified(rpc, proof))
