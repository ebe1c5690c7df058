"""Content of inner items → content of chat messages (translation §5.3).

Text that stands alone is a string, because the templates of many servers take nothing else. What a server cannot read
is refused and never left out: an answer about a picture that nobody saw would be wrong.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from gateway.core import json
from gateway.core.fields import malformed, need_object, need_text, read_list, read_text
from gateway.core.seal import REASONING, opened
from gateway.dialects.chat.outbound.quirks import Quirks
from gateway.errors import UnsupportedValue

Json = dict[str, Any]

_TEXT_DATA = re.compile(
    r"data:(?:text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:json|xml|yaml|toml|javascript))(?:;charset=utf-8)?;base64,",
    re.IGNORECASE,
)
Content = str | list[Json]

_TEXTS = ("input_text", "output_text", "text")
"""`text` is what tools of the Model Context Protocol answer with, and some programs hand it on."""


def user_content(content: Any, path: str, quirks: Quirks) -> Content:
    """Content of a user message: a string, or parts where there is more than one. Raises InvalidRequest."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_input_part(part, where, quirks) for part, where in _parts(content, path)]
    return flattened([part for part in parts if part.get("text") != ""], alone=quirks.images == "none")


def flattened(parts: list[Json], *, alone: bool) -> Content:
    """Parts as a string where there is only one text, or (`alone`) only texts."""
    texts = [part["text"] for part in parts if part["type"] == "text"]
    if len(texts) == len(parts) and (alone or len(texts) < 2):
        return "\n".join(texts)
    return parts


def system_text(content: Any, path: str) -> str:
    """Content of a system or developer message; chat has only text there. Raises InvalidRequest."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(_text(part, where) for part, where in _parts(content, path))


def assistant_text(content: Any, path: str) -> tuple[str, str]:
    """What an assistant message says, and what it refuses with. Raises InvalidRequest."""
    if content is None or isinstance(content, str):
        return content or "", ""
    said, refused = [], []
    for part, where in _parts(content, path):
        if part.get("type") == "refusal":
            refused.append(need_string(part, "refusal", f"{where}.refusal"))
        else:
            said.append(_text(part, where))
    return "".join(said), "".join(refused)


def tool_result(output: Any, path: str, quirks: Quirks) -> tuple[str, list[Json]]:
    """A tool's result as text, and the parts that are not text: a tool message cannot hold those.

    Raises InvalidRequest.
    """
    if output is None or isinstance(output, str):
        return output or "", []
    if not isinstance(output, list):
        return json.dumps(output).decode(), []
    parts = [_input_part(part, where, quirks) for part, where in _parts(output, path)]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts), [part for part in parts if part["type"] != "text"]


def thoughts(item: Json, path: str) -> str:
    """The readable text of a reasoning item, of its summary where there is no other; else what was sealed in it.

    Codex sends reasoning back without its text. Raises InvalidRequest.
    """
    for name in ("content", "summary"):
        parts = read_list(item, name, f"{path}.{name}") or []
        texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
        if any(texts):
            return "\n\n".join(filter(None, texts))
    return opened(REASONING, item.get("encrypted_content")) or ""


def need_string(holder: Json, key: str, param: str) -> str:
    """A string, which may be empty. Raises InvalidRequest."""
    value = holder.get(key)
    if isinstance(value, str):
        return value
    raise malformed(param, "a string", value)


def _parts(content: Any, path: str) -> Iterator[tuple[Json, str]]:
    if not isinstance(content, list):
        raise malformed(path, "a string or an array of parts", content)
    for index, part in enumerate(content):
        where = f"{path}[{index}]"
        yield need_object(part, where), where


def _text(part: Json, path: str) -> str:
    if part.get("type") not in _TEXTS:
        raise malformed(f"{path}.type", "one of " + ", ".join(_TEXTS), part.get("type"))
    return need_string(part, "text", f"{path}.text")


def _input_part(part: Json, path: str, quirks: Quirks) -> Json:
    kind = part.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise malformed(f"{path}.type", "one of " + ", ".join(_READERS), kind)
    return reader(part, path, quirks)


def _text_part(part: Json, path: str, quirks: Quirks) -> Json:
    return {"type": "text", "text": _text(part, path)}


def _image(part: Json, path: str, quirks: Quirks) -> Json:
    if quirks.images == "none":
        raise UnsupportedValue("This upstream reads no images.", param=f"{path}.type")
    if part.get("file_id"):
        raise UnsupportedValue(
            "This upstream has no uploaded images: send a data URL or a public URL.", param=f"{path}.file_id"
        )
    url = need_text(part, "image_url", f"{path}.image_url")
    if quirks.images == "data" and not url.startswith("data:"):
        raise UnsupportedValue("This upstream fetches no images: send a data URL.", param=f"{path}.image_url")
    detail = read_text(part, "detail", f"{path}.detail")
    image = {"url": url}
    if detail not in (None, "auto"):
        image["detail"] = "high" if detail == "original" else str(detail)
    return {"type": "image_url", "image_url": image}


def _file(part: Json, path: str, quirks: Quirks) -> Json:
    if part.get("file_id"):
        if not quirks.file_ids:
            raise UnsupportedValue("This upstream has no uploaded files.", param=f"{path}.file_id")
        return {"type": "file", "file": {"file_id": need_text(part, "file_id", f"{path}.file_id")}}
    if part.get("file_url"):
        raise UnsupportedValue("This upstream fetches no files: send file_data.", param=f"{path}.file_url")
    data = need_text(part, "file_data", f"{path}.file_data")
    name = read_text(part, "filename", f"{path}.filename") or "file"
    if quirks.files:
        return {"type": "file", "file": {"filename": name, "file_data": data}}
    text = _text_of(data)
    if text is None:
        raise UnsupportedValue("This upstream reads no files but those of plain text.", param=f"{path}.type")
    return {"type": "text", "text": f"{name}:\n{text}"}


def _text_of(data: str) -> str | None:
    """The text of a data URL that is one by its media type; None for everything else."""
    match = _TEXT_DATA.match(data)
    if match is None:
        return None
    try:
        return base64.b64decode(data[match.end() :], validate=True).decode()
    except ValueError:
        return None


def _audio(part: Json, path: str, quirks: Quirks) -> Json:
    if not quirks.audio:
        raise UnsupportedValue("This upstream takes no audio.", param=f"{path}.type")
    audio = need_object(part.get("input_audio"), f"{path}.input_audio")
    return {
        "type": "input_audio",
        "input_audio": {
            "data": need_text(audio, "data", f"{path}.input_audio.data"),
            "format": need_text(audio, "format", f"{path}.input_audio.format"),
        },
    }


_READERS: dict[str, Callable[[Json, str, Quirks], Json]] = {
    **dict.fromkeys(_TEXTS, _text_part),
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}
