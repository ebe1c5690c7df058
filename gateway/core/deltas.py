"""Deltas in a row as one frame: of the one event that a stream has thousands of, only the text is read.

Two events whose bytes differ in one JSON string are the same document with another text. So the deltas of one text
have a `Shape`: all their bytes but those of the text, of the number that counts them, and of the padding. It is learned
from one delta that was parsed. Events of that shape, one after the other, are cut apart together, and what was cut out
is put back into the shape: if that gives the very same bytes, they are `Deltas`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core import json
from gateway.core.frames import Frame, KnownFrame

Json = dict[str, Any]

_TEXT, _NUMBER, _PADDING = "delta", "sequence_number", "obfuscation"
_LOOKED_AT = frozenset({"error", "message", "response"})
"""Fields that tell failures: an event with one of them is looked through for secrets."""
_MOST_DIGITS = 15
LINES = 3
"""Of an event: its name, its data, and a blank one."""


class Deltas(Frame):
    """Deltas of one text, numbered one after the other. As `data` it is the one delta that says all of it.

    `text`: what they say together; no half of a surrogate pair is in it. `number`: of the first, None when they have
    none. `size`: about that of the upstream's bytes.
    """

    __slots__ = ("_holes", "_shape", "count", "number", "size", "text")

    def __init__(self, shape: Shape, holes: dict[str, Sequence[bytes]], text: str, number: int | None) -> None:
        """`holes`: what each of them has in the holes of the shape. Of strings, what is between the quotes."""
        self._shape = shape
        self._holes = holes
        self._raw = self._payload = None
        self._event = self._type = shape.kind
        self._typed = True
        self._data = {**shape.data, _TEXT: text}
        if number is not None:
            self._data[_NUMBER] = number
        self.count = len(holes[_TEXT])
        self.number = number
        self.size = 0
        self.text = text

    @property
    def raw(self) -> bytes:
        if self._raw is None:
            self._raw = self._shape.filled(self._holes, self.count)
        return self._raw

    def strings(self) -> Sequence[bytes]:
        """Their texts as we write them in JSON, without the quotes."""
        return json.rewritten(self._holes[_TEXT])

    def each(self) -> list[Frame]:
        """The deltas one by one."""
        shape, start = self._shape, len(self._event) + len("event: \ndata: ")
        told = {name: json.strings(self._holes[name]) or [] for name in (_TEXT, _PADDING) if name in self._holes}
        found: list[Frame] = []
        for place, block in enumerate(self.raw[:-2].split(b"\n\n")):
            data = {**shape.data, **{name: texts[place] for name, texts in told.items()}}
            if self.number is not None:
                data[_NUMBER] = self.number + place
            found.append(KnownFrame(block + b"\n\n", start, self._event, data))
        return found

    def renamed(self, names: Json, number: int) -> Deltas:
        """The same with other fields and numbered from `number` on, as we write them."""
        shape = Shape.of({**self._shape.data, **names, _NUMBER: number}, _PADDING in self._holes)
        holes = {name: json.rewritten(self._holes[name]) for name in (_TEXT, _PADDING) if name in self._holes}
        found = Deltas(shape, {**holes, _NUMBER: _digits(number, self.count)}, self.text, number)
        found.size = self.size
        return found


class Shape:
    """All the bytes of a delta but those in its holes. `kind`: its type. `data`: the one it was learned from."""

    __slots__ = ("_consts", "_holes", "data", "kind", "name")

    def __init__(self, data: Json, consts: list[bytes], holes: list[str]) -> None:
        """`consts`: what stands before, between and behind the holes."""
        self.data = data
        self.kind: str = data["type"]
        self.name = b"event: %b\n" % self.kind.encode()
        self._consts = consts
        self._holes = holes

    @staticmethod
    def of(data: Json, padded: bool) -> Shape:
        """The shape in which we write such a delta, which has a number."""
        consts, holes = [b"event: %b\ndata: {" % data["type"].encode()], []
        for name, value in data.items():
            consts[-1] += json.dumps(name) + b":"
            if name == _NUMBER:
                holes.append(name)
                consts.append(b",")
            elif name == _TEXT or (name == _PADDING and padded):
                holes.append(name)
                consts[-1] += b'"'
                consts.append(b'",')
            else:
                consts[-1] += json.dumps(value) + b","
        consts[-1] = consts[-1][:-1] + b"}\n\n"
        return Shape(data, consts, holes)

    @staticmethod
    def learned(frame: KnownFrame) -> Shape | None:
        """The shape of a delta as a server writes it; None when it has to be looked at by itself."""
        try:
            data = frame.data
        except ValueError:
            return None
        found = _holes(frame.raw, data)
        if found is None:
            return None
        consts: list[bytes] = []
        at = 0
        for start, end, _ in found:
            consts.append(frame.raw[at:start])
            at = end
        consts.append(frame.raw[at:])
        if any(b"\\u" in const for const in consts):
            return None  # perhaps half of a surrogate pair, which changes how we write all the rest
        shape = Shape(data, consts, [name for _, _, name in found])
        return shape if shape._tells_of_holes(len(frame.raw) - len(frame.payload) - 2) else None

    def _tells_of_holes(self, start: int) -> bool:
        """Whether the holes are where the values are: the same event with other bytes in them has these values."""
        data, other = self.data, dict(self.data)
        filling: dict[str, Sequence[bytes]] = {}
        for name in self._holes:
            if name == _NUMBER:
                other[name] = data[name] + 1
                filling[name] = [b"%d" % other[name]]
            else:
                other[name] = data[name] + "?"
                filling[name] = [json.dumps(other[name])[1:-1]]
        try:
            return bool(json.loads(self.filled(filling, 1)[start:]) == other)
        except ValueError:
            return False

    def filled(self, holes: Mapping[str, Sequence[bytes]], count: int) -> bytes:
        """So many events of this shape."""
        width = 2 * len(self._holes) + 1
        pieces = [b""] * (width * count)
        for place, const in enumerate(self._consts):
            pieces[2 * place :: width] = [const] * count
        for place, name in enumerate(self._holes):
            pieces[2 * place + 1 :: width] = holes[name]
        return b"".join(pieces)

    def cut(self, lines: list[bytes]) -> Deltas | None:
        """The deltas of this shape with which these lines begin; None when there are not several, or one is unsound."""
        count = len(lines) // LINES
        number, digits = self._first_number(lines[1]) if count else (None, 0)
        if number is not None:
            count = min(count, 10**digits - number)  # of numbers of one length all that is behind them lines up
        if count < 2:
            return None
        holes = self._cut_out(lines[1 : count * LINES : LINES], digits)
        if number is not None:
            holes[_NUMBER] = _digits(number, count)
        raw = b"".join(lines[: count * LINES])
        if any(len(pieces) != count for pieces in holes.values()) or self.filled(holes, count) != raw:
            return None
        texts = json.strings(holes[_TEXT])
        if texts is None or (_PADDING in holes and json.strings(holes[_PADDING]) is None):
            return None
        found = Deltas(self, holes, "".join(texts), number)
        found._raw, found.size = raw, len(raw)
        return found

    def _first_number(self, line: bytes) -> tuple[int | None, int]:
        """The number in a line of data, and how many digits it has; 0 digits when it has none that can be counted."""
        consts = self._consts
        if _NUMBER not in self._holes:
            return None, 0
        if self._holes[0] == _NUMBER:
            start = len(consts[0]) - len(self.name)
            told = line[start : line.find(consts[1], start)]
        else:
            end = len(line) - len(consts[-1]) + 1
            told = line[line.rfind(consts[-2], 0, end) + len(consts[-2]) : end]
        return (int(told), len(told)) if told.isdigit() and len(told) <= _MOST_DIGITS else (0, 0)

    def _cut_out(self, lines: list[bytes], digits: int) -> dict[str, Sequence[bytes]]:
        """What these lines of data have where text and padding should be."""
        consts, holes = self._consts, self._holes
        start, end = len(consts[0]) - len(self.name), len(consts[-1]) - 1
        if holes[0] == _NUMBER:
            start += digits + len(consts[1])
        elif holes[-1] == _NUMBER:
            end += digits + len(consts[-2])
        middles = [line[start:-end] for line in lines]
        if _PADDING not in holes:
            return {_TEXT: middles}
        pieces = b"\n".join(middles).replace(consts[holes.index(_PADDING)], b"\n").split(b"\n")
        return {_TEXT: pieces[::2], _PADDING: pieces[1::2]}


def _holes(raw: bytes, data: Json) -> list[tuple[int, int, str]] | None:
    """Where in its bytes a delta has what differs from one to the next; None when it is not one of a row."""
    text, number, padding = data.get(_TEXT), data.get(_NUMBER, 0), data.get(_PADDING)
    if not isinstance(text, str) or type(number) is not int or _LOOKED_AT & data.keys():
        return None
    found = [_place(raw, _TEXT, json.dumps(text)[1:-1], b'"')]
    if isinstance(padding, str):
        found.append(_place(raw, _PADDING, json.dumps(padding)[1:-1], b'"'))
    if _NUMBER in data:
        found.append(_place(raw, _NUMBER, b"%d" % number, b""))
    found.sort()
    names = [name for _, _, name in found]
    if _PADDING in names and names.index(_PADDING) != names.index(_TEXT) + 1:
        del found[names.index(_PADDING)]  # elsewhere it has to be the same in all of them
    return found if found[0][0] > 0 else None


def _place(raw: bytes, name: str, value: bytes, quote: bytes) -> tuple[int, int, str]:
    """From where to where a value stands, without its quotes; -1 for one that is not written so."""
    key = b'"%b":%b' % (name.encode(), quote)
    at = raw.find(key + value + quote)
    start = at + len(key) if at >= 0 else -1
    return start, start + len(value), name


def _digits(number: int, count: int) -> list[bytes]:
    """The numbers from `number` on, as they are written."""
    return json.dumps(list(range(number, number + count)))[1:-1].split(b",")
