"""Linked functions for what renews a smile: pillars from votes, and the fit.

They work on the smile scratch of the state, so that the surface's rules are compiled once, beside
the kernels that call their machine code.
"""

import numba

from quorate.compiled import linked
from quorate.execution.kernels.signatures import RECORD
from quorate.instruments.surface.scalars import fitted_into, pillars_into, repaired_into

INT64 = numba.types.int64
NEAR, OWN = 0, 1  # rows of `smile_rows`: the smile of the expiry before, the one to be fitted


@linked(INT64(RECORD, INT64))
def pillars_voted(s, weight_total):
    """Write the pillars of the fresh votes into `smile_pillars`; return the confidence."""
    high = s.ledger[0]["voters_high"]
    votes, weights = s.smile_fresh[:high], s.smile_weights[:high]
    quorum, outlier = s.parameters[0]["quorum_ppm"], s.parameters[0]["outlier_ppm"]
    return pillars_into(votes, weights, weight_total, quorum, outlier, s.smile_pillars)


@linked(INT64(RECORD, INT64))
def smile_fitted(s, time_ms):
    """Fit a smile to `smile_pillars`; return how far its repair moved it, -1 if there is none."""
    near, own, room = s.smile_rows[NEAR], s.smile_rows[OWN], s.smile_room
    if fitted_into(s.smile_pillars, time_ms, near, own, room) < 0:
        return -1
    return repaired_into(near, own, room[9:12])
