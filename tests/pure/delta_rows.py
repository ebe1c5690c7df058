"""Streams as servers write them, byte for byte: rows of deltas in several layouts, sound and unsound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from gateway.core import json

Json = dict[str, Any]

DELTA = "response.output_text.delta"
ITEM = "msg_" + "0a1b2c3d" * 6
AT: Json = {"item_id": ITEM, "output_index": 0, "content_index": 0}

LAYOUTS = (
    ("sequence_number", "item_id", "output_index", "content_index", "delta", "logprobs", "obfuscation"),
    ("item_id", "output_index", "content_index", "logprobs", "obfuscation", "delta", "sequence_number"),
    ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index", "sequence_number"),
    ("item_id", "output_index", "content_index", "delta", "sequence_number", "obfuscation"),
    ("delta", "item_id", "output_index", "content_index"),
    ("sequence_number", "delta", "item_id", "output_index", "content_index", "message"),
)
"""Orders of the fields behind the type; a field that is not named is left out."""

SOUND = [
    b" word",
    b"a",
    b"",
    b"\\n",
    b'\\"',
    b"\\\\",
    b"\xc3\xa9",
    b"\xf0\x9f\x8c\x8d",
    b"error",
    b"x" * 40,
    b'\\",\\"',
]
ODD = [b"\\u00e9", b"\\/", b"\\ud83d", b"\\ude00", b"\x01", b"\xff", b'a","b', b"\\", b'a",["b', b'd"],"e', b"\\x"]
"""Contents of JSON strings: as we would write them; in other ways; unsound."""


def line(layout: Sequence[str], number: object, text: bytes, padding: bytes = b"zz", kind: str = DELTA) -> bytes:
    """One event. `text` and `padding` stand between the quotes as they are."""
    values: dict[str, bytes] = {name: json.dumps(value) for name, value in AT.items()}
    values |= {"logprobs": b"[]", "message": b'"m"', "sequence_number": str(number).encode()}
    values |= {"delta": b'"%b"' % text, "obfuscation": b'"%b"' % padding}
    fields = b"".join(b',"%b":%b' % (name.encode(), values[name]) for name in layout)
    return b'event: %b\ndata: {"type":"%b"%b}\n\n' % (kind.encode(), kind.encode(), fields)


def event(data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), json.dumps(data))


ADDED: Json = {"id": ITEM, "type": "message", "role": "assistant", "content": []}
PRELUDE: tuple[Json, ...] = (
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 0, "item": ADDED},
    {"type": "response.content_part.added", **AT, "part": {"type": "output_text", "text": ""}},
)
ENDED: Json = {"type": "response.output_text.done", **AT, "text": "told otherwise"}
ENDS: tuple[Json, ...] = (
    {"type": "response.output_item.done", "output_index": 0, "item": {**ADDED, "status": "completed"}},
    {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}},
)


def begun(first: int = 0) -> list[bytes]:
    """The events before the deltas, numbered from `first` on."""
    return [event({**data, "sequence_number": first + place}) for place, data in enumerate(PRELUDE)]


@st.composite
def rows(draw: st.DrawFn) -> list[bytes]:
    """Whole events: a message of rows of deltas, with now and then another event, or something odd in a delta."""
    layout = draw(st.sampled_from(LAYOUTS))
    number = draw(st.sampled_from([0, 0, 0, 85, 990]))
    told = begun(number)
    number += len(told)
    for _ in range(draw(st.integers(1, 4))):
        step = draw(st.sampled_from(["row", "row", "row", "odd", "gap", "aside", "kind", "layout", "ended"]))
        if step in ("row", "odd"):
            texts = draw(st.lists(st.sampled_from(SOUND), min_size=10, max_size=14))
            paddings = draw(st.lists(st.sampled_from([b"", b"zz", b"abcdef"]), min_size=3, max_size=3))
            place = draw(st.integers(0, len(texts) - 1)) if step == "odd" else -1
            spoilt = draw(st.sampled_from(["text", "text", "padding", "number"])) if step == "odd" else ""
            for at, sound in enumerate(texts):
                text, padding, shown = sound, paddings[at % 3], str(number)
                if at == place and spoilt == "text":
                    text = draw(st.sampled_from(ODD))
                elif at == place and spoilt == "padding":
                    padding = draw(st.sampled_from(ODD))
                elif at == place:
                    shown = draw(st.sampled_from([f"0{number}", f"{number}.0", "true", "-1", "9" * 20, '"7"']))
                told.append(line(layout, shown, text, padding))
                number += 1
        elif step == "gap":
            number += draw(st.sampled_from([1, 7]))
        elif step == "layout":
            layout = draw(st.sampled_from(LAYOUTS))
        elif step == "kind":
            kind = draw(st.sampled_from(["response.refusal.delta", "response.reasoning_text.delta"]))
            told += [line(layout, number + at, b"no", kind=kind) for at in range(10)]
            number += 10
        else:
            told.append(event({**ENDED, "sequence_number": number} if step == "ended" else {"type": "keepalive"}))
            number += step == "ended"
    if draw(st.booleans()):
        told += [event({**data, "sequence_number": number + at}) for at, data in enumerate(ENDS)]
    return told
