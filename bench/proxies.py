"""The upstream and what stands before it: nginx as the yardstick, the gateway, and the plain proxy."""

from __future__ import annotations

import datetime
import getpass
import ipaddress
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.places import PLACES, Place
from bench.questions import KEY
from bench.servers import Server, free_port, start

_NGINX = """
{user}
worker_processes 1; worker_rlimit_nofile 8192; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; etag off; sendfile on; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_max_body_size 0; client_body_buffer_size 16m; open_file_cache max=100;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  {head}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /readyz {{ return 200 "ok"; }}
    {locations}
  }}
}}
"""


def make_certificate(directory: Path) -> Path:
    """A key and a certificate of it for 127.0.0.1, in one file that is also what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "codex-gateway bench")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = directory / "upstream.pem"
    path.touch(0o600)
    path.write_bytes(secret + certificate.public_bytes(encoding))
    return path


@dataclass(frozen=True)
class Upstream:
    """Who answers for the model servers: nginx what is in one piece, `bench.model` what is a stream."""

    files: Server
    model: Server
    certificate: Path

    def of(self, place: Place) -> Server:
        return self.model if place.deltas else self.files

    def written(self) -> int:
        """Events that the model server has written one by one so far."""
        return int(self.model.get("/count")[1])

    def stop(self) -> None:
        self.model.stop()
        self.files.stop()


def start_upstream(directory: Path) -> Upstream:
    """Both, each with a TLS port; the files are in `directory` / answers."""
    certificate = make_certificate(directory)
    port, tls_port = free_port(), free_port()
    command = [sys.executable, "-m", "bench.model", str(port), str(tls_port), str(certificate)]
    model = start("model", command, directory, port, ready="/count")
    model.tls_port = tls_port
    tls_port = free_port()
    tls = f"listen 127.0.0.1:{tls_port} ssl backlog=2048; "
    tls += f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    # A POST of a file gets what a GET would.
    root = directory / "answers"
    answer = f"location / {{ root {root}; default_type application/json; error_page 405 =200 $uri; }}"
    try:
        files = _nginx("upstream", directory / "upstream", "", [tls, answer])
    except BaseException:
        model.stop()
        raise
    files.tls_port = tls_port
    return Upstream(files, model, certificate)


def _nginx(name: str, directory: Path, head: str, locations: Iterable[str]) -> Server:
    directory.mkdir(exist_ok=True)
    port = free_port()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    text = _NGINX.format(user=user, directory=directory, port=port, head=head, locations="\n    ".join(locations))
    configuration = directory / "nginx.conf"
    configuration.write_text(text)
    return start(name, ["nginx", "-p", str(directory), "-c", str(configuration), "-g", "daemon off;"], directory, port)


def start_nginx(directory: Path, upstream: Upstream) -> Server:
    """The yardstick: one worker, connections to the upstream kept, streams passed on unbuffered, no log."""
    groups = {
        f"{server.name}{'tls' if tls else ''}": server.tls_port if tls else server.port
        for server in (upstream.files, upstream.model)
        for tls in (False, True)
    }
    head = "".join(
        f"upstream {name} {{ server 127.0.0.1:{port}; keepalive 1024; keepalive_requests 1000000000; }}\n  "
        for name, port in groups.items()
    )
    return _nginx("nginx", directory, head, (_location(place, upstream) for place in PLACES.values()))


def _location(place: Place, upstream: Upstream) -> str:
    to = f"{'https' if place.tls else 'http'}://{upstream.of(place).name}{'tls' if place.tls else ''}"
    kept = f"proxy_pass {to}; proxy_http_version 1.1; proxy_set_header Connection '';"
    return f"location /{place.name}/ {{ {kept} {'proxy_buffering off; ' if place.deltas else ''}}}"


def start_plain(directory: Path, upstream: Upstream) -> Server:
    """`bench/plain.py` under uvicorn with its defaults."""
    directory.mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.plain:app", "--port", str(port)]
    addresses = {"BENCH_FILES": upstream.files.address(), "BENCH_MODEL": upstream.model.address()}
    return start("plain", command, directory, port, environment=addresses)


def start_gateway(
    directory: Path, upstream: Upstream, *, name: str = "gateway", settings: dict[str, Any] | None = None
) -> Server:
    """The gateway with everything on: key, log lines to a file, metrics, usage rows and kept responses.

    `settings`: sections that are different.
    """
    directory.mkdir(exist_ok=True)
    port = free_port()
    providers = {place.name: _provider(place, upstream) for place in PLACES.values()}
    more = settings or {}
    everything: dict[str, Any] = {
        **more,
        "server": {"listen": f"127.0.0.1:{port}", **more.get("server", {})},
        "auth": {"downstream_api_key": KEY},
        "logging": {"output": "file", "format": "json"},
        "upstream": providers.pop("json"),
        "providers": providers,
    }
    path = directory / "config.yaml"  # JSON is YAML
    path.write_text(json.dumps(everything, indent=1))
    path.chmod(0o600)
    command = [sys.executable, "-m", "gateway", "serve", "--workdir", str(directory)]
    server = start(name, command, directory, port, environment={"SSL_CERT_FILE": str(upstream.certificate)})
    server.prefixed = False
    return server


def start_bare(directory: Path, upstream: Upstream) -> Server:
    """The gateway without its database: no usage rows."""
    return start_gateway(directory, upstream, name="bare", settings={"store": {"enabled": False}})


def start_two(directory: Path, upstream: Upstream) -> Server:
    """The gateway in two processes."""
    return start_gateway(directory, upstream, name="two", settings={"server": {"workers": 2}})


RAISED = {"body_bytes": 128 << 20, "event_bytes": 64 << 20, "open_item_bytes": 64 << 20, "response_bytes": 1 << 30}
"""`limits` of the gateway that does the long work: what the defaults would refuse is looked at as well."""


def start_raised(directory: Path, upstream: Upstream) -> Server:
    return start_gateway(directory, upstream, name="raised", settings={"limits": RAISED})


def _provider(place: Place, upstream: Upstream) -> dict[str, Any]:
    return {
        "mode": "openai_api",
        "base_url": f"{upstream.of(place).address(tls=place.tls)}/{place.name}/v1",
        "api_key": "sk-upstream",
        "dialects": [place.dialect],
        "server": "generic",
        "models": [place.name],
    }


STARTERS = {
    "nginx": start_nginx,
    "gateway": start_gateway,
    "plain": start_plain,
    "bare": start_bare,
    "two": start_two,
    "raised": start_raised,
}
