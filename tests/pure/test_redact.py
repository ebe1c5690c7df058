"""What an upstream's failure must not carry to a client, and that nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import json
from gateway.core.frames import Frame
from gateway.core.redact import Redaction, redact
from gateway.errors import UpstreamError, UpstreamRefusal
from tests.pure.invariants import read

Json = dict[str, Any]

KEY = "local-key-0123456789"
TOKEN = "eyJhbGciOi.payload.signature"


def redaction(*secrets: str) -> Redaction:
    return Redaction(secrets or (KEY,))


def data_of(frame: Frame) -> Json:
    """What a client reads: the bytes, not the object they were made from."""
    [again] = read(frame.raw)
    return again.data


@pytest.mark.proves("REDACT-shapes")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect API key provided: sk-proj-abc***xyz.", "Incorrect API key provided: [token]"),
        (f"token {TOKEN} expired", "token [token] expired"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer [token]"),
        ("not for jo.doe+x@mail.example.com, sorry", "not for [e-mail], sorry"),
        ("account acct_12345678 is over", "account [account] is over"),
        ("request 01234567-89ab-cdef-0123-456789abcdef", "request [id]"),
        ("Rate limit reached for gpt-5.5 in organization acme on tokens", "in organization [organization] on tokens"),
        ("the workspace named acme, is over", "the workspace named [organization], is over"),
    ],
)
def test_secrets_are_known_by_their_shape(text: str, shown: str) -> None:
    assert redact(text).endswith(shown)
    assert redaction().text(text) == redact(text)


@pytest.mark.proves("REDACT-shapes")
@pytest.mark.parametrize(
    "text", ["The model gpt-5.5 does not exist.", "Unsupported parameter: user_id", "organization must be verified", ""]
)
def test_plain_words_stay(text: str) -> None:
    assert redaction().text(text) == text


@pytest.mark.proves("REDACT-literals")
def test_what_was_sent_is_known_by_its_letters() -> None:
    assert redaction().text(f"refused {KEY}, yes {KEY}") == "refused [secret], yes [secret]"


@pytest.mark.proves("REDACT-literals")
def test_a_dummy_key_is_an_ordinary_word() -> None:
    assert redaction("none", "", "ollama").text("none of ollama's models") == "none of ollama's models"


@pytest.mark.proves("REDACT-errors")
def test_an_errors_texts_are_redacted_also_the_one_for_the_log() -> None:
    error = UpstreamError(f"bad {KEY}", code="upstream_bad_event", detail=f"seen {TOKEN}")
    assert redaction().error(error) is error
    assert (error.message, error.detail, error.code) == ("bad [secret]", "seen [token]", "upstream_bad_event")


@pytest.mark.proves("REDACT-errors")
@pytest.mark.parametrize(("body", "relayed"), [(b'{"error":{"message":"no"}}', True), (KEY.encode(), False)])
def test_a_refusal_with_a_secret_in_its_body_is_not_relayed_byte_for_byte(body: bytes, relayed: bool) -> None:
    error = UpstreamRefusal("no", status=400, kind="invalid_request_error", code=None, body=body)
    redaction().error(error)
    assert error.body == (body if relayed else None)


def test_a_refusal_without_a_body_of_its_own_stays_without() -> None:
    error = UpstreamRefusal("no", status=400, kind="invalid_request_error", code=None)
    redaction().error(error)
    assert error.body is None


@pytest.mark.proves("REDACT-frames")
@pytest.mark.parametrize(
    ("data", "shown"),
    [
        pytest.param(
            {"type": "error", "error": {"message": f"bad {KEY}", "code": "x", "param": None}},
            {"type": "error", "error": {"message": "bad [secret]", "code": "x", "param": None}},
            id="nested",
        ),
        pytest.param(
            {"type": "error", "message": f"bad {KEY}", "code": 7},
            {"type": "error", "message": "bad [secret]", "code": 7},
            id="flat",
        ),
        pytest.param(
            {"type": "response.failed", "response": {"id": "resp_1", "error": {"message": TOKEN}}},
            {"type": "response.failed", "response": {"id": "resp_1", "error": {"message": "[token]"}}},
            id="response",
        ),
        pytest.param({"error": {"message": KEY}}, {"error": {"message": "[secret]"}}, id="chat, without a type"),
        pytest.param({"error": f"bad {KEY}"}, {"error": "bad [secret]"}, id="a bare text"),
        pytest.param(
            {"error": {"message": "no", "metadata": {"raw": [KEY, 1, None]}}},
            {"error": {"message": "no", "metadata": {"raw": ["[secret]", 1, None]}}},
            id="deep inside",
        ),
        pytest.param(
            {"type": 7, "error": {"message": KEY}},
            {"type": 7, "error": {"message": "[secret]"}},
            id="a type of no text",
        ),
    ],
)
def test_failures_in_a_stream_are_redacted(data: Json, shown: Json) -> None:
    [frame] = redaction().frames(read(b"data: " + json.dumps(data) + b"\n\n"))
    assert data_of(frame) == shown


@pytest.mark.proves("REDACT-frames")
@pytest.mark.parametrize("data", [{"error": {"message": KEY}}, {"type": "error", "error": {"message": KEY}}])
def test_a_redacted_event_keeps_its_name(data: Json) -> None:
    [frame] = redaction().frames(read(b"event: error\ndata: " + json.dumps(data) + b"\n\n"))
    [again] = read(frame.raw)
    assert (frame.type, again.type) == ("error", "error")
    assert frame.typed is again.typed is ("type" in data)
    assert frame.raw == b"event: error\ndata: " + json.dumps({**data, "error": {"message": "[secret]"}}) + b"\n\n"


@pytest.mark.proves("REDACT-frames")
def test_frames_that_tell_no_failure_are_the_same_list() -> None:
    frames = read(
        b'data: {"type":"response.output_text.delta","delta":"the key \\"error\\" is ' + KEY.encode() + b'"}\n\n'
    )
    assert redaction().frames(frames) is frames


@pytest.mark.proves("REDACT-frames")
@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.completed","response":{"error":null}}',
        b'{"type":"response.failed","response":{"error":{"message":"out of order"}}}',
        b'{"type":"x","response":null,"error":5}',
        b'{"type":"response.failed","response":{"error":{"message":"cut',
        b'["error"]',
        b'{"type":"response.output_text.delta","delta":"error"}',
    ],
)
def test_a_frame_without_secrets_is_the_same_frame_whatever_it_holds(payload: bytes) -> None:
    [frame] = read(b"data: " + payload + b"\n\n")
    [passed] = redaction().frames([frame])
    assert passed is frame


@pytest.mark.proves("REDACT-frames")
def test_of_many_frames_only_the_one_with_the_secret_is_made_anew() -> None:
    frames = read(
        b'data: {"type":"response.in_progress","response":{"error":null}}\n\n'
        b'data: {"type":"error","error":{"message":"' + KEY.encode() + b'"}}\n\n'
    )
    first, second = redaction().frames(frames)
    assert first is frames[0]
    assert second.data == {"type": "error", "error": {"message": "[secret]"}}


@settings(max_examples=200, deadline=None)
@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_no_letters_around_a_secret_hide_it(before: str, after: str) -> None:
    assert KEY not in redaction().text(before + KEY + after)
    failure = {"type": "error", "error": {"message": before + KEY + after}}
    [frame] = redaction().frames(read(b"data: " + json.dumps(failure) + b"\n\n"))
    assert KEY.encode() not in frame.raw
