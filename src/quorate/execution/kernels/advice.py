"""The kernel that tells beforehand which bundles no later block can execute; it changes nothing."""

import numba
import numpy as np

from quorate.compiled import kernel
from quorate.execution.kernels.rows import bytes_equal, nonces_seek
from quorate.execution.kernels.scalars import nonce_in_window
from quorate.execution.kernels.signatures import BUNDLES, INT64S, RECORD
from quorate.execution.kernels.signers import nonce_fresh
from quorate.types.codes import Reject

i8 = np.int64
OK = int(Reject.OK)
BUNDLE_EXPIRED = int(Reject.BUNDLE_EXPIRED_SIGN_AGAIN)
NONCE_OLD = int(Reject.NONCE_TOO_OLD_USE_CURRENT_MS)
TABLE_FULL = int(Reject.TABLE_FULL_SEND_LATER)


@kernel(numba.types.void(RECORD, BUNDLES, numba.int64, INT64S))
def bundles_hopeless(s, bundles, time_ms, codes):
    """Write a code for each bundle that is refused from time_ms on, OK for the others."""
    for index in range(bundles.shape[0]):
        bundle = bundles[index]
        codes[index] = OK
        if bundle["expiry_ms"] and bundle["expiry_ms"] <= time_ms:
            codes[index] = BUNDLE_EXPIRED
        elif nonce_in_window(bundle["nonce"], time_ms) < 0:
            codes[index] = NONCE_OLD
        else:
            slot = nonces_seek(s, bundle["signer"])
            if slot != 0 and bytes_equal(s.nonces[slot]["signer"], bundle["signer"]):
                code = nonce_fresh(s, slot, bundle["nonce"])
                # A table that is full now may have room when the bundle's turn comes.
                if code != TABLE_FULL:
                    codes[index] = code
