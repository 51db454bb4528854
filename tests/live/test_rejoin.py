"""A validator whose log is gone, with real processes: refused, observing, voting again."""

import shutil
from pathlib import Path

import pytest

from quorate.replica.records import AGREEMENT, EVIDENCE, VOTING
from quorate.runtime.files import follow_segments
from quorate.storage.log import Kind, Record
from tests.live.test_upgrade import traded
from tests.live.validators import NEW, Validators, chain_of_many, run


def command(*arguments: object) -> tuple[int, str, str]:
    """Run a command to its end."""
    process = run(NEW, *arguments)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def records(validators: Validators, index: int) -> list[Record]:
    """Read a stopped validator's log."""
    home = validators.homes[index]
    found: list[Record] = []
    for scan in follow_segments(home.path, home.identity):
        found += [record._replace(payload=bytes(record.payload)) for record in scan.records]
    return found


def own_votes(found: list[Record]) -> list[Record]:
    """Pick a validator's own votes from its log."""
    return [record for record in found if record.kind == AGREEMENT and record.payload[0] == 1]


@pytest.mark.slow
def test_a_validator_without_its_log_observes_and_then_votes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with chain_of_many(tmp_path_factory.mktemp("rejoin") / "chain") as validators:
        for index in range(4):
            validators.start(index)
        traded(validators, 3)
        validators.stop(3)
        home = validators.home(3)
        assert own_votes(records(validators, 3)), "it has voted before"
        code, _, errors = command("rejoin", home)
        assert code == 2 and "has a log" in errors and errors.count("\n") == 1
        shutil.rmtree(home / "log")
        code, _, errors = command("run", home)
        assert code == 1 and errors.count("\n") == 1
        assert f"quorate rejoin {home}" in errors and not (home / "log").exists()
        code, output, errors = command("rejoin", home)
        assert (code, errors) == (0, ""), errors
        assert output.startswith(f"Made a new log in {home}.")
        traded(validators, 0)
        # With two others it cannot know: it keeps observing, and the chain waits.
        validators.stop(2)
        validators.start(3)
        validators.until(3, lambda found: len(found["peers"]) == 2)
        found = validators.until(3, lambda found: found["height"] > 1)
        assert found["observing"]
        validators.stop(3)
        assert not own_votes(records(validators, 3))
        validators.start(3)
        assert validators.until(3, lambda found: len(found["peers"]) == 2)["observing"]
        # The third comes back: all have answered, and it votes again.
        validators.start(2)
        seen = validators.until(3, lambda found: not found["observing"])["view"]
        # The others carry the chain over the views that it must leave out.
        validators.until(3, lambda found: found["view"] > seen + 8)
        validators.stop(0)
        done = traded(validators, 1)
        validators.alike(done.height, (1, 2, 3))
        validators.start(0)
        validators.alike(traded(validators, 3).height)
        guilty = [validators.ask(index, "network")["guilty"] for index in range(4)]
        assert guilty == [[]] * 4
        for index in range(4):
            validators.stop(index)
        check_log(records(validators, 3))
        assert not any(
            record.kind == EVIDENCE for index in range(4) for record in records(validators, index)
        )


def check_log(found: list[Record]) -> None:
    """Demand that nothing was signed at or below the views that others were in."""
    (voting,) = [record for record in found if record.kind == VOTING]
    above = int.from_bytes(voting.payload, "little")
    votes = own_votes(found)
    assert votes and min(record.height for record in votes) > above
    signed = [record for record in found if record.kind == Kind.CHECKPOINT]
    bare = [record for record in signed if not any(record.payload[-64:])]
    assert bare and len(bare) < len(signed)
    assert max(record.height for record in bare) < min(
        record.height for record in signed if any(record.payload[-64:])
    )


@pytest.mark.slow
def test_a_home_is_run_by_one_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    with chain_of_many(tmp_path_factory.mktemp("lock") / "chain", 1) as validators:
        validators.start(0)
        traded(validators, 0)
        home = validators.home(0)
        for attempt in (("run", home), ("rejoin", home)):
            code, output, errors = command(*attempt)
            assert (code, output) == (2, "")
            assert errors.startswith(f"quorate: {home}") and errors.count("\n") == 1
        traded(validators, 0)


def test_a_crash_while_rejoining_leaves_no_log(tmp_path: Path) -> None:
    from quorate.runtime.rejoining import log_made, rejoin

    validators = Validators(tmp_path / "chain", 2)
    home = validators.homes[0]
    shutil.rmtree(home.path / "log")
    log_made(home)
    assert not (home.path / "log").exists()
    (home.path / "snapshots" / "0000000000000007.snapshot").write_bytes(b"of the log before")
    aside = rejoin(home)
    assert aside is not None and (aside / "0000000000000007.snapshot").exists()
    found = records(validators, 0)
    assert [record.kind for record in found if record.kind != Kind.MARK] == [22]
    assert not (home.path / "rejoining").exists()
