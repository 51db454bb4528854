"""What each peer sent that no honest validator sends, and for how long it is not listened to.

Every message comes over its sender's own authenticated connection, and an honest validator checks
what it passes on. So whoever sends a certificate, a vote or a range whose signatures do not hold,
or a frame that does not decode, is at fault itself. One costs us a few signature checks; whoever
sends OFFENCES_MAX within a window is not heard for SHUNNED_MS, and its link ends for as long. A
forger costs us no more than that many checks in that time, and what others send is not delayed.
"""

from typing import Final

OFFENCES_MAX: Final = 16
WINDOW_MS: Final = 60_000
SHUNNED_MS: Final = 10_000
# Whoever sends these is at fault for certain. The other names are counted and no more.
PROVABLE: Final = (
    "frames_invalid",
    "certificates_forged",
    "votes_forged",
    "ranges_forged",
    "statuses_forged",
)


class Offences:
    """Counts by peer and name; both are few, and the names are ours."""

    def __init__(self) -> None:
        self.counts: dict[int, dict[str, int]] = {}
        # Of each peer: when its window began, and the provable offences in it.
        self.windows: dict[int, tuple[int, int]] = {}
        self.shunned: dict[int, int] = {}

    def count(self, peer: int, name: str, now_ms: int, times: int = 1) -> bool:
        """Count offences; say whether the peer has just reached what is borne."""
        counts = self.counts.setdefault(peer, {})
        counts[name] = counts.get(name, 0) + times
        if name not in PROVABLE or self.is_shunned(peer, now_ms):
            return False
        since_ms, before = self.windows.get(peer, (now_ms, 0))
        if now_ms - since_ms >= WINDOW_MS:
            since_ms, before = now_ms, 0
        self.windows[peer] = (since_ms, before + times)
        if before + times < OFFENCES_MAX:
            return False
        del self.windows[peer]
        self.shunned[peer] = now_ms + SHUNNED_MS
        return True

    def is_shunned(self, peer: int, now_ms: int) -> bool:
        """Say whether a peer is not listened to at present."""
        until_ms = self.shunned.get(peer)
        if until_ms is not None and until_ms <= now_ms:
            del self.shunned[peer]
            return False
        return until_ms is not None

    def named(self) -> dict[str, dict[str, int]]:
        """Give the counts by peer, for whoever watches."""
        return {str(peer): dict(self.counts[peer]) for peer in sorted(self.counts)}
