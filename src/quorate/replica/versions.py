"""The versions of the rules, as data: which bundles each skips, and where one begins by force.

A version begins where the state says so: governance announces it by UPGRADE, and the chain row
carries it (execution, phase 1). A program that lacks it stops before that height (ledger.py).

    version 1   the rules
    version 2   the same rules, and a list of bundles that it skips

A *poison bundle* is one at which our own code fails. Every replica halts before it signs the block
that holds it, and none can execute an UPGRADE any more. A release then does two things here: it
lists the bundle's digest as skipped under a version of the rules that no release has named before
(and adds that version to limits.PROTOCOL_VERSIONS), and it names the activation: chain, height of
the poisoned block, version. What a release has once named never changes. See
docs/decisions/009-upgrades.md.

A skipped bundle executes as one that has expired: its receipt says BUNDLE_EXPIRED_SIGN_AGAIN, its
nonce stays unused and the state untouched.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from quorate.admission import chain_of
from quorate.admission.judge import item_digest
from quorate.codec.bundle import unsigned_part
from quorate.codec.items import decode_items
from quorate.storage.log import Identity
from quorate.types import limits
from quorate.types.codes import Reject

Items = Callable[[], bytes]

# Before every block's time, whatever that is; no client can send it.
EXPIRED_MS: Final = -1


class Activation(NamedTuple):
    """A version that begins at a height of one chain without a command, by a release's word."""

    identity: Identity
    height: int
    version: int


# --- what a release says -------------------------------------------------------------------------
# By version: the digests that it skips, as their keys signed them, those of the version before it
# included.
SKIPPED: Final[dict[int, tuple[bytes, ...]]] = {1: (), 2: ()}
ACTIVATIONS: Final[tuple[Activation, ...]] = ()


class Release:
    """What a release says of versions. versions: those that it can execute."""

    def __init__(
        self,
        skipped: dict[int, tuple[bytes, ...]],
        activations: tuple[Activation, ...] = (),
        versions: tuple[int, ...] = limits.PROTOCOL_VERSIONS,
    ) -> None:
        """Check that the data does not contradict itself."""
        before: tuple[bytes, ...] = ()
        for version in sorted(skipped):
            assert dict.fromkeys(before).keys() <= dict.fromkeys(skipped[version]).keys(), (
                "a bundle once skipped could execute later: its nonce is still unused"
            )
            before = skipped[version]
        assert all(len(digest) == 32 for digest in before)
        places = [(at.identity, at.height) for at in activations]
        assert len(dict.fromkeys(places)) == len(places), "one activation per height"
        assert all(at.version in versions for at in activations)
        self.versions = versions
        self.skipped = {version: frozenset(found) for version, found in skipped.items()}
        self.activations = {(at.identity, at.height): at.version for at in activations}

    def knows(self, version: int) -> bool:
        """Say whether this release can execute a version of the rules."""
        return version in self.versions

    def forced(self, identity: Identity, height: int, version: int) -> int:
        """Give the version that begins at a height by force; 0 for none, or none above `version`.

        version: under which the height would execute otherwise.
        """
        found = self.activations.get((identity, height), 0)
        return found if found > version else 0

    def rows_of(self, rows: Any, items: Items, version: int, identity: Identity) -> Any:
        """Give a block's rows as its version executes them: ADMITTED[n], skipped ones expired.

        items: gives the canonical bytes of the block's items; asked only when they are needed.
        """
        skipped = self.skipped.get(version)
        if not skipped:
            return rows
        chain = chain_of(*identity)
        found = decode_items(items())
        assert not isinstance(found, Reject) and len(found) == len(rows), "a block of other items"
        digests = [item_digest(item.kind, unsigned_part(item.data), chain) for item in found]
        hit = np.array([digest in skipped for digest in digests], np.bool_)
        if not hit.any():
            return rows
        changed = rows.copy()
        changed["expiry_ms"][hit] = EXPIRED_MS
        return changed


RELEASE: Final = Release(SKIPPED, ACTIVATIONS)
