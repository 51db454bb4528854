"""A remote signer: its file, its socket, two clients, restarts, and moving a key."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quorate.codec.consensus import domain, encode_subject, subject_digest
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import key_from_seed, public_key, verify
from quorate.ordering.guard import RECORDS_MAX, Ask, Guard, Rule, Signing
from quorate.runtime import guard_file, remote
from quorate.runtime.disk import HomeLocked, HomeRefused, HomeUnsound, StorageFailed
from quorate.runtime.errors import CannotListen
from quorate.runtime.guard_exchange import exported, imported
from quorate.runtime.guard_file import (
    HEAD_BYTES,
    RECORD_BYTES,
    GuardFile,
    SignerIdentity,
    guard_made,
)
from quorate.runtime.remote import RemoteScheme, RemoteSigner, refuse_other_remote
from quorate.runtime.signer import RequestKind, Signer, SignerServer, framed, refuse_taken
from quorate.types.consensus import (
    PAYLOAD_BYTES,
    Proposal,
    Subject,
    ValidatorSet,
    VoteKind,
    nullify_subject,
    subject_of,
)

KEY = key_from_seed("signer")
PUBLIC = public_key(KEY)
IDENTITY = SignerIdentity(7777, b"g" * 32, b"c" * 32, PUBLIC)
BOUND = domain(7777, b"c" * 32)
VALIDATORS = ValidatorSet(0, (public_key(key_from_seed("other")), PUBLIC), (1, 1))


def proposal(view: int, letter: bytes = b"p") -> Proposal:
    """Propose a payload in a view."""
    return Proposal(0, view, view - 1, letter * PAYLOAD_BYTES)


def notarize(view: int, letter: bytes = b"p") -> Subject:
    return subject_of(VoteKind.NOTARIZE, proposal(view, letter))


def finalize(view: int, letter: bytes = b"p") -> Subject:
    return subject_of(VoteKind.FINALIZE, proposal(view, letter))


def checkpoint(height: int, letter: bytes = b"r") -> Checkpoint:
    return Checkpoint(7777, b"g" * 32, 0, height, b"b" * 32, letter * 32, {})


@pytest.fixture
def guard(tmp_path: Path) -> Path:
    """Make a guard file."""
    path = tmp_path / "guard"
    guard_made(path, IDENTITY, (0, 0), 0)
    return path


def ask_of(signer: Signer, subject: Subject) -> bytes:
    """Ask for a vote; give the reply's kind and body."""
    return signer.answer(framed(RequestKind.VOTE, encode_subject(subject))[4:])[4:]


def signed(signer: Signer, subject: Subject) -> bool:
    """Say whether a vote was signed, and check the signature."""
    reply = ask_of(signer, subject)
    if reply[0] != 2:
        return False
    assert verify(PUBLIC, subject_digest(BOUND, subject), reply[1:])
    return True


@contextmanager
def serving(guard: Path, path: Path) -> Iterator[SignerServer]:
    """Serve on a thread with a loop of its own."""
    file = GuardFile(guard)
    server = SignerServer(Signer(KEY, file), path)
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign, assignment]
        loops.append(loop)
        await server.serve(ready.set)

    def run() -> None:
        try:
            asyncio.run(serve())
        except StorageFailed:
            pass  # what a test makes happen, and looks at by itself
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        if thread.is_alive():
            loops[0].call_soon_threadsafe(server.stop_wanted.set)
        thread.join(10)
        file.close()


# --- the file ------------------------------------------------------------------------------------
def test_what_was_signed_is_known_after_a_restart(guard: Path) -> None:
    file = GuardFile(guard)
    signer = Signer(KEY, file)
    first = ask_of(signer, notarize(5))
    assert signed(signer, finalize(5)) and signed(signer, notarize(6))
    file.close()
    file = GuardFile(guard)
    signer = Signer(KEY, file)
    assert ask_of(signer, notarize(5)) == first, "the very same again"
    size = guard.stat().st_size
    assert signed(signer, finalize(5)) and guard.stat().st_size == size
    assert ask_of(signer, notarize(5, b"q"))[1:] == Rule.NOTARIZED_ANOTHER.encode()
    assert ask_of(signer, nullify_subject(0, 5))[1:] == Rule.FINALIZED.encode()
    assert ask_of(signer, notarize(6, b"q"))[1:] == Rule.NOTARIZED_ANOTHER.encode()
    assert signed(signer, nullify_subject(0, 6))
    file.close()


