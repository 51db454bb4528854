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
from quorate.replica.messages import Judged
from quorate.runtime import development
from quorate.runtime.halt import Halt, write_halt
from quorate.runtime.home import Home, init_home, read_home
from quorate.runtime.start import log_effects, start
from tests.live.nodes import config_text, environment
from tests.replica.world import ALICE, FUNDS, NOW, bundle, judged_batch, request

TEXT = config_text(segment_mib=1, machine="spec")


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
    made = init_home(tmp_path / "home", config_text=TEXT)
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
    (halted, "is halted at height 2: money appeared. When you know why, `quorate resume "),
    (damaged, "The log is damaged at segment 0, offset 4160, sequence 1: "),
    (no_log, "holds no log; `init` makes one, `run` never does."),
    (no_genesis, "is not a home; `quorate init "),
]


@pytest.mark.parametrize(("mistake", "words"), MISTAKES, ids=lambda it: getattr(it, "__name__", ""))
def test_run_refuses_with_one_line(
    mistake: Callable[[Path], None], words: str, home: Home
) -> None:
    mistake(home.path)
    before = tree_of(home.path)
    code, output, errors = run("run", home.path)
    assert code == 2 and output == ""
    assert errors.startswith("quorate: ") and errors.count("\n") == 1 and words in errors
    assert tree_of(home.path) == before


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
    assert code == 0 and "money appeared" in output and not (home.path / "halt.json").exists()
    log = b"".join(path.read_bytes() for path in (home.path / "log").iterdir())
    assert b'"resumed_for": "a bad memory module is replaced"' in log
    assert start(home).files.close() is None


def test_inspect_changes_nothing_and_takes_no_lock(home: Home) -> None:
    held = start(home)
    before = tree_of(home.path)
    code, output, _ = run("inspect", home.path, "--json")
    shown = json.loads(output)
    assert code == 0 and shown["chain"]["height"] == 2 and shown["halt"] is None
    assert shown["chain"]["state_root"] == held.replica.executor.root.hex()
    code, output, _ = run("inspect", home.path)
    assert code == 0 and "BTC-PERP" in output
    assert tree_of(home.path) == before
    held.files.close()
    damaged(home.path)
    code, _, errors = run("inspect", home.path)
    assert code == 2 and "The log is damaged at segment 0" in errors


def test_a_proof_is_written_and_verified(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "proof.json"
    started = start(home)
    signer = started.replica.settings.signer.hex()
    started.files.close()
    trust = ["--genesis-hash", home.genesis_hash.hex(), "--signer", signer]
    alice = "0x" + development.key_address(ALICE).hex()
    for what in (["--account", alice], ["--account", 4, "--height", 1], ["--event", "2:0"]):
        code, output, errors = run("prove", home.path, *what, "--out", out)
        assert code == 0, errors
        code, output, _ = run("verify", out, *trust)
        assert code == 0 and "signed by 1 of 1 validators" in output
    changed = out.read_text().replace('"height":2', '"height":3')
    out.write_text(changed)
    code, output, _ = run("verify", out, *trust)
    assert code == 1 and output.startswith("refused: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name one of --account, --order and --event."),
        (["--account", "4", "--order", "1"], "Name one of"),
        (["--event", "7"], "Give --event as HEIGHT:INDEX, two numbers."),
        (["--event", "0:0"], "the first block has height 1"),
        (["--event", "2:99"], "Block 2 has 2 events, counted from 0."),
        (["--event", "9:0"], "holds no durable block 9; its last is 2."),
        (["--account", "77"], "No account has the number 77."),
        (["--account", "0x12"], "Give `address` as 40 hex digits."),
        (["--order", "5"], "No open order has the id 5."),
    ],
)
def test_prove_refuses_with_one_line(arguments: list[str], words: str, home: Home) -> None:
    code, output, errors = run("prove", home.path, *arguments)
    assert (code, output) == (2, "") and words in errors and errors.count("\n") == 1


def test_unknown_options_and_commands_are_the_users_mistake() -> None:
    for arguments, words in (
        (["run", "--nonsense", "x"], "No such option: --nonsense See quorate run --help."),
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
