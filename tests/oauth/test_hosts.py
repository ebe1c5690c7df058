"""Which hosts a token may be sent to."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from gateway.oauth.hosts import TokenHostRefused, may_receive_token, require_token_host

PIECES = (
    *("https://", "http://", "chatgpt.com", "openai.com", "evil.com", "localhost", "127.0.0.1", "[::1]", "443"),
    *("%2e", "xn--", "a", *".@:/\\?#%&=[] \t\u3002"),
)
EXTRA = ("proxy.example.com", "other.example.com:8443", "[2001:db8::1]:9443")


@pytest.mark.proves("OAUTH-hosts")
@pytest.mark.parametrize(
    "url",
    [
        "https://openai.com/x",
        "https://auth.openai.com/oauth/token",
        "https://chatgpt.com/backend-api/codex/responses",
        "https://a.b.chatgpt.com",
        "https://CHATGPT.com/",
        "https://chatgpt.com:443/",
        "http://127.0.0.1:8080/x",
        "http://127.9.8.7/",
        "https://127.0.0.1",
        "http://localhost:1455",
        "http://LOCALHOST",
        "http://[::1]:8080/",
        "https://proxy.example.com/v1",
        "https://Proxy.Example.Com/v1",
        "https://other.example.com:8443/",
        "https://[2001:db8::1]:9443/",
    ],
)
def test_host_may_receive_a_token(url: str) -> None:
    assert may_receive_token(url, EXTRA)


@pytest.mark.proves("OAUTH-hosts")
@pytest.mark.parametrize(
    "url",
    [
        "http://chatgpt.com/",
        "https://chatgpt.com.evil.com/",
        "https://evilchatgpt.com/",
        "https://chatgpt.com@evil.com/",
        "https://chatgpt.com:443@evil.com/",
        "https://user:pw@chatgpt.com/",
        "https://evil.com/chatgpt.com",
        "https://evil.com?chatgpt.com",
        "https://evil.com#.chatgpt.com",
        "https://evil.com\\.chatgpt.com/",
        "https://evil.com\\@chatgpt.com/",
        "https://chatgpt.com./",
        "https://.chatgpt.com/",
        "https://a..chatgpt.com/",
        "https://chatgpt.com:8443/",
        "https://chatgpt.com:/",
        "https://chatgpt.com:99999/",
        "https://chatgpt.com:4４3/",
        "https://chatgpt.com%2eevil.com/",
        "https://chatgpt。com/",
        "https://chаtgpt.com/",
        "https://xn--chtgpt-2fg.com/",
        "https://chatgpt.com\t.evil.com/",
        "https://chatgpt.com\n/",
        " https://chatgpt.com/",
        "https:chatgpt.com",
        "//chatgpt.com/",
        "chatgpt.com",
        "ftp://chatgpt.com/",
        "wss://chatgpt.com/",
        "http://127.0.0.1.evil.com/",
        "http://localhost.evil.com/",
        "http://localhost./",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1%25eth0]/",
        "http://10.0.0.1/",
        "http://proxy.example.com/",
        "https://proxy.example.com:8443/",
        "https://other.example.com/",
        "https://sub.proxy.example.com/",
        "https://[2001:db8::1]/",
        "https://",
        "",
    ],
)
def test_host_may_not_receive_a_token(url: str) -> None:
    assert not may_receive_token(url, EXTRA)


@pytest.mark.parametrize("entry", ["", "a/b", "user@proxy.example.com", "*", "https://proxy.example.com"])
def test_entries_that_are_no_hosts_allow_nothing(entry: str) -> None:
    assert not may_receive_token("https://proxy.example.com/", (entry,))


@pytest.mark.proves("OAUTH-hosts")
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@limits(max_examples=200)
def test_allowed_addresses_lead_the_http_client_to_allowed_hosts(url: str) -> None:
    if may_receive_token(url, ()):
        host = httpx2.URL(url).host
        assert host in ("localhost", "127.0.0.1", "::1") or (
            httpx2.URL(url).scheme == "https" and f".{host}".endswith((".chatgpt.com", ".openai.com"))
        )


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://proxy.corp:8080/secret?token=x", "'proxy.corp:8080'"),
        ("https://proxy.corp/secret", "'proxy.corp'"),
        ("https://[2001:db8::2]:1/", "'[2001:db8::2]:1'"),
    ],
)
def test_refusal_names_the_setting_and_the_entry_to_add(url: str, entry: str) -> None:
    with pytest.raises(TokenHostRefused) as refused:
        require_token_host(url, ())
    assert "oauth.token_hosts" in refused.value.message
    assert entry in refused.value.message
    assert "secret" not in refused.value.message