def test_a_signature_is_on_disk_before_it_leaves(
    guard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = GuardFile(guard)
    signer = Signer(KEY, file)
    trail: list[int] = []
    healthy = os.fdatasync

    def sync(fd: int) -> None:
        trail.append(os.fstat(fd).st_size)
        healthy(fd)

    monkeypatch.setattr(guard_file.os, "fdatasync", sync)
    assert signed(signer, notarize(1)) and trail == [HEAD_BYTES + RECORD_BYTES]

    def sick(fd: int) -> None:
        raise OSError(5, "the disk is gone")

    monkeypatch.setattr(guard_file.os, "fdatasync", sick)
    with pytest.raises(StorageFailed):
        ask_of(signer, notarize(2))
    file.close()


def test_a_tail_that_was_never_synced_is_cut(guard: Path) -> None:
    file = GuardFile(guard)
    assert signed(Signer(KEY, file), notarize(1))
    file.close()
    whole = guard.read_bytes()
    for tail in (b"x" * 100, bytes(RECORD_BYTES), bytes(RECORD_BYTES + 7)):
        guard.write_bytes(whole + tail)
        file = GuardFile(guard)
        assert guard.read_bytes() == whole
        assert file.guard.views[0, 1].notarize is not None
        file.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.integers(0, HEAD_BYTES + 3 * RECORD_BYTES - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_taken_for_nothing_signed(
    guard: Path, place: int, bit: int
) -> None:
    if guard.stat().st_size == HEAD_BYTES:
        file = GuardFile(guard)
        for view in (1, 2, 3):
            assert signed(Signer(KEY, file), notarize(view))
        file.close()
    whole = guard.read_bytes()
    sick = bytearray(whole)
    sick[place] ^= 1 << bit
    guard.write_bytes(sick)
    try:
        with pytest.raises(HomeUnsound):
            GuardFile(guard)
    finally:
        guard.write_bytes(whole)


def test_a_guard_is_refused_that_is_absent_or_held(guard: Path) -> None:
    with pytest.raises(HomeRefused, match="is not there"):
        GuardFile(guard.with_name("other"))
    assert not guard.with_name("other").exists()
    with pytest.raises(HomeRefused, match="is there already"):
        guard_made(guard, IDENTITY, (0, 0), 0)
    file = GuardFile(guard)
    with pytest.raises(HomeLocked):
        GuardFile(guard)
    file.close()
    GuardFile(guard).close()


def test_a_file_that_has_grown_is_written_anew(
    guard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_file, "FILE_BYTES_MAX", HEAD_BYTES + 40 * RECORD_BYTES)
    file = GuardFile(guard)
    file.guard.records_max = 8
    signer = Signer(KEY, file)
    sizes = []
    for view in range(1, 101):
        assert signed(signer, notarize(view)) and signed(signer, finalize(view))
        sizes.append(guard.stat().st_size)
    assert max(sizes) <= HEAD_BYTES + 41 * RECORD_BYTES
    assert file.guard.floor == (0, 92)
    file.close()
    file = GuardFile(guard)
    signer = Signer(KEY, file)
    assert ask_of(signer, nullify_subject(0, 80))[1:] == Rule.BELOW_FLOOR.encode()
    assert ask_of(signer, notarize(100, b"q"))[1:] == Rule.NOTARIZED_ANOTHER.encode()
    file.close()


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    class Never(GuardFile):
        def __init__(self) -> None:
            self.identity, self.guard = IDENTITY, Guard()

        def note(self, ask: Ask, signature: bytes) -> None:
            self.guard.note(ask, signature)

    reply = Signer(KEY, Never()).answer(data)
    assert int.from_bytes(reply[:4], "little") == len(reply) - 4 and reply[4] in (1, 2, 3)


def test_a_vote_with_bytes_behind_it_is_malformed(guard: Path) -> None:
    file = GuardFile(guard)
    data = framed(RequestKind.VOTE, encode_subject(notarize(1)) + b"x")[4:]
    assert Signer(KEY, file).answer(data)[4:] == b"\x03malformed"
    file.close()


# --- the socket ----------------------------------------------------------------------------------
def test_two_clients_cannot_have_two_things_signed(guard: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(guard, path):
        assert path.stat().st_mode & 0o077 == 0
        results: list[list[bool]] = [[], []]
        barrier = threading.Barrier(2)

        def client(index: int, letter: bytes) -> None:
            signer = RemoteSigner(str(path))
            for view in range(1, 101):
                barrier.wait()
                results[index].append(signer.vote(notarize(view, letter)) is not None)
            signer.close()

        threads = [threading.Thread(target=client, args=it) for it in ((0, b"p"), (1, b"q"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert [first != second for first, second in zip(*results, strict=True)] == [True] * 100


def test_a_scheme_whose_signer_refuses_or_is_gone_casts_no_vote(
    guard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSE_S", 0.0)
    path = tmp_path / "s"
    scheme = RemoteScheme(VALIDATORS, BOUND, 1, str(path))
    assert scheme.sign(notarize(1)) is None and scheme.signer.counts == {"signer_gone": 1}
    with serving(guard, path):
        vote = scheme.sign(notarize(1))
        assert vote is not None and scheme.holds(notarize(1), 1, vote)
        assert scheme.sign(notarize(1, b"q")) is None
        root = RemoteSigner(str(path)).checkpoint(checkpoint(4))
        assert root is not None and verify(PUBLIC, checkpoint_digest(checkpoint(4)), root)
        assert RemoteSigner(str(path)).checkpoint(checkpoint(4, b"s")) is None
    assert scheme.sign(finalize(1)) is None
    with serving(guard, path):
        assert scheme.sign(finalize(1)) is not None
        assert scheme.sign(nullify_subject(0, 1)) is None
    assert scheme.signer.counts == {
        "signer_gone": 2, "signer_signed": 2, "signer_refused_notarized-another": 1,
        "signer_refused_finalized": 1,
    }  # fmt: skip
    # One with another's key is no signer of ours.
    foreign = RemoteScheme(VALIDATORS, BOUND, 0, str(path))
    with serving(guard, path):
        assert foreign.sign(notarize(9)) is None and foreign.signer.counts["signer_wrong"] == 1


def test_a_signer_that_hangs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        signer = RemoteSigner(str(tmp_path / "s"))
        assert signer.vote(notarize(1)) is None and signer.vote(notarize(1)) is None
        assert signer.counts == {"signer_gone": 2} and signer.socket is None


def test_the_signer_of_another_validator_is_refused_at_start(guard: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pytest.raises(HomeRefused, match="No signer answers"):
        refuse_other_remote(str(path), IDENTITY)
    with serving(guard, path):
        refuse_other_remote(str(path), IDENTITY)
        with pytest.raises(HomeRefused, match="but this validator is"):
            refuse_other_remote(str(path), IDENTITY._replace(chain_id=1))


def test_nothing_but_a_socket_left_behind_is_removed(guard: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("a file of mine")
    with pytest.raises(CannotListen, match="no socket"):
        refuse_taken(path)
    assert path.read_text() == "a file of mine"
    path.unlink()
    with serving(guard, path), pytest.raises(CannotListen, match="another process does"):
        refuse_taken(path)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    refuse_taken(path)
    assert not path.exists()


def test_a_failing_disk_ends_the_signer_without_a_signature(
    guard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sick(fd: int) -> None:
        raise OSError(5, "the disk is gone")

    path = tmp_path / "s"
    with serving(guard, path) as server:
        monkeypatch.setattr(guard_file.os, "fdatasync", sick)
        assert RemoteSigner(str(path)).vote(notarize(1)) is None
        assert server.failure is not None


# --- moving a key --------------------------------------------------------------------------------
def test_a_moved_key_signs_nothing_that_contradicts(guard: Path, tmp_path: Path) -> None:
    file = GuardFile(guard)
    file.guard.records_max = 4
    signer = Signer(KEY, file)
    for view in range(1, 11):
        assert signed(signer, notarize(view))
    exported(file, tmp_path / "moved.json")
    tree = json.loads((tmp_path / "moved.json").read_text())
    assert tree["floor"] == {"epoch": "0", "view": "6", "height": "0"}
    with pytest.raises(HomeRefused, match="is there already"):
        exported(file, tmp_path / "moved.json")
    file.close()
    other = tmp_path / "other"
    guard_made(other, IDENTITY, (0, 0), 0)
    file = GuardFile(other)
    assert signed(Signer(KEY, file), notarize(8, b"q")), "a guard that knows nothing"
    assert imported(file, tmp_path / "moved.json") == 4
    file.close()
    file = GuardFile(other)
    signer = Signer(KEY, file)
    for view in range(1, 9):
        for letter in (b"p", b"q"):
            assert ask_of(signer, notarize(view, letter))[1:] == Rule.BELOW_FLOOR.encode()
    assert signed(signer, notarize(9)) and not signed(signer, notarize(9, b"q"))
    assert signed(signer, notarize(11, b"q"))
    file.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["metadata"].update(chain_id="1"),
        lambda tree: tree["floor"].update(view=3),
        lambda tree: tree["floor"].update(view="03"),
        lambda tree: tree["floor"].update(view="-3"),
        lambda tree: tree.pop("signed"),
        lambda tree: tree["signed"][0].update(kind="bless"),
        lambda tree: tree["signed"][0].update(what="0x12"),
        lambda tree: tree["signed"][0].update(number=str(2**63)),
        lambda tree: tree["signed"].append(7),
    ],
)
def test_an_export_that_is_none_changes_nothing(
    guard: Path, tmp_path: Path, change: Any
) -> None:
    file = GuardFile(guard)
    assert signed(Signer(KEY, file), notarize(1))
    path = tmp_path / "moved.json"
    exported(file, path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    before = guard.read_bytes()
    with pytest.raises(HomeRefused):
        imported(file, path)
    file.close()
    assert guard.read_bytes() == before


def test_constants() -> None:
    assert RECORDS_MAX * RECORD_BYTES * (len(Signing) - 1) * 2 < guard_file.FILE_BYTES_MAX
