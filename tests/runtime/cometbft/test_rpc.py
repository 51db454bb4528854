"""CometBFT's RPC: what real nodes answered, and answers that nobody should give."""

import asyncio
import base64
import gzip
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.commitment.comet_header import Time
from quorate.runtime.cometbft import answers, rpc
from quorate.runtime.cometbft.answers import AnswerInvalid, Verdict
from quorate.runtime.cometbft.rpc import Rpc, RpcFailed, RpcRefused, asked_once
from quorate.runtime.endpoint import Endpoint
from tests.commitment.comet_world import RECORDED
from tests.runtime.cometbft.rpc_world import Refusal, http, json_rpc, serving, status_tree

Found = TypeVar("Found")
SIGNED = RECORDED["signed_headers"][1]


def asking(
    respond: Callable[[bytes], bytes], ask: Callable[[Rpc], Awaitable[Found]], timeout_s: float = 5
) -> Found:
    async def run(endpoint: Endpoint) -> Found:
        async with Rpc(endpoint, timeout_s) as client:
            return await ask(client)

    with serving(respond) as endpoint:
        return asyncio.run(run(endpoint))


# --- what is asked ------------------------------------------------------------------------------


def test_answers_of_real_nodes_are_read() -> None:
    def method(name: str, given: dict[str, Any]) -> Any:
        if name == "status":
            return RECORDED["status"][0]
        if name == "blockchain":
            assert given == {"minHeight": "11", "maxHeight": "13"}
            return RECORDED["blockchain"][0]
        assert given.pop("height") == "60"
        if name == "commit":
            return SIGNED["commit"]
        assert (name, given) == ("validators", {"page": "1", "per_page": "100"})
        return SIGNED["validators"]

    async def ask(client: Rpc) -> None:
        status = await client.status()
        assert (status.height_last, status.version, status.catching_up) == (48, "0.38.26", False)
        signed = await client.commit(60)
        assert (signed.header.height, signed.round, len(signed.signatures)) == (60, 1, 4)
        assert [it.power for it in await client.validators(60)] == [10, 8, 5, 5]
        assert await client.app_hashes(11, 13) == [bytes(8)] * 3

    assert SIGNED["commit"]["signed_header"]["header"]["height"] == "60"
    asking(json_rpc(method), ask)


def test_validators_and_headers_come_in_pages() -> None:
    entry = SIGNED["validators"]["validators"][0]
    meta = RECORDED["blockchain"][1]["block_metas"][0]

    def method(name: str, given: dict[str, Any]) -> Any:
        if name == "validators":
            count = {"1": 100, "2": 100, "3": 50}[given["page"]]
            return {"validators": [entry] * count, "total": "250", "count": str(count)}
        low, high = int(given["minHeight"]), int(given["maxHeight"])
        assert high - low < 20
        metas = []
        for height in range(high, low - 1, -1):
            other = deepcopy(meta)
            other["header"].update(height=str(height), app_hash=f"{height:016x}")
            metas.append(other)
        return {"block_metas": metas}

    assert len(asking(json_rpc(method), lambda client: client.validators(7))) == 250
    hashes = asking(json_rpc(method), lambda client: client.app_hashes(5, 49))
    assert hashes == [height.to_bytes(8, "big") for height in range(5, 50)]


@pytest.mark.parametrize(("given", "total"), [(0, 1), (3, 2), (1, 10_001)])
def test_a_wrong_count_of_validators_ends_it(given: int, total: int) -> None:
    tree = {"validators": SIGNED["validators"]["validators"][:given], "total": str(total)}
    with pytest.raises(RpcFailed, match="validators, and says"):
        asking(json_rpc(lambda *_: tree), lambda client: client.validators(7))


def test_another_height_than_asked_for_is_refused() -> None:
    with pytest.raises(RpcFailed, match="another height than 61"):
        asking(json_rpc(lambda *_: SIGNED["commit"]), lambda client: client.commit(61))
    with pytest.raises(RpcFailed, match="lacks headers"):
        tree = RECORDED["blockchain"][0]
        asking(json_rpc(lambda *_: tree), lambda client: client.app_hashes(10, 13))


