"""What is handed on when the gateway only passes a request through: paths, queries, headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.passing import asked, codings, covers, is_state, path_below, sound_query, told
from gateway.errors import InvalidRequest

PLAIN = st.text("abcXYZ019-._~:@!$&'()*+,=", min_size=1, max_size=8).filter(lambda text: text not in (".", ".."))


@pytest.mark.proves("PASS-paths")
@given(st.lists(PLAIN, min_size=1, max_size=4), st.data())
def test_a_path_means_the_same_however_it_is_encoded(segments: list[str], data: st.DataObject) -> None:
    encoded = [
        "".join(f"%{ord(char):02X}" if data.draw(st.booleans()) else char for char in segment) for segment in segments
    ]
    slashes = data.draw(st.sampled_from(["", "/", "//"]))
    assert path_below(f"/v1/{'/'.join(encoded)}{slashes}".encode()) == "/".join(segments)


@pytest.mark.proves("PASS-paths")
@pytest.mark.parametrize(
    "path",
    [
        "embeddings/../files",
        "embeddings/%2e%2e/files",
        "embeddings/.%2E/files",
        "embeddings/./x",
        "embeddings%2F..%2Ffiles",
        "embeddings%2ffiles",
        "embeddings/%252e%252e/files",
        "embeddings//files",
        "/embeddings",
        "embeddings/..;/files",
        "embeddings/..;x=1/files",
        "embeddings\\..\\files",
        "embeddings/%5c..%5cfiles",
        "embeddings/%00",
        "embeddings/a%0d%0ab",
        "embeddings/a%20b",
        "embeddings/%zz",
        "embeddings/%",
        "embeddings/%e2%80%8b",
        "..",
        "%2e%2e/admin",
        "",
    ],
)
def test_a_path_that_servers_could_read_differently_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        path_below(f"/v1/{path}".encode())
    assert caught.value.param == "path"


@pytest.mark.proves("PASS-paths")
@given(st.binary(max_size=40))
def test_what_comes_out_has_plain_segments_and_stays_below(tail: bytes) -> None:
    try:
        path = path_below(b"/v1/" + tail)
    except InvalidRequest:
        return
    assert path.isascii() and path.isprintable()
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not set("\\%;?# ") & set(path)


def test_a_query_passes_as_it_is_or_not_at_all() -> None:
    assert sound_query(b"limit=5&after=file%2F1&x[]=a+b") == b"limit=5&after=file%2F1&x[]=a+b"
    for query in (b"a b", b"a\r\nb", b"a#b", "ü".encode(), b"\x7f"):
        with pytest.raises(InvalidRequest):
            sound_query(query)


@pytest.mark.parametrize(
    ("allowed", "path", "expected"),
    [
        (["embeddings"], "embeddings", True),
        (["audio"], "audio/speech", True),
        (["audio/speech"], "audio/speech", True),
        (["audio/speech"], "audio/transcriptions", False),
        (["audio/speech"], "audio", False),
        (["file"], "files", False),
        (["*"], "anything/at/all", True),
        ([], "embeddings", False),
    ],
)
def test_an_allowed_path_covers_itself_and_what_is_below(allowed: list[str], path: str, expected: bool) -> None:
    assert covers(allowed, path) is expected


@pytest.mark.proves("PASS-headers")
def test_only_listed_headers_of_the_client_are_sent_on() -> None:
    sent = [
        (b"content-type", b"application/json"),
        (b"content-encoding", b"gzip"),
        (b"authorization", b"Bearer sk-client"),
        (b"cookie", b"a=b"),
        (b"openai-beta", b"x=v2"),
        (b"openai-organization", b"org-1"),
        (b"openai-project", b"proj-1"),
        (b"idempotency-key", b"k"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-stainless-lang", b"python"),
        (b"range", b"bytes=0-1"),
        (b"if-none-match", b'"a"'),
    ]
    passed = [b"content-type", b"openai-beta", b"idempotency-key", b"range", b"if-none-match"]
    assert [name for name, _ in asked(sent, encoded=False)] == passed
    assert [name for name, _ in asked(sent, encoded=True)] == [b"content-type", b"content-encoding", *passed[1:]]


@pytest.mark.proves("PASS-headers")
def test_only_listed_headers_of_the_server_are_told() -> None:
    headers = {
        "Content-Type": "audio/mpeg",
        "ETag": '"a"',
        "X-RateLimit-Remaining-Requests": "9",
        "openai-processing-ms": "12",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
        "openai-echo": "the key is sk-own-key!",
        "Set-Cookie": "a=b",
        "Server": "other",
        "Location": "https://elsewhere.example",
        "Transfer-Encoding": "chunked",
    }
    assert told(headers, ["sk-own-key", ""]) == {
        "content-type": "audio/mpeg",
        "etag": '"a"',
        "x-ratelimit-remaining-requests": "9",
        "openai-processing-ms": "12",
    }
    assert "openai-echo" in told(headers)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", ()),
        ("identity", ()),
        ("gzip, deflate, br, zstd", ("gzip", "deflate")),
        ("br;q=1.0, GZIP;q=0.5", ("gzip",)),
        ("gzip;q=0, deflate ; q=0.0", ()),
        ("gzip, gzip", ("gzip",)),
        ("*", ()),
    ],
)
def test_the_codings_an_answer_may_keep(accepted: str, expected: tuple[str, ...]) -> None:
    assert codings(accepted) == expected


@pytest.mark.proves("ELSEWHERE-theirs")
@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("responses/resp_1", True),
        ("responses/resp_1/cancel", True),
        ("responses/resp_1/input_items", True),
        ("conversations", True),
        ("conversations/conv_1", True),
        ("conversations/conv_1/items", True),
        ("conversations/conv_1/items/msg_1", True),
        ("chat/completions", True),
        ("chat/completions/chatcmpl-1", True),
        ("chat/completions/chatcmpl-1/messages", True),
        ("responses", False),
        ("responses/resp_1/else", False),
        ("conversations/conv_1/items/msg_1/else", False),
        ("conversations/conv_1/else", False),
        ("chat/completions/chatcmpl-1/messages/1", False),
        ("chat", False),
        ("files/responses/resp_1", False),
        ("completions/cmpl-1", False),
    ],
)
def test_paths_of_what_servers_keep_are_told_from_others(path: str, state: bool) -> None:
    assert is_state(path) is state
