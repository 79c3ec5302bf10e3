"""Signed webhooks: the Standard Webhooks layout, and a receiver's check that cannot be fooled."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Request, Response, Target, Verdict, View
from connectors.webhook import SPEC
from connectors.webhook.responses import read_response
from connectors.webhook.signature import sign, verify
from tests.connectors.views import NOW, REQUEST_ID, TARGET, full_view

SECRET = TARGET.secret
AT_S = NOW.timestamp()


def sent(view: View, target: Target = TARGET) -> Request:
    """The request for a view."""
    assert SPEC.translate_out is not None
    return SPEC.translate_out(view, target, now=NOW, request_id=REQUEST_ID)


def test_the_signature_is_that_of_the_standard() -> None:
    """HMAC-SHA256 over id.timestamp.body, worked out here by hand."""
    request = sent(full_view("referral_made"))
    signed = f"{REQUEST_ID}.{int(AT_S)}.".encode() + request.body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()

    assert request.headers["Webhook-Signature"] == f"v1,{expected}"
    assert request.headers["Webhook-Id"] == REQUEST_ID
    assert request.headers["Webhook-Timestamp"] == str(int(AT_S))
    assert request.headers["Webhook-Key-Id"] == "k1"


def test_a_receiver_accepts_what_we_send() -> None:
    """Header names may come in any case."""
    request = sent(full_view("referral_made"))
    headers = {name.upper(): text for name, text in request.headers.items()}

    assert verify(request.body, headers, SECRET, now_s=AT_S)


@given(st.data())
def test_any_change_of_the_body_is_noticed(data: st.DataObject) -> None:
    """One flipped bit anywhere, and the signature does not fit."""
    request = sent(full_view("referral_withdrawn"))
    body = bytearray(request.body)
    at = data.draw(st.integers(0, len(body) * 8 - 1))
    body[at // 8] ^= 1 << at % 8

    assert not verify(bytes(body), request.headers, SECRET, now_s=AT_S)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Webhook-Id", "c" * 32),
        ("Webhook-Timestamp", str(int(AT_S) + 1)),
        ("Webhook-Timestamp", "now"),
        ("Webhook-Timestamp", "9" * 40),
        ("Webhook-Signature", ""),
        ("Webhook-Signature", "v1,"),
        ("Webhook-Signature", "v1,not base64!"),
        ("Webhook-Signature", "v2,AAAA"),
    ],
)
def test_any_change_of_a_header_is_noticed(header: str, text: str) -> None:
    """Id, time and signature belong together."""
    headers = {**sent(full_view("referral_made")).headers, header: text}

    assert not verify(sent(full_view("referral_made")).body, headers, SECRET, now_s=AT_S)


@pytest.mark.parametrize("off_s", [-301, 301, 86_400])
def test_an_old_copy_is_no_proof(off_s: int) -> None:
    """A recorded request cannot be replayed after five minutes."""
    request = sent(full_view("referral_made"))

    assert not verify(request.body, request.headers, SECRET, now_s=AT_S + off_s)


def test_one_of_several_signatures_is_enough() -> None:
    """While a key is rotated, both stand side by side."""
    old, new = (
        sign(b"{}", message_id="1", at_s=int(AT_S), secret=secret) for secret in (b"old", b"new")
    )
    both = f"{old['Webhook-Signature']} {new['Webhook-Signature']}"
    headers = {**new, "Webhook-Signature": both, "Webhook-Id": "1"}

    assert verify(b"{}", headers, b"new", now_s=AT_S)
    assert verify(b"{}", headers, b"old", now_s=AT_S)
    assert not verify(b"{}", headers, b"other", now_s=AT_S)


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_no_headers_break_the_check(headers: dict[str, str], body: bytes) -> None:
    """A stranger may send anything: the answer is no, not an error."""
    assert not verify(body, headers, SECRET, now_s=AT_S)


def test_without_a_secret_nothing_is_signed() -> None:
    """Then the id still tells a repeat."""
    headers = sent(full_view("referral_made"), replace(TARGET, secret=b"")).headers

    assert set(headers) == {"Content-Type", "Webhook-Id"}


def test_the_document_is_canonical() -> None:
    """Sorted keys, no white space, instants as one text with the sender's offset."""
    view = full_view("referral_made")
    moment = {"utc": NOW, "offset": "+01:00"}
    view = replace(view, envelope={**view.envelope, "occurred_at": moment})

    body = sent(view).body
    document = json.loads(body)

    assert body.decode() == json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    assert document["envelope"]["occurred_at"] == "2026-11-22T15:02:11+01:00"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (202, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (409, Verdict.DELIVERED),
        (400, Verdict.REFUSED),
        (401, Verdict.REFUSED),
        (404, Verdict.REFUSED),
        (410, Verdict.REFUSED),
        (425, Verdict.RETRY),
        (302, Verdict.RETRY),
    ],
)
def test_the_status_is_the_verdict(status: int, verdict: Verdict) -> None:
    """As the README's table says."""
    response = Response(status=status, headers={}, body=b"")

    assert read_response(response, request_id=REQUEST_ID) is verdict
