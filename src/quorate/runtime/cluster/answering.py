"""Questions that agreement answers: the network, checkpoints, and proofs under a quorum.

A proof is made at the height where the state stands, and waits for that height's certificate, which
others' votes bring within some milliseconds while a quorum is alive.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from quorate.commitment.proof import Checkpoint, checkpoint_fields, exported
from quorate.replica.ledger import Ledger
from quorate.replica.messages import Answer, Asked
from quorate.replica.validator import Validator
from quorate.replica.validator_messages import Progress
from quorate.runtime.cluster.executing import Provable
from quorate.runtime.home import Home
from quorate.runtime.peers.transport import Transport
from quorate.runtime.remote import RemoteScheme
from quorate.types.consensus import CheckpointCertificate

WAITING_MAX: Final = 1024
HEIGHTS_WAITED: Final = 128  # a certificate of an older height will not come any more
LATENCIES_KEPT: Final = 4096
LED_KEPT: Final = 256  # views that we lead and have no final block yet
NO_QUORUM: Final = "No quorum has signed this height; ask again when enough validators run."


class Answering:
    """What the event loop can answer without the ledger's thread."""

    def __init__(
        self, home: Home, validator: Validator, ledger: Ledger, transport: Transport
    ) -> None:
        self.home = home
        self.validator = validator
        self.ledger = ledger
        self.transport = transport
        self.cpu_ms: Callable[[], dict[str, int]] = dict
        self.waiting: list[Provable] = []
        self.gave_up = 0
        self.views_entered = 0
        self.leader = 0
        self.led: dict[int, None] = {}
        self.finality_ms: deque[int] = deque(maxlen=LATENCIES_KEPT)

    def progressed(self, progress: Progress) -> list[Answer]:
        """Count what happens, and release proofs whose certificate has come."""
        fields = dict(progress.fields)
        if progress.what == "view":
            self.views_entered += 1
            self.leader = fields["leader"]
            if self.leader == self.validator.parts.settings.me:
                self.led[fields["view"]] = None
                if len(self.led) > LED_KEPT:
                    del self.led[next(iter(self.led))]
        elif progress.what == "delivered":
            if fields["view"] in self.led:
                # A block's time is its leader's clock at the proposal.
                del self.led[fields["view"]]
                now_ms = time.time_ns() // 1_000_000
                self.finality_ms.append(max(now_ms - fields["time_ms"], 0))
        elif progress.what == "gave_up":
            self.gave_up += 1
        elif progress.what == "certified" and self.waiting:
            return self.certified()
        return []

    def provable(self, made: Provable) -> list[Answer]:
        """Take a proof; answer it now if its height is certified already."""
        self.waiting.append(made)
        return self.certified()

    def certified(self) -> list[Answer]:
        """Give the proofs that can be given, and refuse those that waited in vain."""
        known = self.validator.parts.checkpoints.certificates
        reached = self.validator.parts.blocks.tip.height
        answers: list[Answer] = []
        left: list[Provable] = []
        for made in self.waiting:
            certificate = known.get(made.proof.checkpoint.height)
            if certificate is not None:
                proof = replace(made.proof, checkpoint=self.checkpoint(certificate))
                text = exported(proof).decode("ascii")
                answers.append(Answer(made.client, made.number, {"proof": text}))
            elif made.proof.checkpoint.height < reached - HEIGHTS_WAITED:
                answers.append(Answer(made.client, made.number, {"error": NO_QUORUM}))
            else:
                left.append(made)
        if len(left) > WAITING_MAX:
            refused, left = left[:-WAITING_MAX], left[-WAITING_MAX:]
            answers += [Answer(it.client, it.number, {"error": NO_QUORUM}) for it in refused]
        self.waiting = left
        return answers

    def checkpoint(self, certificate: CheckpointCertificate) -> Checkpoint:
        """Give a certificate as proofs carry it, signatures under the validators' keys."""
        keys = self.validator.parts.settings.validators.keys
        chain_id, genesis = self.home.identity
        epoch, height, digest, root, signers, signatures = certificate
        signed = {
            keys[signer]: signature for signer, signature in zip(signers, signatures, strict=True)
        }
        return Checkpoint(chain_id, genesis, epoch, height, digest, root, signed)

    def at_once(self, asked: Asked) -> Answer | None:
        """Answer a question about agreement; None for one about the state."""
        what = asked.question.get("ask")
        if what == "network":
            return Answer(asked.client, asked.number, self.network())
        if what == "finality":
            return Answer(asked.client, asked.number, {"finality_ms": list(self.finality_ms)})
        if what == "checkpoint":
            best = self.validator.parts.checkpoints.best
            tree: dict[str, Any] = {"error": "There is no certificate yet."}
            if best is not None:
                tree = checkpoint_fields(self.checkpoint(best))
            return Answer(asked.client, asked.number, tree)
        if what == "root":
            return Answer(asked.client, asked.number, self.root(asked.question.get("height")))
        return None

    def root(self, height: Any) -> dict[str, Any]:
        """Give the root that this validator came to at a recent height."""
        own = self.validator.parts.checkpoints.own
        found = own.get(height) if type(height) is int else None
        if found is None:
            return {"error": "This validator holds no root of that height any more, or yet."}
        return {"height": height, "exec_block_digest": found[0].hex(), "state_root": found[1].hex()}

    def finality(self) -> dict[str, int]:
        """Give percentiles of the time from proposing to finality, of the blocks we led lately."""
        ordered = sorted(self.finality_ms)
        count = len(ordered)
        return {
            "blocks_led": count,
            "finality_p50_ms": ordered[count // 2] if count else 0,
            "finality_p99_ms": ordered[min(count * 99 // 100, count - 1)] if count else 0,
        }

    def signer_counts(self) -> dict[str, int]:
        """Give what a remote signer, if there is one, did with our votes."""
        scheme = self.validator.parts.scheme
        return scheme.signer.counts if isinstance(scheme, RemoteScheme) else {}

    def network(self) -> dict[str, Any]:
        """Say where agreement stands."""
        parts = self.validator.parts
        simplex, checkpoints = parts.simplex, parts.checkpoints
        own = checkpoints.own.get(checkpoints.height)
        best = checkpoints.best
        return {
            "me": parts.settings.me,
            "validators": len(parts.settings.validators.keys),
            "view": simplex.view,
            "leader": parts.settings.validators.leader(simplex.view),
            "view_finalized": simplex.floor.view,
            "height": checkpoints.height,
            "height_delivered": parts.blocks.tip.height,
            "height_certified": best.height if best is not None else 0,
            "time_ms": parts.blocks.tip.time_ms,
            "state_root": own[1].hex() if own is not None else "",
            "peers": sorted(parts.peers),
            "pool_bundles": len(parts.mempool),
            "pool_bytes": parts.mempool.bytes_held,
            "views_given_up": self.gave_up,
            **self.finality(),
            "observing": self.validator.rejoining.observing,
            "guilty": sorted(simplex.guilty),
            "offences": parts.offences.named(),
            "cpu_ms": self.cpu_ms(),
            "counts": {**parts.counts, **simplex.counts, **self.signer_counts()},
        }
