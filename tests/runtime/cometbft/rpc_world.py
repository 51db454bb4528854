"""A server that stands in for CometBFT's RPC: it answers what a test tells it to."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from quorate.commitment.comet_header import BlockId, SignedHeader, Time
from quorate.runtime.endpoint import Endpoint


class Refusal(Exception):
    """What the server answers with as an error of JSON-RPC."""


@contextmanager
def serving(respond: Callable[[bytes], bytes]) -> Iterator[Endpoint]:
    """Serve HTTP; `respond` makes a whole response, head and all, of a request's body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            response = respond(body)
            self.wfile.write(response)
            self.close_connection = b"\r\nConnection: close\r\n" in response

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Endpoint(host="127.0.0.1", port=server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    """Write a response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def json_rpc(
    method: Callable[[str, dict[str, Any]], Any], batch_max: int = 10**9
) -> Callable[[bytes], bytes]:
    """Answer as CometBFT does, one request or a batch, by what `method` returns or raises."""

    def one(request: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return {**head, "result": method(request["method"], request["params"])}
        except Refusal as refusal:
            return {**head, "error": {"code": -32603, "message": "e", "data": str(refusal)}}

    def respond(body: bytes) -> bytes:
        sent = json.loads(body)
        requests = sent if isinstance(sent, list) else [sent]
        if len(requests) > batch_max:
            words = f"batch request exceeds maximum ({batch_max}) allowed number of requests"
            error = {"code": -32600, "message": "Invalid Request", "data": words}
            return http(json.dumps({"jsonrpc": "2.0", "error": error}).encode())
        found = [one(request) for request in requests]
        answer = found[0] if len(found) == 1 else found
        return http(json.dumps(answer).encode())

    return respond


def time_tree(time: Time) -> str:
    """Write a time of this century as CometBFT does: no zeros at the end."""
    whole = datetime.fromtimestamp(time.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    nanos = f".{time.nanos:09d}".rstrip("0") if time.nanos else ""
    return f"{whole}{nanos}Z"


def block_id_tree(block_id: BlockId) -> dict[str, Any]:
    parts = {"total": block_id.parts_total, "hash": block_id.parts_hash.hex().upper()}
    return {"hash": block_id.hash.hex().upper(), "parts": parts}


def commit_tree(signed: SignedHeader) -> dict[str, Any]:
    """Write a signed header as the RPC's answer to commit."""
    of = signed.header
    names = (
        "last_commit_hash", "data_hash", "validators_hash", "next_validators_hash",
        "consensus_hash", "app_hash", "last_results_hash", "evidence_hash", "proposer_address",
    )  # fmt: skip
    votes = [
        {
            "block_id_flag": vote.flag,
            "validator_address": "",
            "timestamp": time_tree(vote.time) if vote.signature else "0001-01-01T00:00:00Z",
            "signature": base64.b64encode(vote.signature).decode() or None,
        }
        for vote in signed.signatures
    ]
    header = {
        "version": {"block": str(of.version_block), "app": str(of.version_app)},
        "chain_id": of.chain_id,
        "height": str(of.height),
        "time": time_tree(of.time),
        "last_block_id": block_id_tree(of.last_block_id),
        **{name: getattr(of, name).hex().upper() for name in names},
    }
    commit = {
        "height": str(of.height),
        "round": signed.round,
        "block_id": block_id_tree(signed.block_id),
        "signatures": votes,
    }
    return {"signed_header": {"header": header, "commit": commit}, "canonical": True}


def status_tree(height_last: int) -> dict[str, Any]:
    return {
        "node_info": {"network": "venue", "version": "0.38.26"},
        "sync_info": {
            "latest_block_height": str(height_last),
            "latest_app_hash": "",
            "catching_up": False,
        },
    }
