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
INT64 = numba.types.int64
INT64S = numba.types.int64[::1]
BUNDLE_ROW = numba.from_dtype(ADMITTED)
BUNDLES = BUNDLE_ROW[::1]
# Five readings of the same bytes.
COMMAND_ROW = numba.from_dtype(COMMAND)
LEDGER_ROW = numba.from_dtype(LEDGER_COMMAND)
LISTING_ROW = numba.from_dtype(LISTING_CONTINUATION)
VALIDATOR_ROW = numba.from_dtype(VALIDATOR_COMMAND)
COMMANDS = COMMAND_ROW[::1]
LEDGER_COMMANDS = LEDGER_ROW[::1]
LISTINGS = LISTING_ROW[::1]
VALIDATOR_COMMANDS = VALIDATOR_ROW[::1]
PRODUCT_PARTS_READ = numba.from_dtype(PRODUCT_WORDS_PART)[::1]
