"""The surface's entry points in machine code: renewal, marks and index of one underlying."""

from quorate.compiled import kernel
from quorate.instruments.surface.scalars import (
    marks_into,
    surface_into,
    vol_index_rule,
)


@kernel(
    "void(int64[:,:,::1], int64[::1], int64, int64, int64, int64[:,::1], int64[::1], int64,"
    " int64[::1], int64[:,::1], int64[::1], int64[:,::1])"
)
def renew(
    votes,
    weights,
    weight_total,
    quorum_ppm,
    outlier_ppm,
    quotes,
    quote_ends,
    depth_e6,
    times_ms,
    smiles,
    confidence_ppm,
    room,
):
    """Renew all smiles: `steps.surface_into`."""
    surface_into(
        votes,
        weights,
        weight_total,
        quorum_ppm,
        outlier_ppm,
        quotes,
        quote_ends,
        depth_e6,
        times_ms,
        smiles,
        confidence_ppm,
        room,
    )


@kernel(
    "void(int64[:,::1], int64[::1], int64[::1], int64[:,::1], int64[::1], int64[::1], int64[::1])"
)
def remark(series, forwards, left_ms, smiles, roots_q52, vols_e9, marks):
    """Mark all series: `steps.marks_into`."""
    marks_into(series, forwards, left_ms, smiles, roots_q52, vols_e9, marks)


@kernel("int64(int64[:,::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def vol_index(smiles, times_ms, confidence_ppm, strikes, prices):
    """Return the volatility index in 1e-9: `vol_index.vol_index_e9`."""
    return vol_index_rule(smiles, times_ms, confidence_ppm, strikes, prices)