def test_an_error_of_comet_is_a_refusal_with_its_words() -> None:
    for error in RECORDED["errors"]:
        answer = json.dumps({**error, "id": 0}).encode()
        response = http(answer, "500 Internal Server Error")
        with pytest.raises(RpcRefused) as caught:
            asking(lambda _, response=response: response, lambda client: client.commit(99999))
        assert caught.value.code == -32603
        assert "must be less than or equal to the current blockchain height" in caught.value.data
        assert str(caught.value).endswith(f"refuses: {caught.value.data}.")


def test_words_from_outside_become_one_short_line() -> None:
    def refused(*_: Any) -> Any:
        raise Refusal("a\nb\x1b[2J" + "c" * 10_000)

    with pytest.raises(RpcRefused) as caught:
        asking(json_rpc(refused), lambda client: client.status())
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


# --- bad answers --------------------------------------------------------------------------------

GOOD = json.dumps({"jsonrpc": "2.0", "id": 0, "result": status_tree(9)}).encode()


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (http(b"<html>Bad Gateway</html>", "502 Bad Gateway"), "no JSON, HTTP status 502"),
        (http(b""), "no JSON"),
        (http(GOOD[:-1]), "no JSON"),
        (http(b"[" * 100_000), "no JSON"),
        (http(b"9" * 5000), "no JSON"),
        (http(b"\xff\xfe"), "no JSON"),
        (http(gzip.compress(GOOD)), "no JSON"),
        (http(b"null"), "no JSON-RPC"),
        (http(b"[]"), "no JSON-RPC"),
        (http(b"{}"), "no JSON-RPC"),
        (http(GOOD.replace(b'"id": 0', b'"id": 1')), "no JSON-RPC"),
        (http(GOOD.replace(b'"id": 0', b'"error": 7, "id": 0')), "no JSON-RPC"),
        (http(b'{"id":0,"result":null}'), "cannot be used: it has no sync_info.catching_up"),
        (http(GOOD.replace(b'"9"', b"9")), "latest_block_height is not an integer"),
        (http(GOOD.replace(b'"9"', b'"-9"')), "latest_block_height is not an integer"),
        (http(GOOD.replace(b'"9"', b'"09"')), "latest_block_height is not an integer"),
        (http(GOOD.replace(b"false", b"0")), "catching_up is not true or false"),
        (http(GOOD)[:-5], "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "cannot be reached"),
        (b"\x00\x01\x02\x03\r\n\r\n", "cannot be reached"),
        (b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "307"),
    ],
)
def test_a_bad_answer_is_one_sentence(response: bytes, words: str) -> None:
    closing = response.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    with pytest.raises(RpcFailed) as caught:
        asking(lambda _: closing, lambda client: client.status())
    said = str(caught.value)
    assert words in said
    assert said.startswith("CometBFT's RPC at tcp:127.0.0.1:") and "\n" not in said


def test_a_huge_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "ANSWER_BYTES_MAX", 1000)
    with pytest.raises(RpcFailed, match="answers with more than 1000 bytes"):
        asking(lambda _: http(GOOD + b" " * 2000), lambda client: client.status())
    zipped = gzip.compress(GOOD + b" " * 100_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(zipped)}\r\n\r\n"
    with pytest.raises(RpcFailed, match="answers with more than 1000 bytes"):
        asking(lambda _: head.encode() + zipped, lambda client: client.status())


