"""An operator's mistakes: one clear line, exit code 2, nothing changed. And what goes well."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quorate.cli.main import COMMANDS, app
from quorate.codec.genesis import encode_genesis
from quorate.crypto import public_key
from quorate.replica.messages import Judged
from quorate.runtime import development
from quorate.runtime.halt import Halt, write_halt
from quorate.runtime.home import Home, init_home, read_home, signer_of
from quorate.runtime.start import log_effects, start
from tests.live.nodes import config_text, environment
from tests.replica.world import ALICE, FUNDS, NOW, bundle, judged_batch, request

LISTEN = 'listen = "tcp:127.0.0.1:0"'
TEXT = config_text(segment_mib=1, machine="spec", listen="tcp:127.0.0.1:0")


KEY = public_key(development.role_key("validator")).hex()


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process; give exit code, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def tree_of(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder but the lock, which holds a process id."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home with two blocks in its log."""
    made = init_home(tmp_path / ("home" * 25), config_text=TEXT)
    started = start(made)
    for number in range(2):
        batch = judged_batch(request(number, bundle(ALICE, number, FUNDS)))
        log_effects(started.files, started.replica.step(NOW, Judged(batch)))
    started.files.close()
    return made


def break_genesis(home: Path) -> None:
    (home / "genesis.json").write_bytes(b'{"name": "other"}')


def other_genesis(home: Path) -> None:
    other = replace(development.genesis(), chain_id=8)
    (home / "genesis.json").write_bytes(encode_genesis(other))


def no_key(home: Path) -> None:
    (home / "keys" / "checkpoint.key").unlink()


def open_key(home: Path) -> None:
    (home / "keys" / "checkpoint.key").chmod(0o644)


def bad_key(home: Path) -> None:
    (home / "keys" / "checkpoint.key").write_text("00" * 32)


def other_key(home: Path) -> None:
    (home / "keys" / "checkpoint.key").write_text("11" * 32)


def bad_toml(home: Path) -> None:
    (home / "config.toml").write_text("[node\n")


def unknown_setting(home: Path) -> None:
    (home / "config.toml").write_text("[node]\nlistn = 3\n")


def wrong_type(home: Path) -> None:
    (home / "config.toml").write_text('[log]\nsegment_mib = "big"\n')


def out_of_range(home: Path) -> None:
    (home / "config.toml").write_text("[log]\nsegment_mib = 0\n")


def no_archive(home: Path) -> None:
    (home / "config.toml").write_text('[log]\narchive = "nowhere/to/be/found"\n')


def halted(home: Path) -> None:
    write_halt(home, Halt(2, bytes(32), "money appeared"))


def damaged(home: Path) -> None:
    path = home / "log" / "0000000000.seg"
    data = bytearray(path.read_bytes())
    data[4096 + 100] ^= 1
    path.write_bytes(data)


def no_log(home: Path) -> None:
    shutil.rmtree(home / "log")


def truncated(home: Path) -> None:
    os.truncate(home / "log" / "0000000000.seg", 4096)


def halt_garbage(home: Path) -> None:
    (home / "halt.json").write_text("[1")


def far_away(home: Path) -> None:
    # The folder stays where it is: only the socket's path would be too long.
    (home / "config.toml").write_text(TEXT.replace(LISTEN, 'listen = "unix"'))
    assert len(str(home)) > 100


def no_genesis(home: Path) -> None:
    (home / "genesis.json").unlink()


MISTAKES: list[tuple[Callable[[Path], None], str]] = [
    (break_genesis, "genesis.json: "),
    (other_genesis, "Segment 0 belongs to chain 7777, genesis "),
    (no_key, "checkpoint.key cannot be read: No such file or directory."),
    (open_key, "checkpoint.key can be read by others (mode 644); run chmod 600 on it."),
    (bad_key, "checkpoint.key holds no key: 64 hex digits are expected."),
    (other_key, "Height 2 of "),
    (bad_toml, "config.toml is not TOML: "),
    (unknown_setting, "config.toml: node.listn is not a setting; remove it."),
    (wrong_type, "config.toml: log.segment_mib must be an integer."),
    (out_of_range, "config.toml: segment_mib must be from 1 to 2048."),
    (no_archive, "is not a folder; make it first."),
    (no_genesis, "has lost its genesis.json; put a copy back, from a peer or a backup."),
    (far_away, "name the home by a shorter path, for example a symbolic link to it, or set "),
]
FOUND: list[tuple[Callable[[Path], None], str]] = [
    (halted, "is halted at height 2: money appeared. When you know why, `quorate resume "),
    (halt_garbage, "is halted: "),
    (damaged, "The log is damaged at segment 0, offset 4160, sequence 1: "),
    (truncated, "; restore this node from a peer or a backup, do not delete the log."),
    (no_log, " is gone; restore the home from a peer or a backup, and do not make a new log"),
]


