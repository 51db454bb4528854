"""Specification and kernels agree: seeded worlds, drawn commands, other processes, other forms."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.sim import execution_fuzz, execution_mutations
from quorate.sim.execution_fuzz import Tally, fuzz
from quorate.types.codes import End, EventKind, Reject
from tests.execution.exchange import Exchange, address

ROOT = Path(__file__).parents[2]
PROCESS = Path(__file__).with_name("digest_process.py")
PEOPLE = ("ann", "ben", "cleo")

# What few blocks of mixed worlds need not reach: each has worlds of its own beside this file.
SELDOM_KINDS = {EventKind.LIQUIDATED, EventKind.DELEVERAGED, EventKind.PROTECTED}
SELDOM_ENDS = {End.LIQUIDATION, End.PROTECTION, End.BAND, End.AUCTION}
# Their worlds are too short for a series to end, and nobody votes on its smile.
OF_SERIES = {EventKind.SMILED, EventKind.FIXED, EventKind.SERIES_MOVED, EventKind.SETTLED}


def test_seeded_worlds_agree_and_cover() -> None:
    tally = Tally()
    found = fuzz(1, lambda: True, tally, blocks=30, worlds_max=12)
    assert found is None, execution_fuzz.block_words(found.smaller or found.block)
    listed = {EventKind.PRODUCT_LISTED, EventKind.SERIES_LISTED}
    assert set(EventKind) - set(tally.kinds) <= SELDOM_KINDS | OF_SERIES | listed
    assert set(End) - set(tally.ends) <= SELDOM_ENDS | {End.EXPIRY}
    assert len(tally.codes) > 75 and tally.codes[Reject.OK] * 3 > tally.commands


@pytest.mark.long
def test_more_worlds_reach_every_kind_of_event() -> None:
    tally = Tally()
    found = fuzz(1000, lambda: True, tally, worlds_max=60)
    assert found is None, execution_fuzz.block_words(found.smaller or found.block)
    assert set(EventKind) - set(tally.kinds) <= OF_SERIES
    assert set(End) - set(tally.ends) <= {End.AUCTION, End.BAND, End.EXPIRY}
    assert len(tally.codes) > 90


@settings(max_examples=12)
@given(st.integers(0, 10**9))
def test_drawn_worlds_agree(seed: int) -> None:
    found = fuzz(seed, lambda: True, Tally(), blocks=8, worlds_max=1)
    assert found is None, execution_fuzz.block_words(found.smaller or found.block)


# --- drawn commands, which hypothesis can make fewer ---------------------------------------------
PRICE, SIZE = st.integers(99_990, 100_010), st.integers(1, 400)
SIDE, FLAGS = st.integers(0, 1), st.sampled_from([0, 1, 4, 8, 12, 0x10, 0x1C, 0x20, 0x22, 0x28])
RESTING = st.builds(c.Place, st.just(1), SIDE, PRICE, SIZE, st.just(0), FLAGS, st.just(0),
                    st.integers(0, 3))
TAKING = st.builds(c.Place, st.just(1), SIDE, PRICE, SIZE, st.sampled_from([2, 3]),
                   st.sampled_from([0, 1, 4, 8, 12, 0x10]))
SPOT = st.builds(c.Place, st.just(2), SIDE, st.integers(190, 210).map(lambda n: 5 * n),
                 st.integers(1, 30).map(lambda n: 10 * n))
ID = st.integers(1, 12)
OTHER = st.one_of(
    st.builds(c.Cancel, ID),
    st.builds(c.CancelAll, st.integers(0, 2)),
    st.builds(c.Modify, ID, PRICE, SIZE, st.sampled_from([0, 4, 0x20])),
    st.builds(c.ModifyClient, st.integers(1, 3), PRICE, SIZE),
    st.builds(c.Withdraw, st.integers(0, 1), st.just(bytes(20)), st.integers(1, 10**12)),
    st.builds(c.Transfer, st.integers(0, 1), st.sampled_from(PEOPLE).map(address), st.just(0),
              st.integers(1, 10**12)),
)  # fmt: skip
KEY = st.sampled_from([bytes([k]) * 32 + b"\0" for k in (1, 2, 3)])
VALIDATOR = st.builds(c.SetValidator, st.just(1), KEY, st.integers(0, 2))
STEP = st.one_of(
    st.tuples(st.sampled_from(PEOPLE), st.one_of(RESTING, RESTING, TAKING, SPOT, OTHER)),
    st.tuples(st.just("governance"), VALIDATOR),
    st.tuples(st.just("oracle"), st.builds(c.SetMark, st.just(1), st.integers(90_000, 110_000))),
)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=1, max_size=30), st.integers(1, 5))
def test_drawn_commands_agree(steps: list[tuple[str, c.Command]], blocks: int) -> None:
    x = Exchange()
    x.fund(*PEOPLE, usd=1_500_000, btc=50_000)
    size = -(-len(steps) // blocks)
    for at in range(0, len(steps), size):
        x.rows(*(x.row(address(name), command) for name, command in steps[at : at + size]))


# --- other processes -----------------------------------------------------------------------------
def digests(*seeds: int, **environment: str) -> str:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    variables = {**os.environ, "PYTHONPATH": paths, **environment}
    command = [sys.executable, str(PROCESS), *map(str, seeds)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_machine_code_python_form_and_hash_seeds_agree() -> None:
    """The kernels as plain Python, where an overflow is an error, give the same bytes."""
    compiled = digests(31, 32, 33, PYTHONHASHSEED="1")
    plain = digests(31, 32, 33, PYTHONHASHSEED="2", NUMBA_DISABLE_JIT="1")
    assert compiled == plain and len(compiled.split()) == 3


# --- the search finds what is wrong --------------------------------------------------------------
@pytest.mark.long
@pytest.mark.parametrize("name", execution_mutations.NAMES)
def test_a_mutation_is_found(name: str) -> None:
    """Each wrong kernel is found from one fixed world within five minutes."""
    start = "from quorate.cli.main import main; main()"
    arguments = ["fuzz", "execution", "--seconds", "300", "--seed", "1000", "--mutation", name]
    done = subprocess.run(
        [sys.executable, "-c", start, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"Mutation {name}: found." in done.stdout
    assert "Again: quorate fuzz execution --seed 100" in done.stdout


def test_every_mutation_fits_the_source(tmp_path: Path) -> None:
    for mutation in execution_mutations.MUTATIONS:
        path = ROOT / "src/quorate/execution/kernels" / f"{mutation.file}.py"
        assert path.read_text(encoding="ascii").count(mutation.old) == 1, mutation.name
