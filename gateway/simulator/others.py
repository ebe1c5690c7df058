"""The routes of the OpenAI server that run no turns: embeddings, images, moderations, audio and files."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gateway.simulator.files import Files
from gateway.simulator.forms import Upload
from gateway.simulator.openai import error
from gateway.simulator.player import Answer, document
from gateway.simulator.scripts import Event, tokens
from gateway.simulator.shapes import Misshapen, Needed, Shape, Span, check
from gateway.simulator.turns import SSE

if TYPE_CHECKING:
    from gateway.simulator.app import Call, Simulator
    from gateway.simulator.scenario import Script

_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_IMAGES = ("gpt-image-2", "gpt-image-1", "dall-e-3", "dall-e-2")
_MODERATIONS = ("omni-moderation-latest", "text-moderation-latest")
_SPEAKERS = ("gpt-4o-mini-tts", "tts-1", "tts-1-hd")
_LISTENERS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")

_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # a PNG of 1×1
)
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
_VIOLENT = ("kill", "stab", "shoot")
_SOUNDS = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}

_EMBED: Shape = {
    "input": Needed((str, [(str, int, [int])])),
    "encoding_format": frozenset({"float", "base64"}),
    "dimensions": Span(int, 1, 3072),
}
_PAINT: Shape = {
    "prompt": Needed(str),
    "n": (Span(int, 1, 10), None),
    "stream": (bool, None),
    "partial_images": (Span(int, 0, 3), None),
}
_JUDGE: Shape = {"input": Needed((str, [(str, dict)]))}
_SPEAK: Shape = {
    "input": Needed(str),
    "voice": Needed((str, dict)),
    "response_format": frozenset({*_SOUNDS, "pcm"}),
    "stream_format": frozenset({"audio", "sse"}),
}


class OtherRoutes:
    """Handlers of the routes beside models, chat and responses."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self.files = Files(sim)

    def routes(self) -> list[tuple[str, str, str, Callable[[Call], Answer | None], Callable[..., Answer]]]:
        """Method, path, name, guard and handler of every route."""
        guard, files, one = self._sim.openai.guard, self.files, r"/v1/files/[^/]+"
        return [
            ("POST", r"/v1/embeddings", "openai.embeddings", guard, self.embeddings),
            ("POST", r"/v1/images/(generations|edits|variations)", "openai.images", guard, self.images),
            ("POST", r"/v1/moderations", "openai.moderations", guard, self.moderations),
            ("POST", r"/v1/audio/speech", "openai.speech", guard, self.speech),
            ("POST", r"/v1/audio/(transcriptions|translations)", "openai.transcriptions", guard, self.transcriptions),
            ("POST", r"/v1/files", "openai.files", guard, files.upload),
            ("GET", r"/v1/files", "openai.files", guard, files.page),
            ("GET", one, "openai.files", guard, files.read),
            ("DELETE", one, "openai.files", guard, files.delete),
            ("GET", rf"{one}/content", "openai.content", guard, files.content),
        ]

    def embeddings(self, call: Call, script: Script | None) -> Answer:
        """A vector of length one for each input, the same for the same text."""
        body = call.body
        problem = _problem(call, _EMBED, _DIMENSIONS)
        if problem:
            return problem
        given = body["input"]
        texts = given if isinstance(given, list) and not all(isinstance(part, int) for part in given) else [given]
        size = body.get("dimensions") or _DIMENSIONS[body["model"]]
        packed = body.get("encoding_format") == "base64"
        rows = []
        for index, text in enumerate(texts):
            vector = _vector(repr(text), size)
            value: Any = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if packed else vector
            rows.append({"object": "embedding", "index": index, "embedding": value})
        used = tokens(given)
        usage = {"prompt_tokens": used, "total_tokens": used}
        return document({"object": "list", "data": rows, "model": body["model"], "usage": usage})

    def images(self, call: Call, script: Script | None) -> Answer:
        """One pixel for each image that is asked for; edits and variations come as forms."""
        body = _numbered(call.body, ("n", "partial_images")) if isinstance(call.body, dict) else call.body
        wanted = _PAINT if not call.path.endswith("/variations") else {}
        problem = _problem(call, wanted, _IMAGES, body, default="gpt-image-2")
        if problem:
            return problem
        created = int(self._sim.clock())
        if body.get("stream"):
            kind = "image_edit" if call.path.endswith("/edits") else "image_generation"
            return Answer(200, dict(SSE), list(_painted(body, kind, created)), stream=True)
        data = [{"b64_json": _PIXEL} for _ in range(body.get("n") or 1)]
        return document({"created": created, "data": data, "usage": _image_usage(body)})

    def moderations(self, call: Call, script: Script | None) -> Answer:
        """Texts that speak of killing are flagged as violence."""
        body = call.body
        problem = _problem(call, _JUDGE, _MODERATIONS, default=_MODERATIONS[0])
        if problem:
            return problem
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        parts = [given] if any(isinstance(part, dict) for part in given) else [[text] for text in given]
        results = [_judgement(str(part).lower()) for part in parts]
        name = body.get("model") or _MODERATIONS[0]
        return document({"id": f"modr-{next(self._sim.ids):024x}", "model": name, "results": results})

    def speech(self, call: Call, script: Script | None) -> Answer:
        """Bytes that stand for sound, a piece a word; or events with them."""
        body = call.body
        problem = _problem(call, _SPEAK, _SPEAKERS)
        if problem:
            return problem
        pieces = [f"(simulated) {word} ".encode() for word in body["input"].split()]
        if body.get("stream_format") != "sse":
            kind = _SOUNDS.get(body.get("response_format", "mp3"), "application/octet-stream")
            return Answer(200, {"content-type": kind}, pieces=iter(pieces))
        used = tokens(body["input"])
        usage = {"input_tokens": used, "output_tokens": len(pieces), "total_tokens": used + len(pieces)}
        beats = [Event(None, {"type": "speech.audio.delta", "audio": base64.b64encode(p).decode()}) for p in pieces]
        return Answer(200, dict(SSE), [*beats, Event(None, {"type": "speech.audio.done", "usage": usage})], stream=True)

    def transcriptions(self, call: Call, script: Script | None) -> Answer:
        """Says which file it heard."""
        form = call.body
        problem = _problem(call, {}, _LISTENERS)
        if problem:
            return problem
        if not isinstance(form.get("file"), Upload):
            return error(400, "you must provide a file", "missing_required_parameter", "file")
        text = f"(simulated) {form['file'].name}, {form['file'].size} bytes"
        if form.get("stream") == "true":
            words = text.split(" ")
            deltas = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
            beats = [Event(None, {"type": "transcript.text.delta", "delta": delta}) for delta in deltas]
            return Answer(
                200, dict(SSE), [*beats, Event(None, {"type": "transcript.text.done", "text": text})], stream=True
            )
        if form.get("response_format") in ("text", "srt", "vtt"):
            return Answer(200, {"content-type": "text/plain; charset=utf-8"}, pieces=iter((text.encode(), b"\n")))
        return document({"text": text, "usage": {"type": "duration", "seconds": 1}})


