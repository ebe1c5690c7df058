"""What is promised of: http."""

from __future__ import annotations

from tests.promises import Promise

HTTP: dict[str, Promise] = {
    "HTTP-request-id": Promise(
        "design §5.3",
        "A sane X-Request-ID is kept, any other replaced by 32 hex characters; every answer has it, streams too.",
    ),
    "HTTP-log-line": Promise(
        "design §6",
        "Each request makes one log line: what was asked, how it ended, how long it took, what the handlers found out.",
    ),
    "HTTP-metrics": Promise(
        "design §5.3",
        "Requests, waits, tokens, streams, upstream answers, retries, refreshes and leavers are counted.",
    ),
    "HTTP-metrics-labels": Promise(
        "performance §7", "Metric labels are bounded; values that nobody listed become other."
    ),
    "HTTP-metrics-workers": Promise("performance §7", "Workers that share a directory report their sum."),
    "HTTP-metrics-key": Promise("design §5.3", "/metrics needs the key unless the listener is loopback."),
    "HTTP-slash": Promise("surfaces §B11", "A trailing slash is optional on every path, without a redirect."),
    "HTTP-host": Promise(
        "design §4",
        "A loopback listener answers only to loopback names and server.allowed_hosts; a public one to any name.",
    ),
    "HTTP-forged-post": Promise(
        "design §6", "A page of another site cannot post to a loopback listener without a key, not even blindly."
    ),
    "HTTP-cors": Promise(
        "design §4",
        "CORS is off by default; allowed origins get what they ask for, preflights need no key, * has no credentials.",
    ),
    "HTTP-websocket": Promise(
        "design §4", "A WebSocket passes the same layers; a refusal is the HTTP error, a bug closes the connection."
    ),
    "HTTP-envelope": Promise("translation §8.1", "Every error is the OpenAI envelope with its four keys and as JSON."),
    "HTTP-refusal-bytes": Promise("design §5.3", "A refusal of the upstream is relayed byte for byte."),
    "HTTP-method": Promise("translation §8.1", "A wrong method is 405 with Allow, in the envelope."),
    "HTTP-internal": Promise(
        "style §6", "A bug is a 500 without detail for the client and with a traceback in the log."
    ),
    "HTTP-cut": Promise("design §6", "An answer that fails after its start ends abnormally and never looks complete."),
    "HTTP-cancel": Promise("style §6", "Cancellation passes through the layers, and the request is still logged."),
    "HTTP-client-left": Promise(
        "design §6", "A client that leaves before its request is read gets no answer, and the log says so."
    ),
    "HTTP-key": Promise(
        "design §5.5",
        "Below /v1 only the configured Bearer key is let in; missing and wrong keys are told apart and never echoed.",
    ),
    "HTTP-open": Promise("design §5.5", "Without a configured key everybody is the operator."),
    "HTTP-public": Promise("design §5.5", "Health, readiness, the description and its pages need no key."),
    "HTTP-closed": Promise(
        "design §5.5",
        "A path that is not listed as public or private does not exist; below /v1 the key comes before the 404.",
    ),
    "HTTP-body": Promise("design §4", "A body is the join of its pieces, without a byte order mark."),
    "HTTP-body-limit": Promise(
        "design §4", "A body beyond limits.body_bytes is a 413, announced or not, and reading stops at once."
    ),
    "HTTP-body-left": Promise("design §6", "A client that leaves while sending is told apart from a short body."),
    "HTTP-encoding": Promise(
        "design §4", "zstd, gzip and deflate bodies are decompressed, also several encodings and members."
    ),
    "HTTP-encoding-unknown": Promise("design §4", "An unknown encoding is a 415 that names the known ones."),
    "HTTP-bomb": Promise("design §6", "A decompression bomb is refused when it has grown little beyond the limit."),
    "HTTP-corrupt": Promise("design §4", "Corrupt or cut compression is a 400."),
    "HTTP-json": Promise("design §5.3", "A body that is not a JSON object is a 400 that says what is wrong and where."),
    "HTTP-depth": Promise("design §4", "Nesting beyond limits.json_depth is a 400; brackets in strings do not count."),
    "HTTP-healthz": Promise(
        "surfaces §A1", "/healthz is ok without asking anybody; other methods are 405 with Allow and an empty body."
    ),
    "HTTP-head": Promise("surfaces §A1", "System paths take HEAD and refuse other methods with Allow."),
    "HTTP-readyz": Promise("design §5.3", "/readyz is 200 or 503 and names what fails by its code, nothing secret."),
    "HTTP-readyz-cache": Promise(
        "design §6", "/readyz asks the upstream once for probes that come together, and again after a few seconds."
    ),
    "HTTP-front": Promise(
        "design §5.3", "GET / is JSON for programs and a status page for browsers, without a secret."
    ),
    "HTTP-log-format": Promise(
        "design §6", "Log lines are text in a terminal and JSON elsewhere, and no value can break a line."
    ),
    "HTTP-log-level": Promise("design §5.2", "logging.level holds for our lines and for those of libraries."),
    "HTTP-log-libraries": Promise("design §6", "Lines of libraries and warnings go through the same pipeline."),
    "HTTP-log-output": Promise(
        "design §5.2",
        "logging.output chooses the streams and the file; a stream that cannot be written to fails no caller.",
    ),
    "HTTP-log-file": Promise("design §6", "Log files have mode 0600 in a directory of mode 0700."),
    "HTTP-log-rotation": Promise(
        "design §5.2",
        "A full log file is renamed; backups are limited by number and age and compressed on request.",
    ),
    "HTTP-log-secrets": Promise(
        "design §6", "Secrets are redacted in every log line by name and by shape, tracebacks included."
    ),
    "HTTP-log-alone": Promise("design §4", "Logging imports nothing else of the gateway."),
    "HTTP-not-http": Promise(
        "design §5.3", "What is not HTTP is refused in the envelope with a request id, and never inside another answer."
    ),
    "HTTP-head-bounds": Promise("design §6", "A request's headers are bounded in bytes and in time."),
    "HTTP-header-injection": Promise(
        "design §6", "A name or a value that would be read as more than one header is not sent, wherever it comes from."
    ),
    "HTTP-framing": Promise("design §4", "An answer tells where it ends, or ends the connection."),
    "HTTP-continue": Promise("design §4", "A client that asks before it sends its body is told to, once it is wanted."),
    "HTTP-body-held": Promise(
        "design §6", "Of a body that nobody receives about 1 MiB is held, in however small pieces it comes."
    ),
    "HTTP-keep-alive": Promise("design §4", "A connection that nobody uses is closed after its time, no other is."),
    "HTTP-pipelining": Promise("design §4", "Requests that come together are answered one by one, in their order."),
    "HTTP-one-task": Promise("design §6", "A request has a task of its own, and leaves nothing to the next."),
    "HTTP-shutdown": Promise("design §6", "A server that stops lets answers under way end, and closes behind them."),
    "HTTP-paths": Promise("design §4", "A request's target is told as path, path as it came, and query."),
    "HTTP-uvicorn": Promise("design §4", "Another version of uvicorn that would change what we rest on is noticed."),
    "CASE-150": Promise("translation §9", "An unknown URL is a JSON envelope with code unknown_url."),
}
