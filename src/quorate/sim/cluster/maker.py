"""What a liar's hands make in the whole validator: blocks of its own, beside those of its core."""

from hashlib import sha256
from typing import TYPE_CHECKING

from quorate.codec.blocks import digest_of, encode_block, payload_of
from quorate.codec.peer import PeerKind
from quorate.types.consensus import Header

if TYPE_CHECKING:
    from quorate.sim.cluster.full_node import FullNode

NOTHING = sha256(b"").digest()


class BlockMaker:
    """Makes empty blocks, no two alike, and sends their bytes to whom it likes."""

    def __init__(self, node: "FullNode") -> None:
        self.node = node
        self.made = 0

    def make(
        self,
        view: int,
        parent: bytes,
        builder: int,
        sound: bool = True,
        holders: list[int] | None = None,
    ) -> bytes:
        """Make a block; of a parent that nobody knows, a payload without one."""
        node = self.node
        parts = node.core.parts
        self.made += 1
        digest = digest_of(parent) if parent else None
        known = parts.blocks.reference(digest) if digest is not None else None
        if known is None or known.view >= view:
            return payload_of(sha256(b"no block %d %d" % (builder, self.made)).digest())
        count = len(node.world.config.weights)
        header = Header(
            0,
            view,
            known.view,
            builder if sound else (builder + 1) % count,
            known.height + 1,
            max(known.time_ms, node.moment().wall_ms) + self.made % 50,
            known.digest,
            0,
            0,
            NOTHING,
            None if known.height + 1 <= 1 else parts.checkpoints.certificates.get(known.height),
        )
        data = encode_block(header, b"", count)
        decoded = parts.blocks.decode(data)
        for index in range(count):
            if index != node.index and (holders is None or index in holders):
                node.world.network.send(node, (int(PeerKind.PAYLOAD), data), index)
        return payload_of(decoded.digest)