@pytest.mark.parametrize(
    ("expected", "change", "words"),
    [(2, *mistake) for mistake in MISTAKES] + [(1, *found) for found in FOUND],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_run_refuses_with_one_line(
    expected: int, change: Callable[[Path], None], words: str, home: Home
) -> None:
    change(home.path)
    before = tree_of(home.path)
    code, output, errors = run("run", home.path)
    assert code == expected and output == ""
    assert errors.startswith("quorate: ") and errors.count("\n") == 1 and words in errors
    assert ".." not in errors and "`quorate init" not in errors
    assert tree_of(home.path) == before


def test_what_is_no_home_is_refused_with_advice_that_can_be_followed(tmp_path: Path) -> None:
    full, file, empty = (tmp_path / name for name in ("full", "file", "empty"))
    for folder in (full, empty):
        folder.mkdir()
    for path in (full / "mine", file):
        path.write_text("mine")
    for path, words in (
        (full, "is not a home, and not empty; name another folder."),
        (file, "is a file, not a home; name a folder."),
        (file / "below", "is a file, not a home; name a folder."),
        (empty, f"is not a home; `quorate init {empty}` makes one."),
        (tmp_path / "new", f"is not a home; `quorate init {tmp_path / 'new'}` makes one."),
    ):
        for command in ("run", "inspect"):
            code, _, errors = run(command, path)
            assert (code, errors) == (2, f"quorate: {path} {words}\n")
    assert tree_of(tmp_path) == {"file": b"mine", "full/mine": b"mine"}


def test_run_refuses_a_home_that_is_in_use(home: Home) -> None:
    started = start(home)
    before = tree_of(home.path)
    code, _, errors = run("run", home.path)
    assert code == 2 and f"is held by process {os.getpid()}; stop it first." in errors
    assert tree_of(home.path) == before
    started.files.close()


def test_init_refuses_what_is_not_empty(home: Home, tmp_path: Path) -> None:
    before = tree_of(home.path)
    code, _, errors = run("init", home.path)
    assert (code, errors) == (2, f"quorate: {home.path} is not empty; choose a new folder.\n")
    assert tree_of(home.path) == before
    missing = tmp_path / "missing.json"
    code, _, errors = run("init", tmp_path / "new", "--genesis", missing)
    assert (code, errors.split(":")[0]) == (2, "quorate")
    assert not (tmp_path / "new").exists()


def test_init_that_fails_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "deep" / "new", tmp_path / "empty"):
        for bytes_max in (30, 300, 20_000_000):
            shown = subprocess.run(
                [sys.executable, "-m", "tests.live.sick", "full", str(bytes_max), "init", path],
                capture_output=True, text=True, env=environment(), check=False,
            )  # fmt: skip
            assert shown.returncode == 1, shown.stderr
            assert shown.stderr.startswith("quorate: Could not ") and "EFBIG" in shown.stderr
            assert [found.name for found in tmp_path.iterdir()] == ["empty"]
            assert not list((tmp_path / "empty").iterdir())
        assert run("init", path)[0] == 0
        assert read_home(path).genesis == development.cleared_genesis()
        if path.parent != tmp_path:
            shutil.rmtree(path.parent)


def test_init_leaves_alone_what_another_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "config.toml").write_text("of another")
    monkeypatch.setattr("quorate.runtime.home.names_in", lambda path: [])
    code, _, errors = run("init", tmp_path)
    assert code == 2 and "cannot be made: File exists." in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "keys"]


