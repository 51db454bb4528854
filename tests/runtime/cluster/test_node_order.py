"""Nothing but what is early leaves a validator before the syncs that stand before it.

The real driver and the real log, with a transport that notes what was durable when each frame left.
The log thread is stepped by hand, and the core may act in the middle of a sync. The same is done to
drivers that were broken on purpose: that what they do is noticed shows that it would be.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.replica.messages import Append, Refuse, Settled, Sync
from quorate.replica.records import AGREEMENT
from quorate.replica.validator_messages import Execute, Send, Wake
from quorate.runtime.cluster.journal import Journal, Last
from quorate.runtime.cluster.node import ClusterNode
from quorate.runtime.files import LogFiles
from quorate.runtime.home import Home
from quorate.types.codes import Reject
from tests.runtime.cluster.disks import COUNT, ByHand, Watched, home_at, log_of, turn

WAIT_S = 20.0


class Loop:
    """Keeps what is to be called on the loop's thread until `drain`."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()

    def call_soon(self, call: Callable[..., None], *arguments: Any) -> None:
        self.calls.put((call, arguments))

    call_soon_threadsafe = call_soon

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> Any:
        return SimpleNamespace(cancel=lambda: None)

    def drain(self) -> None:
        while not self.calls.empty():
            call, arguments = self.calls.get()
            call(*arguments)


class Driver(ClusterNode):
    """The driver with nothing around it but a log. left: what went out, and what was durable."""

    journals: type[Journal] = Journal

    def __init__(self, home: Home, files: LogFiles) -> None:
        self.home = home
        self.watched = Watched(files)
        watched: Any = self.watched
        self.journal = self.journals(home, watched, COUNT, self.released)
        self.left: list[tuple[bytes, int]] = []
        self.executed: ByHand = ByHand()
        self.loop_calls = Loop()
        around: Any = self
        around.loop = self.loop_calls
        around.transport = SimpleNamespace(
            broadcast=lambda kind, body, lane: self.note([body]),
            send=lambda peer, kind, body, lane: self.note([body]),
        )
        around.server = SimpleNamespace(
            respond=lambda answers: self.note([b"%d" % it.number for it in answers])
        )
        around.executing = SimpleNamespace(queue=self.executed)
        self.events = []
        self.pumping = True  # what is posted stays in `events`
        self.wake = None
        self.journaling = 0

    def note(self, bodies: list[bytes]) -> None:
        self.left += [(body, self.watched.durable) for body in bodies]


class Hasty(Driver):
    """Does not know what is on its way to the disk."""

    @property
    def journaling(self) -> int:
        return 0

    @journaling.setter
    def journaling(self, lists: int) -> None:
        pass


class EagerJournal(Journal):
    """Lets go first and writes then."""

    def carry_out(self, effects: list[Any], lists: int) -> None:
        self.released([it for it in effects if not isinstance(it, Append | Sync)], lists)
        super().carry_out([it for it in effects if isinstance(it, Append | Sync)], 0)


class Eager(Driver):
    """Has a log that lets go first."""

    journals = EagerJournal


class Forgetful(Driver):
    """Takes everything for early."""

    def carry_out(self, effects: Any) -> None:
        super().carry_out(
            [it._replace(early=True) if isinstance(it, Send) else it for it in effects]
        )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, LogFiles]]:
    """Make one log for many drivers."""
    home = home_at(tmp_path_factory.mktemp("order") / "home")
    with log_of(home) as files:
        yield home, files


class Story:
    """What a core wants in turn, and when the log thread works; with what must be durable when."""

    def __init__(self, driver: Driver) -> None:
        driver.journal.queue = ByHand()  # type: ignore[assignment]
        self.driver = driver
        self.appended = self.bound = 0
        self.needed: dict[bytes, int] = {}
        self.early: dict[bytes, None] = {}
        self.late: list[bytes] = []

    def carry_out(self, letters: str) -> None:
        """a: append, s: sync, l: late frame, e: early frame, r: reply, x: execute, w: wake."""
        effects: list[Any] = []
        for letter in letters:
            body = b"%d" % (len(self.needed) + 1)
            if letter == "a":
                effects.append(Append(AGREEMENT, 5, b"vote"))
                self.appended += 1
            elif letter == "s":
                effects.append(Sync(0))
                self.bound = self.appended
            elif letter == "w":
                effects.append(Wake(0))
            elif letter == "x":
                effects.append(Execute(SimpleNamespace()))  # type: ignore[arg-type]
            elif letter == "e":
                effects.append(Send(None, 1, body, early=True))
                self.needed[body] = 0
                self.early[body] = None
            else:
                reply = letter == "r"
                effects.append(Refuse(1, int(body), Reject.OK) if reply else Send(2, 1, body))
                self.needed[body] = self.bound
                self.late.append(body)
        self.driver.carry_out(effects)
        left = dict(self.driver.left)
        assert all(body in left for body in self.early), "an early frame waits"

    def work(self, meanwhile: list[str]) -> None:
        """Have the log thread work; the core acts in the midst of its syncs."""

        def act() -> None:
            if meanwhile:
                self.carry_out(meanwhile.pop(0))
            self.driver.loop_calls.drain()

        self.driver.watched.while_syncing = act
        turn(self.driver.journal)
        self.driver.loop_calls.drain()

    def check(self) -> None:
        """Let everything come to its end, and check what left when."""
        while self.driver.journal.queue.empty() is False or self.driver.journaling:
            self.work([])
        for body, durable in self.driver.left:
            assert durable >= self.needed[body], f"{body!r} left before what it rests on"
        left = [body for body, _ in self.driver.left if body not in self.early]
        assert sorted(left) == sorted(self.late), "something was lost, or came twice"
        assert left == self.late, "what is not early came in another order"


