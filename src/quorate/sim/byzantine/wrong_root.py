"""Signs other roots than it came to: each checkpoint vote is of a state that nobody has.

Honest validators keep its votes, compare, and go on: it weighs less than a third.
"""

from quorate.codec.blocks import decode_checkpoint_vote, encode_checkpoint_vote
from quorate.codec.peer import PeerKind
from quorate.sim.byzantine.actor import Actor
from quorate.types.consensus import CheckpointVote


class WrongRoot(Actor):
    """Honest in agreement, a liar about results."""

    def frame(self, kind: int, body: bytes) -> bytes:
        """Change a checkpoint vote on its way out, signature and all."""
        if kind != PeerKind.CHECKPOINT:
            return body
        vote = decode_checkpoint_vote(body)
        root = bytes(octet ^ 0xFF for octet in vote.state_root)
        return encode_checkpoint_vote(self.resigned(vote._replace(state_root=root)))

    def resigned(self, vote: CheckpointVote) -> CheckpointVote:
        """Sign a checkpoint with its own secret."""
        seal = self.hands.seal
        assert seal is not None
        signature = seal(vote.height, vote.exec_block_digest, vote.state_root)
        return vote._replace(signature=signature)
