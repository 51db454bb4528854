"""What all tests share: command line options, hypothesis profiles, the recorded data."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from quorate.runtime.cometbft.binary import Program

ROOT = Path(__file__).resolve().parent.parent

# `ci` gives the same examples on every run; `deep` draws new ones and draws many.
settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", deadline=None, print_blob=True, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="regenerate the expected output in tests/tables"
    )
    parser.addoption(
        "--approve-formats", action="store_true", help="regenerate the vectors in tests/vectors"
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Say whether a table test writes its output instead of comparing it."""
    return bool(request.config.getoption("--rewrite"))


@pytest.fixture
def approve_formats(request: pytest.FixtureRequest) -> bool:
    """Say whether a vector test writes its bytes instead of comparing them."""
    return bool(request.config.getoption("--approve-formats"))


@pytest.fixture(scope="session")
def cometbft() -> "Program":
    """Give CometBFT's program, or skip; `make cometbft` builds it."""
    from quorate.runtime.cometbft.binary import comet_program
    from quorate.runtime.disk import HomeRefused

    try:
        return comet_program()
    except HomeRefused as refused:
        pytest.skip(f"needs CometBFT, `make cometbft`: {refused}")


@pytest.fixture(scope="session")
def data() -> Path:
    """Give the folder of recorded market data, which lies beside the repository, or skip."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recorded market data in ../shared/data, which is not here")
    return folder
