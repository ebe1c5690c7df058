"""https: who is trusted, and that everything works the same behind TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.upstreams.http1 import HTTP1Transport
from gateway.upstreams.http1.connection import HIGH_WATER
from gateway.upstreams.http1.exchange import Exchange
from gateway.upstreams.transport import build_transport
from tests.upstreams.http1.outcomes import places
from tests.upstreams.http1.server import Client, listening
from tests.upstreams.http1.wire import request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Trust:
    """A certificate for localhost and 127.0.0.1, signed by nobody but itself."""

    certificate: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server.set_alpn_protocols(["h2", "http/1.1"])
    return Trust(folder / "certificate.pem", server)


@pytest.fixture
def trusting(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> HTTP1Transport:
    """A transport that trusts what `SSL_CERT_FILE` names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trust.certificate))
    made = build_transport(proxy_url="", connections=5, trust_environment=True)
    assert isinstance(made, HTTP1Transport)
    return made


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.proves("TRANSPORT-tls")
async def test_a_trusted_server_is_spoken_to_and_kept(host: str, trust: Trust, trusting: HTTP1Transport) -> None:
    spoken: list[str | None] = []

    async def script(client: Client) -> None:
        spoken.append(client.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        while await client.request() is not None:
            await client.say(OK)

    async with listening(script, context=trust.server) as server:
        for _ in range(3):
            response = await trusting.handle_async_request(request("GET", server.url(scheme="https", host=host)))
            assert await response.aread() == b"ok"
        assert (server.came, spoken, places(trusting)) == (1, ["http/1.1"], (1, 1))
        await trusting.aclose()


@pytest.mark.proves("TRANSPORT-tls")
async def test_a_server_that_nobody_trusts_is_refused(trust: Trust) -> None:
    sender = build_transport(proxy_url="", connections=5)
    async with listening(Client.left, context=trust.server) as server:
        with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
            await sender.handle_async_request(request("GET", server.url(scheme="https")))
        await sender.aclose()
        assert places(sender) == (0, 0)


@pytest.mark.proves("TRANSPORT-tls")
async def test_a_trusted_server_of_another_name_is_refused(trust: Trust, trusting: HTTP1Transport) -> None:
    async with listening(Client.left, context=trust.server, host="127.0.0.2") as server:
        with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
            await trusting.handle_async_request(request("GET", server.url(scheme="https", host="127.0.0.2")))
        await trusting.aclose()


@pytest.mark.proves("TRANSPORT-tls", "TRANSPORT-timeouts")
async def test_a_server_that_never_shakes_hands_is_a_connect_timeout(trusting: HTTP1Transport) -> None:
    asked = None
    async with listening(Client.left) as server:
        asked = request("GET", server.url(scheme="https"))
        asked.extensions["timeout"] = {"connect": 0.05}
        with pytest.raises(httpx2.ConnectTimeout):
            await trusting.handle_async_request(asked)
        assert places(trusting) == (0, 0)
        await trusting.aclose()


@pytest.mark.proves("TRANSPORT-tls")
async def test_a_server_without_tls_is_a_connect_error(trusting: HTTP1Transport) -> None:
    async def script(client: Client) -> None:
        await client.reader.read(10)
        await client.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(script) as server:
        with pytest.raises(httpx2.ConnectError):
            await trusting.handle_async_request(request("GET", server.url(scheme="https")))
        await trusting.aclose()


@pytest.mark.proves("TRANSPORT-tls", "TRANSPORT-backpressure")
async def test_a_slow_reader_stops_a_server_behind_tls(trust: Trust, trusting: HTTP1Transport) -> None:
    size, sent = 30_000_000, 0

    async def script(client: Client) -> None:
        nonlocal sent
        await client.request()
        client.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            client.writer.write(b"x" * 100_000)
            await client.writer.drain()
            sent += 100_000
        await client.left()

    async with listening(script, context=trust.server) as server:
        response = await trusting.handle_async_request(request("GET", server.url(scheme="https")))
        stream = response.stream
        assert isinstance(stream, Exchange)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert sent < size * 2 / 3 and stream.held < 4 * HIGH_WATER
        read = 0
        async for piece in stream:
            read += len(piece)
            assert stream.held < 4 * HIGH_WATER
        assert read == size
        await trusting.aclose()


@pytest.mark.parametrize("end", ["orderly", "abrupt"])
@pytest.mark.proves("TRANSPORT-tls")
async def test_an_answer_cut_off_behind_tls_is_an_error(end: str, trust: Trust, trusting: HTTP1Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        if end == "orderly":
            client.writer.close()
            await client.left()
        else:
            client.writer.transport.abort()

    async with listening(script, context=trust.server) as server:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await (await trusting.handle_async_request(request("GET", server.url(scheme="https")))).aread()
        await trusting.aclose()
        assert places(trusting) == (0, 0)