LISTS = st.text("aassllexw", max_size=6)
STORIES = st.lists(st.tuples(LISTS, st.none() | st.lists(LISTS, max_size=2)), max_size=8)


def told(driver: Driver, story: list[tuple[str, list[str] | None]]) -> None:
    it = Story(driver)
    for letters, meanwhile in story:
        it.carry_out(letters)
        if meanwhile is not None:
            it.work(list(meanwhile))
    it.check()


@given(STORIES)
def test_any_story(
    shared: tuple[Home, LogFiles], story: list[tuple[str, list[str] | None]]
) -> None:
    told(Driver(*shared), story)


@pytest.mark.parametrize("letters", ["l", "r", "sl", "el"])
def test_a_later_list_without_records_waits_for_the_sync_before_it(
    shared: tuple[Home, LogFiles], letters: str
) -> None:
    driver = Driver(*shared)
    story = Story(driver)
    story.carry_out("asl")
    assert driver.journaling == 1 and not driver.left
    story.carry_out(letters)
    assert driver.journaling == 2
    assert [body for body, _ in driver.left] == list(story.early)
    story.work([])
    assert driver.journaling == 0 and driver.watched.syncs == 1
    story.check()


def test_a_list_that_comes_in_the_midst_of_a_sync_waits_for_its_own_turn(
    shared: tuple[Home, LogFiles],
) -> None:
    driver = Driver(*shared)
    story = Story(driver)
    story.carry_out("asl")
    story.work(["l"])
    assert [durable for _, durable in driver.left] == [1, 1] and driver.journaling == 0
    story.check()


def test_with_nothing_on_its_way_to_the_disk_frames_leave_at_once(
    shared: tuple[Home, LogFiles],
) -> None:
    driver = Driver(*shared)
    story = Story(driver)
    # Nor does a record hold anything back by itself: a sync does.
    story.carry_out("lal")
    assert len(driver.left) == 2 and driver.journaling == 0
    story.carry_out("sl")
    assert len(driver.left) == 2 and driver.journaling == 1
    story.work([])
    assert driver.left[2:] == [(b"3", 1)] and driver.watched.syncs == 1
    story.check()


def test_many_lists_are_covered_by_one_sync(shared: tuple[Home, LogFiles]) -> None:
    driver = Driver(*shared)
    story = Story(driver)
    for _ in range(5):
        story.carry_out("asl")
    story.work([])
    assert driver.watched.syncs == 1 and driver.journaling == 0
    assert [durable for _, durable in driver.left] == [5] * 5


@pytest.mark.parametrize("broken", [Hasty, Eager, Forgetful])
@pytest.mark.parametrize("meanwhile", [[], ["l"]])
def test_broken_drivers_are_noticed(
    shared: tuple[Home, LogFiles], broken: type[Driver], meanwhile: list[str]
) -> None:
    def tell(driver: Driver) -> None:
        story = Story(driver)
        story.carry_out("asl")
        story.carry_out("l")
        story.work(meanwhile)
        story.check()

    tell(Driver(*shared))
    with pytest.raises(AssertionError, match="left before what it rests on"):
        tell(broken(*shared))


def test_blocks_go_to_the_ledger_behind_the_records_that_they_rest_on(
    shared: tuple[Home, LogFiles],
) -> None:
    driver = Driver(*shared)
    order: list[str] = []
    queue: Any = SimpleNamespace(put=lambda part: order.append("log"), empty=lambda: True)
    driver.journal.queue = queue
    ledger: Any = SimpleNamespace(put=lambda block: order.append("ledger"))
    driver.executing.queue = ledger
    block: Any = SimpleNamespace()
    driver.carry_out([Execute(block), Append(AGREEMENT, 5, b"vote"), Sync(0)])
    assert order == ["log", "ledger"]


def test_what_the_ledger_settles_reaches_the_core_after_its_sync(
    shared: tuple[Home, LogFiles],
) -> None:
    driver = Driver(*shared)
    driver.journal.queue = ByHand()  # type: ignore[assignment]
    settled = Settled(SimpleNamespace())  # type: ignore[arg-type]
    driver.journal.take([Append(AGREEMENT, 5, b"checkpoint"), Sync(0), settled])
    seen: list[int] = []

    def look() -> None:
        driver.loop_calls.drain()
        seen.append(len(driver.events))

    driver.watched.while_syncing = look
    turn(driver.journal)
    driver.loop_calls.drain()
    assert seen == [0] and driver.events == [settled]
    assert driver.journaling == 0  # it was none of the core's lists


def test_a_sync_that_is_held_holds_everything(tmp_path: Path) -> None:
    # The thread itself, with its own queue.
    home = home_at(tmp_path / "home")
    driver = Driver(home, log_of(home))
    entered, gate = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert gate.wait(WAIT_S)

    driver.watched.while_syncing = hold
    thread = threading.Thread(target=driver.journal.run)
    thread.start()
    try:
        driver.carry_out([Append(AGREEMENT, 5, b"vote"), Sync(0), Send(None, 1, b"first")])
        assert entered.wait(WAIT_S)
        driver.carry_out([Send(None, 1, b"second"), Send(None, 1, b"early", early=True)])
        driver.loop_calls.drain()
        assert driver.left == [(b"early", 0)] and driver.journaling == 2
    finally:
        gate.set()
        driver.journal.queue.put(Last())
        thread.join(WAIT_S)
    assert not thread.is_alive()
    driver.loop_calls.drain()
    assert driver.left[1:] == [(b"first", 1), (b"second", 1)] and driver.journaling == 0
