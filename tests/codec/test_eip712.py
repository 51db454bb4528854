"""EIP-712 digests against eth_account, an implementation that is not ours."""

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.codec import eip712
from quorate.codec.bundle import encode_unsigned
from quorate.types.codes import Op
from tests.codec import values

HASHES = st.binary(min_size=32, max_size=32)


@given(
    values.OWNER, HASHES, st.integers(1, 2**63 - 1), values.U32, values.POSITIVE, values.POSITIVE
)
def test_the_digest_is_the_one_that_wallets_sign(
    command: c.Command, genesis: bytes, chain_id: int, account: int, nonce: int, expiry_ms: int
) -> None:
    unsigned = encode_unsigned(chain_id, account, nonce, c.encode_command(command), expiry_ms)
    domain = eip712.domain_of(chain_id, genesis, keccak)
    message = encode_typed_data(full_message=eip712.typed_message(unsigned, genesis))
    assert eip712.typed_digest(domain, unsigned) == _hash_eip191_message(message)


def test_a_wallet_shows_named_fields() -> None:
    command = c.Withdraw(1, b"\xab" * 20, 2_500_000)
    unsigned = encode_unsigned(77, 5, 1_700_000_000_000, c.encode_command(command), 9)
    shown = eip712.typed_message(unsigned, bytes(32))
    assert shown["primaryType"] == "Withdraw"
    assert shown["message"] == {
        "account": 5,
        "asset": 1,
        "amount": 2_500_000,
        "destination": "0x" + "ab" * 20,
        "nonce": 1_700_000_000_000,
        "bundleExpiresMs": 9,
    }
    assert shown["domain"]["chainId"] == 77
    assert eip712.struct_text(Op.WITHDRAW) == (
        b"Withdraw(uint32 account,uint32 asset,uint64 amount,address destination,"
        b"uint64 nonce,uint64 bundleExpiresMs)"
    )
    signed = Account.sign_typed_data(bytes([1] * 32), full_message=shown)
    domain = eip712.domain_of(77, bytes(32), keccak)
    assert bytes(signed.message_hash) == eip712.typed_digest(domain, unsigned)


@given(values.OWNER, st.data())
def test_no_two_items_share_a_message(command: c.Command, data: st.DataObject) -> None:
    unsigned = encode_unsigned(1, 2, 3, c.encode_command(command), 4)
    layout = eip712.STRUCTS[command.op].members
    member = data.draw(st.sampled_from(layout))
    at = data.draw(st.integers(member.offset, member.offset + member.width - 1))
    changed = bytearray(unsigned)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert eip712.encode_data(bytes(changed)) != eip712.encode_data(unsigned)


def test_every_field_of_an_owner_command_is_shown() -> None:
    with pytest.raises(AssertionError, match="shows every field"):
        eip712.struct(Op.WITHDRAW, "Withdraw", ("asset", "asset"))