def test_nobody_there_and_nobody_who_answers() -> None:
    with serving(lambda _: b"") as endpoint:
        pass
    with pytest.raises(RpcFailed, match="cannot be reached"):
        asked_once(endpoint, Rpc.status)
    for host in ("no.such.host.invalid", "a..b", "x y", "["):
        with pytest.raises(RpcFailed, match="cannot be reached"):
            asked_once(Endpoint(host=host, port=1), Rpc.status)
    with pytest.raises(RpcFailed, match="cannot be reached"):
        asked_once(Endpoint(path="no/such/socket"), Rpc.status)
    with pytest.raises(RpcFailed, match=r"has not answered within 0.2 s"):
        asking(lambda _: b"HTTP/1.1 200 OK\r\n", lambda client: client.status(), timeout_s=0.2)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6),
    st.sampled_from(["0", "-1", "00", "1" * 30, "zz", "=", "2026-02-30T00:00:00Z"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.none()),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_strict_reading_raises_nothing_else(data: st.DataObject) -> None:
    read, tree = data.draw(
        st.sampled_from([
            (answers.signed_header_read, SIGNED["commit"]),
            (answers.validators_read, SIGNED["validators"]),
            (answers.headers_read, RECORDED["blockchain"][0]),
            (answers.status_read, RECORDED["status"][1]),
            (answers.verdict_read, {"code": 1, "log": "x"}),
        ])
    )  # fmt: skip
    whole = inner = deepcopy(tree)
    while True:
        keys = sorted(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(inner[key], dict | list) and inner[key]
        if not deeper or data.draw(st.integers(0, 3)) == 0:
            break
        inner = inner[key]
    if isinstance(inner, dict) and data.draw(st.booleans()):
        del inner[key]
    else:
        inner[key] = data.draw(VALUES)
    try:
        read(whole)
    except AnswerInvalid as invalid:
        assert str(invalid)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", Time(0, 0)),
        ("1969-12-31T23:59:59.999999999Z", Time(-1, 999_999_999)),
        ("2024-02-29T12:00:00.5Z", Time(1_709_208_000, 500_000_000)),
        ("0001-01-01T00:00:00Z", Time(-62_135_596_800, 0)),
        ("9999-12-31T23:59:59Z", Time(253_402_300_799, 0)),
    ],
)
def test_times_are_read(text: str, time: Time) -> None:
    assert answers.time_read({"time": text}, "time") == time


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z",
     "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z",
     "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+01:00",
     "2026-01-0\u0661T00:00:00Z", None, 7],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: Any) -> None:
    with pytest.raises(AnswerInvalid):
        answers.time_read({"time": text}, "time")


# --- transactions -------------------------------------------------------------------------------


