"""Numba types of what kernels are called with; every kernel's signature is made of these."""

import numba

from quorate.execution.kernels.state import STATE
from quorate.types.records import (
    ADMITTED,
    COMMAND,
    LEDGER_COMMAND,
    LISTING_CONTINUATION,
    PRODUCT_WORDS_PART,
    VALIDATOR_COMMAND,
)

RECORD = numba.from_dtype(STATE)
INT64S = numba.types.int64[::1]
BUNDLES = numba.from_dtype(ADMITTED)[::1]
# Five readings of the same bytes.
COMMANDS = numba.from_dtype(COMMAND)[::1]
LEDGER_COMMANDS = numba.from_dtype(LEDGER_COMMAND)[::1]
LISTINGS = numba.from_dtype(LISTING_CONTINUATION)[::1]
VALIDATOR_COMMANDS = numba.from_dtype(VALIDATOR_COMMAND)[::1]
PRODUCT_PARTS_READ = numba.from_dtype(PRODUCT_WORDS_PART)[::1]