def test_init_makes_what_run_reads(tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(encode_genesis(development.genesis()) + b"\n")
    code, output, _ = run("init", tmp_path / "own", "--genesis", genesis, "--json")
    shown = json.loads(output)
    assert code == 0 and shown["chain_id"] == development.CHAIN_ID
    made = read_home(tmp_path / "own")
    assert made.genesis == development.genesis()
    assert made.genesis_hash.hex() == shown["genesis_hash"]
    assert [path.name for path in (tmp_path / "own" / "keys").iterdir()] == ["checkpoint.key"]
    assert (tmp_path / "own" / "keys" / "checkpoint.key").stat().st_mode & 0o777 == 0o600


def test_resume_wants_a_halt_and_a_reason(home: Home) -> None:
    code, _, errors = run("resume", home.path, "--reason", "why not")
    assert code == 2 and "is not halted" in errors
    halted(home.path)
    code, _, errors = run("resume", home.path, "--reason", " ")
    assert code == 2 and "Say in --reason" in errors
    assert run("resume", home.path)[0] == 2
    assert (home.path / "halt.json").exists()
    code, output, _ = run("resume", home.path, "--reason", "a bad memory module is replaced")
    assert code == 0 and "was halted at height 2: money appeared.\n" in output
    assert not (home.path / "halt.json").exists()
    log = b"".join(path.read_bytes() for path in (home.path / "log").iterdir())
    assert b'"resumed_for": "a bad memory module is replaced"' in log
    assert start(home).files.close() is None
    shown = json.loads(run("inspect", home.path, "--json")[1])["resumed"]
    assert [note["resumed_for"] for note in shown] == ["a bad memory module is replaced"]
    output = run("inspect", home.path)[1]
    assert "  resumed       a bad memory module is replaced\n" in output
    assert "                from a halt at height 2: money appeared\n" in output
    halt_garbage(home.path)
    assert "  HALTED: " in run("inspect", home.path)[1]
    code, output, _ = run("resume", home.path, "--reason", "the marker was mended")
    assert code == 0 and " was halted: " in output and "height" not in output


def test_inspect_changes_nothing_and_takes_no_lock(home: Home) -> None:
    held = start(home)
    before = tree_of(home.path)
    code, output, _ = run("inspect", home.path, "--json")
    shown = json.loads(output)
    assert code == 0 and shown["chain"]["height"] == 2 and shown["halt"] is None
    assert shown["chain"]["state_root"] == held.replica.executor.root.hex()
    code, output, _ = run("inspect", home.path)
    assert code == 0
    assert f"  block time    {NOW} ms, 2023-11-14 22:" in output
    assert "  log           1 segment of 1 MiB, after height 0\n" in output
    head, units, row = next(
        lines[at - 2 : at + 1] for lines in [output.splitlines()]
        for at, line in enumerate(lines) if "BTC-PERP" in line
    )  # fmt: skip
    assert head.split() == ["market", "bid", "ask", "last", "open", "interest", "trades"]
    assert units.split() == ["ticks"] * 3 + ["lots"]
    assert row.split() == ["1", "BTC-PERP", "-", "-", "-", "0", "0"]
    for word, cell in (("bid", "-"), ("trades", "0")):
        end = head.index(word) + len(word)
        assert row[end - len(cell) - 1 : end] == " " + cell
    assert shown["markets"][0]["bid"] is None
    assert tree_of(home.path) == before
    held.files.close()
    damaged(home.path)
    code, _, errors = run("inspect", home.path)
    assert code == 1 and "The log is damaged at segment 0" in errors


def test_inspect_shows_the_signer_of_a_home_that_has_signed_nothing(tmp_path: Path) -> None:
    home = init_home(tmp_path / "home", config_text=TEXT)
    _, key = signer_of(home.path)
    output = run("inspect", home.path)[1]
    assert f"  signer        {key.hex()}; nothing is signed yet\n" in output
    no_key(home.path)
    assert "  signer        unknown, for the key cannot be read; " in run("inspect", home.path)[1]


@pytest.mark.parametrize("command", ["--help", "", "inspect"])
def test_nobody_who_reads_is_no_error_of_ours(command: str, home: Home) -> None:
    arguments = [command, str(home.path)] if command == "inspect" else command.split()
    reading, writing = os.pipe()
    os.close(reading)
    shown = subprocess.run(
        [sys.executable, "-m", "quorate.cli.main", *arguments],
        stdout=writing, stderr=subprocess.PIPE, text=True, env=environment(), check=False,
    )  # fmt: skip
    os.close(writing)
    assert (shown.returncode, shown.stderr) == (141, "")


def test_a_proof_is_written_and_verified(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "proof.json"
    started = start(home)
    signer = started.replica.settings.signer.hex()
    started.files.close()
    trust = ["--genesis-hash", home.genesis_hash.hex(), "--signer", signer]
    alice = "0x" + development.key_address(ALICE).hex()
    for what in (["--account", alice], ["--account", 4, "--height", 1], ["--event", "2:0"]):
        out.unlink(missing_ok=True)
        code, output, errors = run("prove", home.path, *what, "--out", out)
        assert code == 0, errors
        code, output, _ = run("verify", out, *trust)
        assert code == 0 and "signed by 1 of 1 validators" in output
    changed = out.read_text().replace('"height":2', '"height":3')
    out.write_text(changed)
    code, output, _ = run("verify", out, *trust)
    assert code == 1 and output.startswith("refused: ")


def test_prove_writes_over_nothing_and_not_into_the_home(home: Home, tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text("mine")
    (tmp_path / "dangling").symlink_to(home.path / "new")
    (tmp_path / "link").symlink_to(home.path)
    before = tree_of(tmp_path)
    for out, words in (
        (home.path / "keys" / "checkpoint.key", "exists already; name a new file."),
        (tmp_path / "proof.json", "exists already; name a new file."),
        (tmp_path / "dangling", "exists already; name a new file."),
        (home.path / "proof.json", "lies in the home; name a file elsewhere."),
        (tmp_path / "link" / "keys" / "proof.json", "lies in the home; name a file elsewhere."),
        (tmp_path / "no" / "proof.json", "must be a file in a folder that exists."),
    ):
        code, output, errors = run("prove", home.path, "--account", 4, "--out", out)
        assert (code, output, errors) == (2, "", f"quorate: --out {out} {words}\n")
    assert tree_of(tmp_path) == before


@pytest.mark.parametrize(
    ("genesis", "signers", "words"),
    [
        ("00" * 31, [KEY], "--genesis-hash: 64 hex digits are needed."),
        ("x", [KEY], "--genesis-hash: 64 hex digits are needed."),
        ("00" * 32, ["-x"], "--signer: 66 hex digits are needed."),
        ("00" * 32, ["02" + "ff" * 32], "--signer: this is no public key of secp256k1."),
        ("00" * 32, [KEY, KEY], "--signer: one key is given twice."),
        ("00" * 32, [KEY], "no/such/file cannot be read: No such file or directory."),
    ],
)
def test_verify_refuses_with_one_line(genesis: str, signers: list[str], words: str) -> None:
    given = [f"--signer={key}" for key in signers]
    code, output, errors = run("verify", "no/such/file", "--genesis-hash", genesis, *given)
    assert (code, output, errors) == (2, "", f"quorate: {words}\n")


def test_results_that_cannot_be_written_are_refused_before_the_work() -> None:
    code, output, errors = run("bench", "machine", "--json", "no/such/folder/x")
    assert (code, output) == (2, "") and "must be a file in a folder that exists." in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name one of --account, --order and --event."),
        (["--account", "4", "--order", "1"], "Name one of"),
        (["--event", "7"], "--event takes HEIGHT:INDEX, two numbers."),
        (["--event", "1:\u00b2"], "--event takes HEIGHT:INDEX, two numbers."),
        (["--event", "1:0", "--height", "1"], "names its height itself; leave --height out."),
        (["--account", "abc"], "--account takes a number, or 0x and 40 hex digits."),
        (["--account", ""], "--account takes a number, or 0x and 40 hex digits."),
        (["--order", "0"], "--order takes an integer above 0."),
        (["--account", "4", "--height", "-1"], "--height takes an integer of 0 or more."),
        (["--event", "0:0"], "the first block has height 1"),
        (["--event", "2:99"], "Block 2 has 2 events, counted from 0."),
        (["--event", "9:0"], "holds no durable block 9; its last is 2."),
        (["--account", "77"], "No account has the number 77."),
        (["--account", "0x12"], "--account takes a number, or 0x and 40 hex digits."),
        (["--order", "5"], "No open order has the id 5."),
    ],
)
def test_prove_refuses_with_one_line(arguments: list[str], words: str, home: Home) -> None:
    code, output, errors = run("prove", home.path, *arguments)
    assert (code, output) == (2, "") and words in errors and errors.count("\n") == 1


def test_unknown_options_and_commands_are_the_users_mistake() -> None:
    for arguments, words in (
        (["run", "--nonsense", "x"], "No such option: --nonsense. See quorate run --help."),
        (["nonsense"], "No such command 'nonsense'. See quorate --help."),
        (["run"], "Missing argument 'HOME'. See quorate run --help."),
        (["verify", "x"], "Missing option '--genesis-hash'. See quorate verify --help."),
    ):
        shown = subprocess.run(
            [sys.executable, "-c", "import sys; sys.argv[0] = 'quorate'; "
             "from quorate.cli.main import main; main()", *arguments],
            capture_output=True, text=True, env=environment(), check=False,
        )  # fmt: skip
        assert shown.returncode == 2 and shown.stdout == ""
        assert shown.stderr == f"quorate: {words}\n"


def test_help_names_every_command_and_starts_at_once() -> None:
    code, output, _ = run("--help")
    assert code == 0 and all(name in output for name in COMMANDS)
    seconds = []
    for _ in range(3):
        start_s = time.monotonic()
        command = [sys.executable, "-m", "quorate.cli.main", "--help"]
        subprocess.run(command, check=True, capture_output=True, env=environment())
        seconds.append(time.monotonic() - start_s)
    assert min(seconds) < 0.3, seconds


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, quorate.cli.main as m; m.app(['--help'], standalone_mode=False); "
    code += "print(sorted({'numpy', 'numba', 'asyncio', 'quorate.replica'} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment()
    )
    assert shown.stdout.splitlines()[-1] == "[]"
