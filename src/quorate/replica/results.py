"""What a block did to each of its bundles, as an engine records it beside the transaction."""

from typing import Any, Final

import numpy as np

from quorate.types.codes import EventKind
from quorate.types.records import EVENT

RECEIPT: Final = int(EventKind.RECEIPT)
BUNDLE: Final = int(EventKind.BUNDLE)


def results_of(events: Any, count: int) -> tuple[tuple[int, bytes], ...]:
    """Give code and data of each of `count` bundles from their block's events, EVENT[k].

    code: why the whole bundle changed nothing, 0 if it was run. data: the code of each of its
    commands in their order, u16, little endian; empty where the bundle was not run.
    """
    assert events.dtype == EVENT
    codes = np.zeros(count, np.int64)
    refused = events[events["kind"] == BUNDLE]
    codes[refused["bundle"]] = refused["code"]
    receipts = events[events["kind"] == RECEIPT]
    bundles = receipts["bundle"].astype(np.int64)
    # Makers may have come first; within a bundle receipts keep their order.
    order = np.argsort(bundles, kind="stable")
    data = receipts["code"][order].astype("<u2").tobytes()
    bounds = (2 * np.searchsorted(bundles[order], np.arange(count + 1))).tolist()
    return tuple(
        [(code, data[bounds[at] : bounds[at + 1]]) for at, code in enumerate(codes.tolist())]
    )
