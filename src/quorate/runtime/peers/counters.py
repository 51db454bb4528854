"""What happened on the links, as plain numbers; whoever shows them reads the fields."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Why a connection was refused or a link went down."""

    CLOSED = "the other end closed it, or the network did"
    STOPPED = "this node stops"
    IDLE = "nothing was heard for too long"
    REPLACED = "the peer opened a new one"
    BANISHED = "the peer sent forgeries, and is refused for a while"
    FRAME = "what came is no frame of a kind and size that is allowed"
    URGENT_FULL = "the peer does not take urgent frames fast enough"
    UNREACHABLE = "nobody answers at its address"
    SLOW = "the handshake took too long"
    CROWDED = "too many handshakes at once"
    TLS = "the TLS handshake failed: no such chain, or not our protocol"
    PIN = "the key is pinned to no validator of this chain, or to another one"
    DIRECTION = "of a pair, the validator with the higher index dials"
    VERSION = "the peer speaks another version of the protocol"
    CHAIN = "the peer is of another chain"
    GENESIS = "the peer has another consensus genesis"


@dataclass(slots=True)
class PeerCounters:
    """Of one peer, over all its links. Bytes are those of parts, before encryption.

    dropped_down: frames for a peer without a link; dropped_bulk: the oldest of a full lane.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: Counter[int] = field(default_factory=Counter)
    frames_out: Counter[int] = field(default_factory=Counter)
    dropped_down: int = 0
    dropped_bulk: int = 0
    links: int = 0
    dials: int = 0
    refusals: Counter[Reason] = field(default_factory=Counter)
    downs: Counter[Reason] = field(default_factory=Counter)

    @property
    def reconnects(self) -> int:
        """Links after the first."""
        return max(0, self.links - 1)


@dataclass(slots=True)
class Counters:
    """Of a transport. strangers: connections refused before it was known whose they are."""

    peers: tuple[PeerCounters, ...]
    strangers: Counter[Reason] = field(default_factory=Counter)
