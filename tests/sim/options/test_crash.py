"""The replay of margin through the recorded crash, its liquidations found again with QuantLib."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from quorate.cli.options_reprice import THROUGH
from quorate.sim.options import accounts as drawing
from quorate.sim.options import crash
from quorate.sim.options.chains import Chain, chains
from quorate.sim.replays.read import FileRefused
from tests.instruments.margin import oracle

SNAPSHOTS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "options" / "snapshots"
ACCOUNTS = 60
# Prices are rounded to a hundredth, and shares to a ppm.
NEAR = 2e-4


@pytest.fixture(scope="module")
def recorded() -> list[Chain]:
    """The recorded chains through the crash."""
    if not SNAPSHOTS.is_dir():
        pytest.skip("The recorded option chains are not beside this checkout (../shared/data).")
    return chains(SNAPSHOTS, THROUGH)


@pytest.fixture(scope="module")
def report(recorded: list[Chain]) -> dict[str, Any]:
    """The replay of a few accounts."""
    return crash.replay(recorded, ACCOUNTS, 1)


def floats(amounts_e6: Mapping[str, int]) -> dict[str, float]:
    """Amounts in whole units."""
    return {name: amount / 1e6 for name, amount in amounts_e6.items()}


def market_of(chain: Chain) -> oracle.Market:
    """The market of one chain for the oracle; a perpetual's scan starts from its own price."""
    forward, days = {}, {}
    for quote in chain.quotes.values():
        name = f"{quote.currency}{quote.expiry_ms}"
        forward[name] = quote.forward_e6 / 1e6
        days[name] = (quote.expiry_ms - chain.time_ms) / 86_400_000
    return oracle.Market(
        floats(chain.index_e6), forward, days, perpetual=floats(chain.perpetual_e6),
        offset=crash.GROUP_OFFSET_PPM / 1e6,
    )  # fmt: skip


def legs_of(row: dict[str, Any], chain: Chain) -> oracle.Legs:
    """An account's legs at one chain, in coins."""
    legs: oracle.Legs = []
    for name, lots in row["legs"].items():
        if name.endswith("-PERPETUAL"):
            legs.append((oracle.Linear(name.split("-")[0]), lots / 100))
        else:
            q = chain.quotes[name]
            expiry = f"{q.currency}{q.expiry_ms}"
            strike, vol = q.strike_e6 / 1e6, q.vol_e9 / 1e9
            what = oracle.Option(q.currency, expiry, strike, q.call, vol)
            legs.append((what, lots / 100))
    return legs


def test_liquidations_are_found_again_with_quantlib(
    recorded: list[Chain], report: dict[str, Any]
) -> None:
    """Equity and maintenance of each account at each chain; near the line either may be right."""
    markets = [market_of(chain) for chain in recorded]
    hit = 0
    for row in report["rows"]:
        found = None
        sure = True
        for chain, market in zip(recorded, markets, strict=True):
            legs = legs_of(row, chain)
            rule = oracle.standard if row["margin"] == "standard" else oracle.portfolio
            worth = oracle.marks(legs, market)
            kept = rule(legs, market)[1]
            equity = row["cash_e6"] / 1e6 + worth
            gross = sum(abs(lots) * market.index[what.underlying] for what, lots in legs)
            if row["liquidated_at"] == chain.stamp:
                assert equity == pytest.approx(row["equity_e6"] / 1e6, abs=NEAR * gross)
                assert kept == pytest.approx(row["maintenance_e6"] / 1e6, abs=NEAR * gross)
            if found is None and abs(equity - kept) <= NEAR * gross:
                sure = False
            if found is None and equity < kept:
                found = chain.stamp
        if sure:
            assert found == row["liquidated_at"], row
            hit += found is not None
    assert hit >= 10


def test_the_replay_is_the_same_twice_and_differs_by_its_seed(
    recorded: list[Chain], report: dict[str, Any]
) -> None:
    assert crash.replay(recorded, ACCOUNTS, 1) == report
    assert crash.replay(recorded, ACCOUNTS, 2)["rows"] != report["rows"]


def test_nobody_is_below_maintenance_at_the_start_and_all_are_counted(
    recorded: list[Chain], report: dict[str, Any]
) -> None:
    styles = {row["style"] for row in report["rows"]}
    assert styles == set(drawing.STYLES)
    for name in crash.REGIMES:
        found = report["summary"][name]
        assert found["accounts"] == ACCOUNTS
        assert found["by_chain"][recorded[0].stamp] == 0
        assert sum(found["by_chain"].values()) == found["liquidated"]
        assert sum(found["by_style"].values()) == found["liquidated"]


def test_bad_folders_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="holds no"):
        chains(tmp_path, THROUGH)
    (tmp_path / "deribit_options_snapshot_1.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(FileRefused, match="deribit_options_snapshot_1"):
        chains(tmp_path, THROUGH)
