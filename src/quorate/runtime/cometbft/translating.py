"""ABCI's requests as events of the application, and its answers as ABCI's responses."""

import json
from collections.abc import Callable
from typing import Any, Final

import quorate
from quorate.codec.nesting import json_within
from quorate.commitment.proof import Proof, exported
from quorate.replica.application_messages import (
    AnswerToEngine,
    ApplicationEvent,
    Begin,
    Commit,
    Decide,
    Done,
    Failed,
    Info,
    Inform,
    Outcome,
    Prepare,
    Process,
    Proposal,
    Verdict,
)
from quorate.replica.validators import address_of
from quorate.runtime.cometbft.executing import Queried, Query
from quorate.runtime.cometbft.messages import (
    ED25519,
    ProcessProposalStatus,
    Response,
    validator_key,
    validator_update,
)
from quorate.runtime.cometbft.server import exception
from quorate.types.codes import Reject

NAME: Final = "quorate"
PROOF_TYPE: Final = "quorate-proof-1"
QUERY_REFUSED: Final = 1
QUESTION_BYTES_MAX: Final = 1 << 16


def time_ms(timestamp: Any) -> int:
    """Give a time in ms; what is finer is cut off."""
    return int(timestamp.seconds) * 1000 + int(timestamp.nanos) // 1_000_000


def members_of(commit: Any) -> dict[bytes, int]:
    """Give the validators of a block, by the commit in the next one: address -> power."""
    return {vote.validator.address: vote.validator.power for vote in commit.votes}


def begin_of(ticket: int, body: Any) -> Begin:
    """Read InitChain."""
    members, params = {}, body.consensus_params
    types = list(params.validator.pub_key_types)
    for update in body.validators:
        key_type, key = validator_key(update)
        types.append(key_type)
        if key_type == ED25519:
            members[address_of(key)] = update.power
    extended = max(
        params.abci.vote_extensions_enable_height,
        params.feature.vote_extensions_enable_height.value,
    )
    return Begin(
        ticket,
        body.initial_height,
        time_ms(body.time),
        body.app_state_bytes,
        members,
        set(types) == {ED25519},
        extended > 0,
        params.block.max_bytes,
    )


def decide_of(ticket: int, body: Any) -> Decide:
    """Read FinalizeBlock."""
    members = members_of(body.decided_last_commit)
    return Decide(ticket, body.height, time_ms(body.time), tuple(body.txs), members)


READERS: Final[dict[str, Callable[[int, Any], ApplicationEvent]]] = {
    "info": lambda ticket, body: Inform(ticket),
    "init_chain": begin_of,
    "prepare_proposal": lambda ticket, body: Prepare(ticket, tuple(body.txs), body.max_tx_bytes),
    "process_proposal": lambda ticket, body: Process(
        ticket, body.height, time_ms(body.time), tuple(body.txs)
    ),
    "finalize_block": decide_of,
    "commit": lambda ticket, body: Commit(ticket),
}


def response_of(kind: str, answer: AnswerToEngine) -> Any:
    """Write the application's answer to a request of that kind."""
    if isinstance(answer, Failed):
        return exception(answer.sentence)
    return WRITERS[type(answer)](kind, answer)


def info_written(kind: str, answer: Info) -> Any:
    """Write the answer to Info, or to InitChain, where the root is that of the genesis."""
    if kind == "init_chain":
        params = {"version": {"app": answer.version}}
        return Response(init_chain={"app_hash": answer.root, "consensus_params": params})
    return Response(
        info={
            "data": NAME,
            "version": quorate.__version__,
            "app_version": answer.version,
            "last_block_height": answer.height,
            "last_block_app_hash": answer.root,
        }
    )


def verdict_written(kind: str, answer: Verdict) -> Any:
    """Write the answer to ProcessProposal."""
    status = ProcessProposalStatus.REJECT if answer.fault else ProcessProposalStatus.ACCEPT
    return Response(process_proposal={"status": int(status)})


def outcome_written(kind: str, answer: Outcome) -> Any:
    """Write the answer to FinalizeBlock."""
    found: dict[str, Any] = {
        "app_hash": answer.root,
        "tx_results": [
            {"code": code, "data": data, "log": Reject(code).name if code else ""}
            for code, data in answer.results
        ],
        "validator_updates": [
            validator_update(change.key, change.power) for change in answer.changes
        ],
    }
    if answer.renewed:
        found["consensus_param_updates"] = {"version": {"app": answer.version}}
    return Response(finalize_block=found)


WRITERS: Final[dict[type[Any], Callable[[str, Any], Any]]] = {
    Info: info_written,
    Proposal: lambda kind, answer: Response(prepare_proposal={"txs": answer.transactions}),
    Verdict: verdict_written,
    Outcome: outcome_written,
    Done: lambda kind, answer: Response(commit={}),
}


def checked(code: int) -> Any:
    """Write the answer to CheckTx."""
    if not code:
        return Response(check_tx={"code": 0, "gas_wanted": 1})
    reject = Reject(code)
    return Response(check_tx={"code": code, "log": reject.name, "codespace": NAME})


# --- questions -----------------------------------------------------------------------------------
def question_of(ticket: int, body: Any) -> Query | str:
    """Read Query: the path says what is asked, the data holds its fields as JSON. Else: a fault."""
    what = body.path.strip("/")
    if len(body.data) > QUESTION_BYTES_MAX:
        return f"The data has more than {QUESTION_BYTES_MAX} bytes."
    try:
        fields = json_within(body.data or b"{}")
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return "The data must be a JSON object with the fields of the question, or empty."
    return Query(ticket, {**fields, "ask": what}, body.prove)


def query_refused(sentence: str, height: int = 0) -> Any:
    """Write the answer to a Query that has none."""
    refusal = {"code": QUERY_REFUSED, "log": sentence, "codespace": NAME, "height": height}
    return Response(query=refusal)


def queried(it: Queried, wanted: int) -> Any:
    """Write the answer to a Query. wanted: the height that was asked for, 0 for the last."""
    if wanted not in (0, it.height):
        sentence = f"This node answers for its last height alone, {it.height}."
        return query_refused(sentence, it.height)
    if "error" in it.answer:
        return query_refused(str(it.answer["error"]), it.height)
    value = json.dumps(it.answer, sort_keys=True, separators=(",", ":")).encode("ascii")
    found: dict[str, Any] = {"value": value, "height": it.height}
    if it.proof is not None:
        found["proof_ops"] = {"ops": [proof_op(it.proof)]}
    return Response(query=found)


def proof_op(proof: Proof) -> dict[str, Any]:
    """Write a proof. Its root is the app hash in the header of the next height."""
    return {"type": PROOF_TYPE, "key": proof.kind.encode("ascii"), "data": exported(proof)}