def _problem(
    call: Call, shape: Shape, models: Mapping[str, int] | tuple[str, ...], body: Any = None, default: str | None = None
) -> Answer | None:
    """What is wrong with a body: unreadable, of another shape, without a model, or of one this route does not have."""
    body = call.body if body is None else body
    if call.unreadable or not isinstance(body, dict):
        return error(400, f"We could not parse the body of your request. {call.unreadable}".strip(), None)
    model = body.get("model", default)
    if not isinstance(model, str):
        return error(400, "you must provide a model parameter", "missing_required_parameter", "model")
    try:
        check(body, shape)
    except Misshapen as wrong:
        return error(400, str(wrong), wrong.code, wrong.path)
    if model not in models:
        text = f"The model `{model}` does not exist or cannot do this. (simulated)"
        return error(404, text, "model_not_found", "model")
    return None


def _numbered(form: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A form's numbers and truths as such; JSON has them already."""
    read = {name: int(form[name]) for name in names if isinstance(form.get(name), str) and form[name].isdecimal()}
    truths = {name: form[name] == "true" for name in ("stream",) if isinstance(form.get(name), str)}
    return {**form, **read, **truths}


def _vector(text: str, size: int) -> list[float]:
    """Numbers made of the text's hash, scaled to length one, as single floats have them."""
    raw = hashlib.shake_128(text.encode("utf-8", "replace")).digest(size)
    length = math.sqrt(sum((byte - 127.5) ** 2 for byte in raw))
    packed = struct.pack(f"<{size}f", *((byte - 127.5) / length for byte in raw))
    return list(struct.unpack(f"<{size}f", packed))


def _painted(body: dict[str, Any], kind: str, created: int) -> Iterator[Event]:
    looks = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    base = {"b64_json": _PIXEL, "created_at": created, **looks}
    for index in range(body.get("partial_images") or 0):
        name = f"{kind}.partial_image"
        yield Event(name, {"type": name, **base, "partial_image_index": index})
    name = f"{kind}.completed"
    yield Event(name, {"type": name, **base, "usage": _image_usage(body)})


def _image_usage(body: dict[str, Any]) -> dict[str, Any]:
    read = tokens(str(body.get("prompt", "")))
    details = {"image_tokens": 0, "text_tokens": read}
    return {"input_tokens": read, "input_tokens_details": details, "output_tokens": 272, "total_tokens": read + 272}


def _judgement(text: str) -> dict[str, Any]:
    violent = any(word in text for word in _VIOLENT)
    found = {name: violent and name == "violence" for name in _CATEGORIES}
    return {
        "flagged": violent,
        "categories": found,
        "category_scores": {name: 0.98 if hit else 0.001 for name, hit in found.items()},
        "category_applied_input_types": {name: ["text"] if hit else [] for name, hit in found.items()},
    }
