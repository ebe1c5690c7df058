"""Message content: chat parts → inner parts (translation §1.3), and tool results (§1.2).

Parts in Responses form (`input_text`, `output_text`, `input_image`, `input_file`) are accepted too and get the tag
that their message's role needs: some programs mix the two forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.core import json
from gateway.core.fields import malformed, missing, need_object, need_text, read_text
from gateway.errors import InvalidRequest

Json = dict[str, Any]
Reader = Callable[[Json, str], Json | None]

_MIME_TYPES = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_EXTENSIONS = {mime: extension for extension, mime in reversed(_MIME_TYPES.items())}
_UNKNOWN_MIME = "application/octet-stream"
_PDF_IN_BASE64 = "JVBERi"


def read_input(content: Any, path: str) -> tuple[list[Json], list[int]]:
    """Content of a user, system or developer message as inner parts, and each part's index in the client's list.

    Never empty: a message without any text keeps one empty part, because its turn counts.
    Raises InvalidRequest.
    """
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}], [0]
    if not isinstance(content, list):
        raise malformed(path, "a string or an array of parts", content)
    parts, origins = _read_list(content, path, _INPUT)
    return (parts, origins) if parts else ([{"type": "input_text", "text": ""}], [0])


def read_output(content: Any, path: str) -> tuple[list[Json], list[int]]:
    """Content of an assistant message as inner parts; empty when nothing was said. Raises InvalidRequest."""
    if content is None or content == "":
        return [], []
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}], [0]
    if not isinstance(content, list):
        raise malformed(path, "a string, an array of parts or null", content)
    return _read_list(content, path, _OUTPUT)


def read_result(content: Any, path: str) -> str | list[Json]:
    """A tool's result: text where text says it all, else a list of input parts. Raises InvalidRequest."""
    if isinstance(content, str):
        return content
    if content is None or content == []:
        return ""
    if not isinstance(content, list) or not all(_is_part(part) for part in content):
        return json.dumps(content).decode()
    parts, _ = _read_list(content, path, _INPUT)
    match parts:
        case []:
            return ""
        case [{"type": "input_text", "text": str(text), **others}] if not others:
            return text
    return parts


def _is_part(value: Any) -> bool:
    """Whether an element of a tool's result is a content part, and not some JSON of the tool's own."""
    return isinstance(value, dict) and isinstance(kind := value.get("type"), str) and kind in _RESULT


def _read_list(content: list[Any], path: str, readers: Mapping[str, Reader]) -> tuple[list[Json], list[int]]:
    parts: list[Json] = []
    origins: list[int] = []
    for index, part in enumerate(content):
        here = f"{path}[{index}]"
        kind = need_object(part, here).get("type")
        if not isinstance(kind, str) or kind not in readers:
            raise malformed(f"{here}.type", "one of " + ", ".join(readers), kind)
        made = readers[kind](part, here)
        if made is None:
            continue
        if "prompt_cache_breakpoint" in part:
            made["prompt_cache_breakpoint"] = part["prompt_cache_breakpoint"]
        parts.append(made)
        origins.append(index)
    return parts, origins


def _text(tag: str) -> Reader:
    def read(part: Json, path: str) -> Json | None:
        text = part.get("text")
        if not isinstance(text, str):
            raise malformed(f"{path}.text", "a string", text)
        return {"type": tag, "text": text} if text else None

    return read


def _refusal(part: Json, path: str) -> Json | None:
    refusal = read_text(part, "refusal", f"{path}.refusal")
    return {"type": "refusal", "refusal": refusal} if refusal else None


def _thought(part: Json, path: str) -> None:
    """Other vendors replay here what their model thought; an upstream of ours would take it for speech."""


def _refusal_of_user(part: Json, path: str) -> Json:
    raise InvalidRequest(f"{path}: only an assistant message can hold a refusal.", param=f"{path}.type")


def _image_url(part: Json, path: str) -> Json:
    image = part.get("image_url")
    if isinstance(image, str) and image:
        return {"type": "input_image", "image_url": image, "detail": _detail(part, path)}
    holder = need_object(image, f"{path}.image_url")
    url = need_text(holder, "url", f"{path}.image_url.url")
    return {"type": "input_image", "image_url": url, "detail": _detail(holder, f"{path}.image_url")}


def _detail(holder: Json, path: str) -> str:
    """Optional in chat, required inside."""
    return read_text(holder, "detail", f"{path}.detail") or "auto"


def _input_image(part: Json, path: str) -> Json:
    if isinstance(part.get("image_url"), dict):
        return _image_url(part, path)
    read = {key: read_text(part, key, f"{path}.{key}") for key in ("image_url", "file_id")}
    kept = {key: text for key, text in read.items() if text}
    if not kept:
        raise missing(f"{path}.image_url", "a URL or a data URL")
    return {"type": "input_image", **kept, "detail": _detail(part, path)}


def _input_audio(part: Json, path: str) -> Json:
    audio = need_object(part.get("input_audio"), f"{path}.input_audio")
    return {
        "type": "input_audio",
        "input_audio": {
            "data": need_text(audio, "data", f"{path}.input_audio.data"),
            "format": need_text(audio, "format", f"{path}.input_audio.format"),
        },
    }


def _file(part: Json, path: str) -> Json:
    file = need_object(part.get("file"), f"{path}.file")
    file_id = read_text(file, "file_id", f"{path}.file.file_id")
    if file_id:
        return {"type": "input_file", "file_id": file_id}
    data = need_text(file, "file_data", f"{path}.file.file_data")
    filename = read_text(file, "filename", f"{path}.file.filename")
    if not data.startswith("data:"):
        data = f"data:{_guess_type(filename or '', data)};base64,{data}"
    if not filename:
        mime = data[len("data:") :].split(";", 1)[0].split(",", 1)[0]
        filename = f"file.{_EXTENSIONS.get(mime, 'bin')}"
    return {"type": "input_file", "file_data": data, "filename": filename}


def _guess_type(filename: str, data: str) -> str:
    by_name = _MIME_TYPES.get(filename.rpartition(".")[2].lower())
    if by_name:
        return by_name
    return "application/pdf" if data.startswith(_PDF_IN_BASE64) else _UNKNOWN_MIME


_FILE_FIELDS = ("file_id", "file_data", "file_url", "filename", "detail")


def _input_file(part: Json, path: str) -> Json:
    read = {key: read_text(part, key, f"{path}.{key}") for key in _FILE_FIELDS}
    kept = {key: text for key, text in read.items() if text}
    if not kept.keys() & {"file_id", "file_data", "file_url"}:
        raise missing(f"{path}.file_id", "file_id, file_data or file_url")
    return {"type": "input_file", **kept}


_INPUT: dict[str, Reader] = {
    "text": _text("input_text"),
    "input_text": _text("input_text"),
    "output_text": _text("input_text"),
    "image_url": _image_url,
    "input_image": _input_image,
    "input_audio": _input_audio,
    "file": _file,
    "input_file": _input_file,
    "refusal": _refusal_of_user,
}
_OUTPUT: dict[str, Reader] = {
    "text": _text("output_text"),
    "input_text": _text("output_text"),
    "output_text": _text("output_text"),
    "refusal": _refusal,
    "thinking": _thought,
    "redacted_thinking": _thought,
    "reasoning": _thought,
}
_RESULT = _INPUT.keys() - {"refusal"}
