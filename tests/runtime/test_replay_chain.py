"""A validator's chain executed anew: equal where it is, and every difference found and named."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import app
from quorate.runtime.disk import HomeRefused
from quorate.runtime.home import Home, init_home
from quorate.runtime.replay_chain import replayed_chain
from tests.runtime.validator_logs import HEIGHTS, TEXT, Lies, written


def run(*arguments: object) -> tuple[int, str, str]:
    """Run the command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, ["replay-chain", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def lied(folder: Path, **lies: tuple[int, ...]) -> Home:
    """Give a home with a false log."""
    return written(folder / "chain", (), Lies(**lies)).homes[1]


def test_every_root_is_found_again(tmp_path: Path) -> None:
    made = written(tmp_path / "chain", (2,))
    for home in made.homes:
        found = replayed_chain(home)
        assert (found.heights, found.own, found.certified) == (HEIGHTS, HEIGHTS, HEIGHTS - 1)
        assert (found.bundles, found.commands) == (2 * HEIGHTS, 4 * HEIGHTS)
        assert found.root == made.roots[HEIGHTS].hex()
        assert (found.different, found.differences) == (0, [])
    code, output, _ = run(made.homes[0].path, "--engine", "solo")
    assert code == 0
    assert "Executed 6 blocks with 12 bundles and 24 commands under solo" in output
    assert "6 checkpoints of its own and 5 certificates of the quorum: no differences." in output


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ({"own": (3,)}, "height 3: this validator signed root abababababababab, not "),
        ({"quorum": (5,)}, "height 5: a quorum signed root abababababababab, not "),
        ({"forged": (2,)}, "the certificate of height 2 does not hold: the signature of validator"),
    ],
)
def test_a_difference_is_named(
    lies: dict[str, tuple[int, ...]], words: str, tmp_path: Path
) -> None:
    home = lied(tmp_path, **lies)
    code, output, errors = run(home.path)
    assert (code, errors) == (1, "")
    assert "1 difference." in output and words in output
    tree = json.loads(run(home.path, "--json")[1])
    assert tree["different"] == 1 and tree["engine"] == "solo"
    assert tree["differences"][0].startswith(words.split(" a ")[0][:20])


def test_many_differences_are_counted_and_some_listed(tmp_path: Path) -> None:
    home = lied(tmp_path, own=(1, 2, 3), quorum=(2, 4))
    assert replayed_chain(home).different == 5


def test_a_log_without_a_block_is_refused(tmp_path: Path) -> None:
    home = lied(tmp_path, gap=(4,))
    with pytest.raises(HomeRefused, match="it has no block 4"):
        replayed_chain(home)
    assert run(home.path)[0] == 2


def test_a_node_alone_is_compared_with_its_own_checkpoints(tmp_path: Path) -> None:
    home = init_home(tmp_path / "home", config_text=TEXT)
    found = replayed_chain(home)
    assert (found.heights, found.different) == (0, 0)


def test_another_engine_is_refused_in_one_line(tmp_path: Path) -> None:
    code, output, errors = run(tmp_path, "--engine", "cometbft")
    assert (code, output) == (2, "")
    assert errors == 'quorate: --engine takes solo, not "cometbft".\n'
