"""What waits to be sent to one peer: two lanes, urgent before bulk, each bounded in bytes."""

from collections import deque
from typing import Final

from quorate.runtime.peers.frames import PART_HEAD, Lane, Outgoing

# A frame without a body takes memory too: so much is counted for it.
FRAME_COST: Final = 64


class UrgentFull(Exception):
    """The peer is too slow even for what is urgent."""


class Lanes:
    """Frames in order of their going. bytes_max: of bodies waiting, for each lane."""

    def __init__(self, urgent_bytes_max: int, bulk_bytes_max: int) -> None:
        self.bytes_max = (urgent_bytes_max, bulk_bytes_max)
        self.waiting: tuple[deque[Outgoing], deque[Outgoing]] = (deque(), deque())
        self.held = [0, 0]
        # Of each lane, the frame of which parts have gone: it can no longer be dropped.
        self.begun: list[Outgoing | None] = [None, None]

    def __bool__(self) -> bool:
        return any(self.begun) or any(self.waiting)

    def put(self, lane: Lane, kind: int, body: bytes) -> tuple[bool, int]:
        """Queue a frame; say whether it is queued, and how many bulk frames were dropped for it.

        Raises UrgentFull.
        """
        cost = FRAME_COST + len(body)
        limit = self.bytes_max[lane]
        dropped = 0
        if self.held[lane] + cost > limit:
            if lane == Lane.URGENT:
                raise UrgentFull
            waiting = self.waiting[lane]
            if cost + self.begun_cost(lane) > limit:
                return False, 0
            while self.held[lane] + cost > limit:
                self.held[lane] -= FRAME_COST + waiting.popleft().size
                dropped += 1
        self.held[lane] += cost
        self.waiting[lane].append(Outgoing(lane, kind, body))
        return True, dropped

    def begun_cost(self, lane: Lane) -> int:
        """Give what the frame that has begun counts for."""
        begun = self.begun[lane]
        return 0 if begun is None else FRAME_COST + begun.size

    def take(self, bytes_max: int) -> tuple[list[bytes | memoryview], list[int]]:
        """Take parts to be written, urgent ones first, until they have `bytes_max` bytes or more.

        Gives the pieces to be joined, and the kinds of the frames that are now complete.
        """
        pieces: list[bytes | memoryview] = []
        ended: list[int] = []
        size = 0
        for lane in Lane:
            while size < bytes_max:
                frame = self.begun[lane]
                if frame is None:
                    if not self.waiting[lane]:
                        break
                    frame = self.begun[lane] = self.waiting[lane].popleft()
                head, piece = frame.parts.popleft(), frame.parts.popleft()
                pieces += (head, piece)
                size += PART_HEAD.size + len(piece)
                if not frame.parts:
                    ended.append(frame.kind)
                    self.begun[lane] = None
                    self.held[lane] -= FRAME_COST + frame.size
        return pieces, ended
