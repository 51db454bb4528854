"""The execution thread under CometBFT: what goes first, and what it says of a block."""

import threading
from typing import Any

from quorate.replica.application_messages import Advise, Advised, Execute, Executed
from quorate.replica.ledger import Ledger, Ordered, Settings
from quorate.replica.messages import Answer, Asked, Halt
from quorate.runtime.cometbft.executing import Executing, Last
from tests.replica.comet import MEMBERS
from tests.replica.world import IDENTITY, NOW, executor_of, judged_batch

EMPTY = judged_batch()


def made(out: list[Any]) -> Executing:
    ledger = Ledger(executor_of(), Settings(IDENTITY, b"", b""), sign=lambda _: None)
    return Executing(ledger, lambda image: executor_of("spec", image), out.append)


def block(height: int) -> Execute:
    return Execute(Ordered(height, NOW, b"", EMPTY.rows, EMPTY.commands), MEMBERS)


def test_a_block_goes_before_all_questions() -> None:
    out: list[Any] = []
    executing = made(out)
    for number in range(5):
        executing.put(Asked(1, number, {"ask": "status"}))
    executing.put(block(1))
    executing.put(Advise(9, EMPTY.rows))
    executing.put(Last())
    executing.run()
    assert isinstance(out[0], Executed) and out[0].height == 1
    assert [type(it) for it in out[1:]] == [Answer] * 5 + [Advised]


def test_an_error_of_ours_halts_at_the_block_and_tells_no_root(monkeypatch: Any) -> None:
    out: list[Any] = []
    executing = made(out)

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(executing.ledger.executor, "execute", broken)
    executing.put(block(1))
    raised: list[type[BaseException]] = []

    def run() -> None:
        try:
            executing.run()
        except ZeroDivisionError as error:
            raised.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert raised == [ZeroDivisionError]
    (halt,) = out
    assert isinstance(halt, Halt) and halt.height == 1