class Pool:
    """Takes what starts with `t`, refuses the rest: some by a code, some by an error."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def __call__(self, name: str, given: dict[str, Any]) -> Any:
        assert name == "broadcast_tx_sync"
        tx = base64.b64decode(given["tx"], validate=True)
        if tx.startswith(b"full"):
            raise Refusal("mempool is full")
        self.taken.append(tx)
        return {"code": 0 if tx.startswith(b"t") else 7, "log": str(len(tx)), "hash": ""}


def test_a_transaction_is_handed_in() -> None:
    pool = Pool()
    assert asking(json_rpc(pool), lambda it: it.broadcast(b"t\0\xff")) == Verdict(0, "3")
    assert asking(json_rpc(pool), lambda it: it.broadcast(b"")) == Verdict(7, "0")
    assert pool.taken == [b"t\0\xff", b""]
    with pytest.raises(RpcRefused, match="mempool is full"):
        asking(json_rpc(pool), lambda it: it.broadcast(b"full"))


@pytest.mark.parametrize(
    ("log", "codespace", "verdict"),
    [
        ("", "", Verdict(2, "")),
        ("NONCE_ALREADY_USED: it's ', codespace='x' too", "", None),
        ("two\nlines", "quorate", Verdict(2, "two\nlines")),
        ("x" * 10_000, "", Verdict(2, "x" * 4096)),
    ],
)
def test_a_verdict_that_v1_gives_as_an_error_is_a_verdict(
    log: str, codespace: str, verdict: Verdict | None
) -> None:
    """The words are those of a node of v1.0.1; v0.38 answers with code and log."""

    def refused(*_: Any) -> Any:
        raise Refusal(
            f"broadcast error on transaction validation: tx {'60E93F2C' * 8} is invalid: code=2, "
            f"data=, log='{log}', codespace='{codespace}'"
        )

    wanted = verdict or Verdict(2, log)
    assert asking(json_rpc(refused), lambda it: it.broadcast(b"tx")) == wanted
    for count in (1, 2):
        txs = [b"t"] * count
        found = asking(json_rpc(refused), lambda it, txs=txs: it.broadcast_many(txs))
        assert found == [wanted] * count


@pytest.mark.parametrize("code", ["4294967296", "-1", "\u0662", ""])
def test_a_code_that_is_none_is_a_refusal(code: str) -> None:
    words = f"tx {'0' * 64} is invalid: code={code}, data=, log='', codespace=''"
    assert answers.invalid_read(words) is None


def test_many_arrive_in_order_and_each_has_its_own_verdict() -> None:
    pool = Pool()
    txs = [f"{'tx'[n % 2]}{n}".encode() for n in range(1000)]
    txs[500] = b"full"
    found = asking(json_rpc(pool), lambda it: it.broadcast_many(txs))
    assert pool.taken == txs[:500] + txs[501:]
    assert isinstance(found[500], RpcRefused) and found[500].data == "mempool is full"
    for at, verdict in enumerate(found):
        if at != 500:
            assert verdict == Verdict(7 * (at % 2), str(len(txs[at])))


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("batch_max", [1, 10, 999])
def test_a_node_that_allows_fewer_in_a_batch_gets_fewer(batch_max: int, lanes: int) -> None:
    pool = Pool()
    txs = [f"t{n}".encode() for n in range(600)]
    found = asking(json_rpc(pool, batch_max), lambda it: it.broadcast_many(txs, lanes))
    assert found == [Verdict(0, str(len(tx))) for tx in txs]
    assert sorted(pool.taken) == sorted(txs)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([0, 200, 3_400]), max_size=600)
    | st.lists(st.sampled_from([200, 300_000, 674_900, 675_100, 2_000_000]), max_size=12)
)
def test_batches_are_bounded_and_hold_all(sizes: list[int]) -> None:
    txs = [bytes(size) for size in sizes]
    cut = list(Rpc(Endpoint(host="h", port=1)).batches(txs))
    assert [at for first, size in cut for at in range(first, first + size)] == list(range(len(txs)))
    for first, size in cut:
        assert 0 < size <= rpc.BATCH_MAX
        if size > 1:
            group = txs[first : first + size]
            sent = [rpc.broadcast_request(tx, at) for at, tx in enumerate(group)]
            assert len(f"[{','.join(sent)}]") < 1_000_000


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"[]", "does not answer each of 3"),
        (b"7", "does not answer each of 3"),
        (b"{}", "no JSON-RPC"),
        (b'{"id":0,"result":{"code":0,"log":""}}', "does not answer each of 3"),
        (b'[{"id":0},{"id":1},{"id":2}]', "no JSON-RPC"),
        (b"[1,[],null]", "no JSON-RPC"),
        (b'{"error":{"data":"batch request exceeds maximum (3)"}}', "exceeds maximum"),
        (b'{"error":{"data":"batch request exceeds maximum (0)"}}', "exceeds maximum"),
        (b'{"error":{"data":{"x":[]}}}', "refuses"),
        (b"<html>", "no JSON"),
    ],
)
def test_a_bad_answer_to_a_batch_fails_each_of_it(answer: bytes, words: str) -> None:
    found = asking(lambda _: http(answer), lambda it: it.broadcast_many([b"a", b"b", b"c"]))
    assert len(found) == 3
    for failed in found:
        assert isinstance(failed, RpcFailed) and words in str(failed)


def test_answers_that_change_places_are_noticed() -> None:
    def respond(body: bytes) -> bytes:
        results = [{"id": it["id"], "result": {"code": 0, "log": ""}} for it in json.loads(body)]
        return http(json.dumps(results[::-1]).encode())

    found = asking(respond, lambda it: it.broadcast_many([b"a", b"b"]))
    assert [type(each) for each in found] == [RpcFailed, RpcFailed]
