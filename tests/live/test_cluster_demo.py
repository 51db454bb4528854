"""The demo of four validators plays its whole story, and its audit finds what is wrong."""

import json
import os
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from quorate.cli.demo_cluster import ClusterDemo
from quorate.cli.demo_cluster_audit import compared_roots, whole_audit
from quorate.cli.demo_cluster_screen import picture, plain_lines
from quorate.cli.main import app
from quorate.runtime.testnet_watch import Standing
from quorate.sim.demo.ledger import Ledger
from quorate.sim.demo.screen import Shown, View
from tests.live.nodes import quorate
from tests.runtime.validator_logs import HEIGHTS, Lies, written

SECONDS = 8
DEMO_S = 300


@pytest.mark.slow
def test_the_story_comes_to_a_good_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A name that is shorter than the test's: a socket in the home has a path of limited length.
    folder = tmp_path_factory.mktemp("demo")
    out = folder / "result.json"
    show = quorate(
        "demo", "--plain", "--seconds", SECONDS, "--home", folder / "home", "--json", out
    )
    output, errors = show.communicate(timeout=DEMO_S)
    assert show.returncode == 0, output + errors
    assert errors == ""
    found = json.loads(out.read_text())
    assert found["ok"] and found["findings"] == []
    assert found["roots_different"] == 0 and found["heights_compared"] > 10
    assert found["certificates"] > 0 and found["blocks"] >= found["heights_compared"]
    assert found["lost"] == found["doubled"] == 0 and found["acknowledged"] > 100
    assert found["conservation_delta_e6"] == found["lots_delta"] == 0 and found["fills"] > 0
    assert 0 < found["finality_p50_ms"] <= found["finality_p99_ms"]
    assert found["view_changes"] > 0, "views of killed validators end without a block"
    first, second = found["kills"]
    assert (first["was_leader"], second["was_leader"]) == (False, True)
    assert first["validator"] != second["validator"]
    for kill in (first, second):
        assert kill["recovered_height"] > 0 and kill["blocks_missed"] > 0
        assert kill["catchup_s"] >= kill["serving_s"] > 0
    assert len({row["root"] for row in found["rows"] if row["height"] == found["blocks"]}) <= 1
    proof = found["proof"]
    assert proof["verified"] and proof["forged_refused"] and len(proof["forged"]) == 2
    assert "signed by 3 of 4 validators" in proof["words"][0]
    cleared, receipt = found["cleared"], found["receipt"]
    assert cleared["marks"] >= 4 and cleared["traders"] == 1 and cleared["steps"] >= 1
    assert receipt["verified"] and "  kind: liquidated" in receipt["words"]
    assert "signed by 3 of 4 validators" in receipt["words"][0] and "is liquidated" in output
    assert "validator 3  " in output and "All right" in output and "kill -9" in output
    assert "\x1b" not in output


def test_what_is_found_wrong_is_said_and_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def run(show: ClusterDemo) -> None:
        show.result.findings.append("two and two make five")

    monkeypatch.setattr(ClusterDemo, "run", run)
    folder = tmp_path_factory.mktemp("bad") / "home"
    ran = CliRunner().invoke(app, ["demo", "--plain", "--home", str(folder)])
    assert ran.exit_code == 1 and "FOUND WRONG: two and two make five" in ran.stdout


# --- the audit is shown to fail ------------------------------------------------------------------
def test_roots_are_compared_height_by_height() -> None:
    same = {1: b"a", 2: b"b", 3: b"c"}
    shorter = {1: b"a", 2: b"b"}
    found = compared_roots([same, same, shorter])
    assert (found.compared, found.different, found.findings) == (2, [], [])
    found = compared_roots([same, {**same, 2: b"x"}, same])
    assert (found.compared, found.different) == (3, [2])
    assert found.findings == ["validators differ in 1 roots, first at height 2"]
    found = compared_roots([same, {1: b"a", 3: b"c"}])
    assert found.findings == ["validator 1 signed no root of height 2 and 1 in all"]
    assert compared_roots([{}, {}]).findings == ["there is no height that all validators signed"]


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        (Lies(quorum=(3,)), "height 3: a quorum signed root"),
        (Lies(forged=(2,)), "the certificate of height 2 does not hold"),
    ],
)
def test_false_certificates_are_found(lies: Lies, words: str, tmp_path: Path) -> None:
    homes = written(tmp_path / "chain", (), lies).homes
    found = whole_audit(homes, Ledger(), {}, 1)
    assert any(sentence.startswith(words) for sentence in found.sentences)


def test_the_audit_finds_lost_strange_and_contradicted(tmp_path: Path) -> None:
    made = written(tmp_path / "chain", (HEIGHTS,))
    ledger = Ledger()
    ledger.acknowledged[bytes(20), 1] = 2
    ledger.sent[bytes(20), 1] = None
    found = whole_audit(made.homes, ledger, {2: "00" * 32}, 0)
    assert found.roots.compared == HEIGHTS and found.chain.certified == HEIGHTS - 1
    assert found.view_changes == 100
    assert [sentence.split(":")[0] for sentence in found.sentences] == [
        "1 acknowledged bundles are missing",
        f"{2 * HEIGHTS} bundles executed that nobody sent",
        "the root of height 2 was 0000000000000000 and is now another",
    ]


# --- the screen ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
def test_the_picture_fits_its_terminal(width: int, height: int) -> None:
    view = View(Shown(1, "BTC-PERP", 10, 10_000), 7, 30.0)
    view.story = [(float(at), f"sentence {at}") for at in range(9)]
    standings = [
        Standing(at, "running", 30, 2, 20, 19, "ab" * 32, 3, 5, 10, 20) for at in range(4)
    ]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(width=width, height=height, record=True, file=nowhere)
        console.print(picture(view, standings, width, height))
        rows = console.export_text().splitlines()
    assert len(rows) <= height and all(len(row) <= width for row in rows)
    assert sum("abababababab" in row for row in rows) == 4
    assert "sentence 8" in "\n".join(rows)
    assert len(plain_lines(view, standings)) == 5
