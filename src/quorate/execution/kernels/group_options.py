"""The commands by which products and series are listed, linked as those of accounts are."""

import numpy as np

from quorate.compiled import linked
from quorate.execution.kernels.options_listing import set_listing
from quorate.execution.kernels.options_products import WORDS_OF_PART, list_product
from quorate.execution.kernels.options_series import set_series
from quorate.execution.kernels.signatures import BUNDLE_ROW, COMMAND_ROW, INT64, RECORD
from quorate.types.codes import Op

__all__ = ["WORDS_OF_PART", "run_options_op"]

i8 = np.int64
OP_PRODUCT, OP_SERIES = int(Op.LIST_PRODUCT), int(Op.SET_SERIES)


@linked(INT64(RECORD, INT64, BUNDLE_ROW, COMMAND_ROW))
def run_options_op(s, op, bundle, command):
    """Commands of governance on products and series; a product's words are in `payoff_words`."""
    signer = bundle["signer"]
    if op == OP_PRODUCT:
        return list_product(s, signer, command)
    if op == OP_SERIES:
        return set_series(s, signer, command)
    return set_listing(s, signer, command)
