"""Kernels that call the helpers of funding alone, for the comparison with the spec."""

import numba

from quorate.compiled import kernel
from quorate.execution.kernels.funding import funding_owed, funding_settle
from quorate.execution.kernels.signatures import RECORD


@kernel(numba.types.int64(RECORD, numba.types.int64, numba.types.int64))
def owed(s, cell, market):
    """What the position in `cell` owes."""
    return funding_owed(s, cell, market)


@kernel(numba.types.void(RECORD, numba.types.int64, numba.types.int64, numba.types.int64))
def settle(s, account, cell, market):
    """Let the position in `cell` pay."""
    funding_settle(s, account, cell, market)
