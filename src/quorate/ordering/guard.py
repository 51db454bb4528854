"""The double-sign guard of a remote signer: what may still be signed (CONSENSUS 4).

The local guard is the journal itself; this is for a signer in another process, which sees requests
alone. It keeps what was signed in each view, and one checkpoint root per height:

    at or below the floor                        refused: what was signed there is forgotten
    the very same again                          allowed: the stored signature is given
    notarize, another notarize is signed         refused
    notarize, another finalize is signed         refused
    nullify, a finalize is signed                refused
    finalize, a nullify is signed                refused
    finalize, another notarize or finalize is    refused
    checkpoint, another root of the height is    refused

A table of one high-water mark, as for CometBFT, would be too strict: a finalize of view v is
legally signed after a notarize of v + 1. Views and heights are kept to a number; when one falls
out of it the floor rises to it.
"""

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

RECORDS_MAX: Final = 1024  # views, and as many heights

Place = tuple[int, int]  # epoch and view; of a checkpoint 0 and height
GENESIS_PLACE: Final = (0, 0)


class Signing(IntEnum):
    """What is to be signed. Votes have the numbers of VoteKind."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3
    CHECKPOINT = 4


class Rule(StrEnum):
    """Why a signature is refused."""

    BELOW_FLOOR = "below-floor"
    NOTARIZED_ANOTHER = "notarized-another"
    NULLIFIED = "nullified"
    FINALIZED = "finalized"
    FINALIZED_ANOTHER = "finalized-another"
    ANOTHER_ROOT = "another-root"


class Ask(NamedTuple):
    """A request. place: see Place. what: of a vote its proposal, of a checkpoint block and root."""

    kind: int
    place: Place
    what: bytes


class Signed(NamedTuple):
    """What is signed at one place: for each kind its `what` and the signature, None for nothing."""

    notarize: tuple[bytes, bytes] | None = None
    nullify: tuple[bytes, bytes] | None = None
    finalize: tuple[bytes, bytes] | None = None
    checkpoint: tuple[bytes, bytes] | None = None


NOTHING: Final = Signed()


def refusal(before: Signed, ask: Ask) -> Rule | None:
    """Say which rule forbids a signature beside those of its place; None: it may be signed."""

    def another(held: tuple[bytes, bytes] | None) -> bool:
        return held is not None and held[0] != ask.what

    if ask.kind == Signing.CHECKPOINT:
        return Rule.ANOTHER_ROOT if another(before.checkpoint) else None
    if ask.kind == Signing.NULLIFY:
        return Rule.FINALIZED if before.finalize is not None else None
    if ask.kind == Signing.FINALIZE and before.nullify is not None:
        return Rule.NULLIFIED
    if another(before.notarize):
        return Rule.NOTARIZED_ANOTHER
    if another(before.finalize):
        return Rule.FINALIZED_ANOTHER
    return None


class Guard:
    """What one key has signed. At and below floor, height_floor nothing is signed any more."""

    def __init__(
        self,
        floor: Place = GENESIS_PLACE,
        height_floor: int = 0,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self.floor = floor
        self.height_floor = height_floor
        self.records_max = records_max
        self.views: dict[Place, Signed] = {}
        self.heights: dict[Place, Signed] = {}

    def refusal(self, ask: Ask) -> Rule | None:
        """Say which rule forbids a signature; None: it may be signed, and must be noted then."""
        if ask.kind == Signing.CHECKPOINT:
            if ask.place[1] <= self.height_floor:
                return Rule.BELOW_FLOOR
            return refusal(self.heights.get(ask.place, NOTHING), ask)
        if ask.place <= self.floor:
            return Rule.BELOW_FLOOR
        return refusal(self.views.get(ask.place, NOTHING), ask)

    def stored(self, ask: Ask) -> bytes | None:
        """Give the signature that was given for the very same before."""
        places = self.heights if ask.kind == Signing.CHECKPOINT else self.views
        held = places.get(ask.place, NOTHING)[ask.kind - 1]
        return held[1] if held is not None and held[0] == ask.what else None

    def note(self, ask: Ask, signature: bytes) -> None:
        """Take in a signature that was allowed, and forget the lowest place if it is one too many.

        What was signed counts even where a rule forbids it: then only more is refused.
        """
        checkpoint = ask.kind == Signing.CHECKPOINT
        places = self.heights if checkpoint else self.views
        name = Signed._fields[ask.kind - 1]
        before = places.get(ask.place, NOTHING)
        places[ask.place] = before._replace(**{name: (ask.what, signature)})
        if len(places) <= self.records_max:
            return
        lowest = min(places)
        del places[lowest]
        if checkpoint:
            self.height_floor = max(self.height_floor, lowest[1])
        else:
            self.floor = max(self.floor, lowest)

    def raise_floor(self, floor: Place, height_floor: int) -> None:
        """Sign nothing more at or below; floors never fall."""
        self.floor = max(self.floor, floor)
        self.height_floor = max(self.height_floor, height_floor)
        self.views = {at: held for at, held in self.views.items() if at > self.floor}
        self.heights = {
            at: held for at, held in self.heights.items() if at[1] > self.height_floor
        }

    def everything(self) -> list[tuple[Ask, bytes]]:
        """List all that is kept, by place."""
        found: list[tuple[Ask, bytes]] = []
        for places in (self.views, self.heights):
            for place in sorted(places):
                for kind, held in zip(Signing, places[place], strict=True):
                    if held is not None:
                        found.append((Ask(int(kind), place, held[0]), held[1]))
        return found
