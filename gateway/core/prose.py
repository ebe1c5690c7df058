"""What the model says, in the order and the fields in which clients read it that know texts instead of items.

One machine for JSON answers and for streams, so that both say the same: a stream feeds it deltas, a JSON answer feeds
it finished items, and both get pieces of `content`, `refusal` and reasoning back through `emit`. Chat completions and
legacy completions share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gateway.core.stop import Halves, StopScanner

Json = dict[str, Any]
Emit = Callable[[str, str, "list[Json] | None"], None]
"""Takes the field, a piece of its text (never empty) and the logprobs of that piece."""

SEPARATOR = "\n\n"
_OPEN, _CLOSE = "<think>", "</think>\n"
_THOUGHTS = ("summary", "thought")


def _nobody(field: str, text: str, logprobs: list[Json] | None) -> None:
    """Takes pieces after the end, of which there are none."""


class Manner(Protocol):
    """How a client wants to be told."""

    @property
    def reasoning(self) -> str:
        """The field of reasoning texts; `think`: tags in the content; `hide`: nowhere."""
        ...

    @property
    def stop(self) -> Sequence[str]:
        """Stop strings, none of them empty."""
        ...

    @property
    def json_format(self) -> bool:
        """The text must parse as JSON."""
        ...

    @property
    def logprobs(self) -> bool:
        """Tokens are told with their text."""
        ...


class Part:
    """A text of one item: what was sent of it so far, and where it begins in `content`."""

    __slots__ = ("_pieces", "base", "closed", "halves", "index", "kind", "position", "room", "scanner", "tokens")

    def __init__(self, index: int, kind: str, position: int, scanner: StopScanner | None) -> None:
        """`index`: of the item in the output. `kind`: text, refusal, summary or thought. `position`: in the item."""
        self.index = index
        self.kind = kind
        self.position = position
        self.scanner = scanner
        self.halves = Halves()
        self.tokens: list[Json] = []
        self.room = 0
        self.base: int | None = None
        self.closed = False
        self._pieces: list[str] = []

    def take(self, text: str) -> str:
        """Note a delta; returns what of it can be shown."""
        if self.halves.held or not text.isascii():
            text = self.halves.push(text)
        self._pieces.append(text)
        return text

    def missing(self, full: str) -> str:
        """What of the full text was never taken; a held half when the full text is not what the deltas said."""
        taken = "".join(self._pieces)
        half = self.halves.rest()
        rest = full[len(taken) :] if full.startswith(taken) else half
        self._pieces = [taken + rest]
        return rest


class Prose:
    """Text, refusals, reasoning and annotations of one answer."""

    def __init__(self, manner: Manner, emit: Emit) -> None:
        self.stopped = False
        self.hidden = manner.reasoning == "hide"
        self._emit = emit
        self._stop = manner.stop
        self._json = manner.json_format
        self._logprobs = manner.logprobs
        self._think = manner.reasoning == "think"
        self._field = manner.reasoning
        self._parts: dict[tuple[int, str, int], Part] = {}
        self._thoughts: dict[int, str] = {}
        self._asides: set[int] = set()
        self._length = 0
        self._speaker: int | None = None
        self._thinker: Part | None = None
        self._tag_open = False
        # The part whose deltas need no more looks: it speaks already, and nothing has to be looked for in it.
        self._fluent: Part | None = None
        self._annotations: list[tuple[Part, Json]] = []

    # --- while the model speaks -------------------------------------------------------------------------------------

    def begin(self, index: int, phase: Any) -> None:
        """A message item starts. Preambles of structured answers are no part of the JSON: they are reasoning."""
        if phase == "commentary" and self._json:
            self._asides.add(index)
            self._fluent = None  # it may have begun to speak before it was announced

    def text(self, index: int, position: int, delta: str, logprobs: Any) -> None:
        """A piece of a message's text, and its tokens when the server told them."""
        part = self._part(index, "text", position)
        if not part.closed:
            self._say(part, part.take(delta), self._tokens(logprobs))

    def flow(self, index: Any, position: Any, delta: str) -> str | None:
        """The short way for a piece of the text that is being spoken: what of it to show, which is not emitted.

        None when it has to go through `text`.
        """
        part = self._fluent
        if part is None or part.index != index or part.position != position:
            return None
        shown = part.take(delta)
        self._length += len(shown)
        return shown

    def flows(self, index: Any, position: Any, text: str) -> bool:
        """`flow` for several pieces at once, all of which can be shown; False when they have to be taken one by one.

        `text`: of all of them, without a half of a surrogate pair.
        """
        part = self._fluent
        if part is None or part.index != index or part.position != position or part.halves.held:
            return False
        self._length += len(part.take(text))
        return True

    def refusal(self, index: int, position: int, delta: str) -> None:
        """A piece of a refusal."""
        part = self._part(index, "refusal", position)
        if not part.closed:
            self._show(part, part.take(delta))

    def thought(self, index: int, kind: str, position: int, delta: str) -> None:
        """A piece of reasoning. `kind`: summary or thought; of one item only the kind that came first is shown."""
        if self._thoughts.setdefault(index, kind) == kind:
            part = self._part(index, kind, position)
            if not part.closed:
                self._show(part, part.take(delta))

    def annotation(self, index: int, position: int, annotation: Any) -> None:
        """A source of a message's text; sources that chat does not know are left out."""
        if isinstance(annotation, dict) and annotation.get("type") == "url_citation":
            self._annotations.append((self._part(index, "text", position), annotation))

    # --- when something is complete: show what was never shown ------------------------------------------------------

    def complete(self, index: int, kind: str, position: int, full: str, logprobs: Any = None) -> None:
        """The whole text of a part; only what the deltas left out is shown."""
        if not full or (kind in _THOUGHTS and self._thoughts.setdefault(index, kind) != kind):
            return
        part = self._part(index, kind, position)
        if part.closed:
            return
        part.closed = True
        self._fluent = None
        if kind != "text":
            self._show(part, part.missing(full))
            return
        rest = part.missing(full)
        self._say(part, rest, self._tokens(logprobs) if len(rest) == len(full) else None)
        self._let_go(part)

    def item(self, index: int, item: Json) -> None:
        """A finished message or reasoning item."""
        if item.get("type") == "message":
            self.begin(index, item.get("phase"))
            for position, part in objects(item.get("content")):
                if not self.stopped:  # what stands behind a stop string was not said
                    self.part(index, position, part)
        elif item.get("type") == "reasoning" and not self.hidden:
            texts = {"thought": objects(item.get("content")), "summary": objects(item.get("summary"))}
            for kind, parts in texts.items():
                for position, part in parts:
                    self.complete(index, kind, position, _text_of(part, "text"))
        self._flush(index)

    def part(self, index: int, position: int, part: Json) -> None:
        """A finished content part of any item."""
        kind = part.get("type")
        if kind == "output_text":
            self.complete(index, "text", position, _text_of(part, "text"), part.get("logprobs"))
            for _, annotation in objects(part.get("annotations")):
                self.annotation(index, position, annotation)
        elif kind == "refusal":
            self.complete(index, "refusal", position, _text_of(part, "refusal"))
        elif kind == "reasoning_text" and not self.hidden:
            self.complete(index, "thought", position, _text_of(part, "text"))

    def close_tag(self) -> None:
        """End the block of thoughts, before anything that is not a thought."""
        if self._tag_open:
            self._tag_open = False
            self._put_content(_CLOSE, None)

    def close(self) -> None:
        """Nothing more comes: show everything that was held back."""
        self._flush(None)
        self.close_tag()
        self._emit = _nobody  # who takes the pieces holds this object: a circle for each answer

    def annotations(self) -> list[Json]:
        """All sources in chat form, with offsets into the whole `content`; none when a stop string cut the text."""
        seen: dict[tuple[Any, ...], Json] = {}
        for part, annotation in self._annotations if not self.stopped else ():
            base = part.base or 0
            cited = {
                "start_index": _shift(annotation.get("start_index"), base),
                "end_index": _shift(annotation.get("end_index"), base),
                "url": str(annotation.get("url") or ""),
                "title": str(annotation.get("title") or ""),
            }
            key = (cited["url"], cited["start_index"], cited["end_index"])
            seen.setdefault(key, {"type": "url_citation", "url_citation": cited})
        return list(seen.values())

    # --- inside -----------------------------------------------------------------------------------------------------

    def _part(self, index: int, kind: str, position: int) -> Part:
        part = self._parts.get((index, kind, position))
        if part is None:
            scanner = StopScanner(self._stop) if self._stop and kind == "text" else None
            part = self._parts[index, kind, position] = Part(index, kind, position, scanner)
        return part

    def _tokens(self, logprobs: Any) -> list[Json] | None:
        return [token for _, token in objects(logprobs)] if self._logprobs else None

    def _say(self, part: Part, text: str, logprobs: list[Json] | None = None) -> None:
        if part.index in self._asides:
            self._show_thought(part, text)
            return
        if part.scanner is not None:
            if self.stopped:
                return
            text = part.scanner.push(text)
            logprobs = _shown_tokens(part, text, logprobs)
        if text:
            self._put(part, text, logprobs)
        if part.scanner is not None and part.scanner.hit:
            self.stopped = True

    def _put(self, part: Part, text: str, logprobs: list[Json] | None) -> None:
        if part.index != self._speaker:
            self.close_tag()
            if self._speaker is not None:
                self._put_content(SEPARATOR, None)
            self._speaker = part.index
        elif self._tag_open:
            self.close_tag()
        if part.scanner is None and not part.closed and not self._logprobs:
            self._fluent = part
        if part.base is None:
            part.base = self._length
        self._put_content(text, logprobs)

    def _put_content(self, text: str, logprobs: list[Json] | None) -> None:
        self._length += len(text)
        self._emit("content", text, logprobs)

    def _show(self, part: Part, text: str) -> None:
        if part.kind != "refusal":
            self._show_thought(part, text)
        elif text:
            self.close_tag()
            self._emit("refusal", text, None)

    def _show_thought(self, part: Part, text: str) -> None:
        if self.hidden or not text:
            return
        between = SEPARATOR if self._thinker is not None and self._thinker is not part else ""
        self._thinker = part
        if not self._think:
            self._emit(self._field, between + text, None)
        elif self._tag_open:
            self._put_content(between + text, None)
        else:
            self._tag_open = True
            self._fluent = None
            self._put_content(_OPEN + text, None)

    def _let_go(self, part: Part) -> None:
        """Show what a part holds back, since no more text of it comes."""
        half = part.halves.rest()
        if half:
            show = self._show if part.kind != "text" else self._say
            show(part, half)
        if part.scanner is not None and not self.stopped and (held := part.scanner.rest()):
            self._put(part, held, part.tokens or None)
            part.tokens = []

    def _flush(self, index: int | None) -> None:
        """Let go of the parts of one item, or of all."""
        for part in self._parts.values():
            if index is None or part.index == index:
                self._let_go(part)


def _shown_tokens(part: Part, text: str, logprobs: list[Json] | None) -> list[Json] | None:
    """The tokens that lie within the text that is shown now; the others wait."""
    part.tokens += logprobs or []
    part.room += len(text)
    count = 0
    for token in part.tokens:
        length = len(_text_of(token, "token"))
        if length > part.room:
            break
        part.room -= length
        count += 1
    shown, part.tokens = part.tokens[:count], part.tokens[count:]
    return shown or None


def objects(value: Any) -> list[tuple[int, Json]]:
    """The objects of a list with their positions."""
    return [(at, entry) for at, entry in enumerate(value) if isinstance(entry, dict)] if isinstance(value, list) else []


def _text_of(holder: Json, key: str) -> str:
    text = holder.get(key)
    return text if isinstance(text, str) else ""


def _shift(offset: Any, base: int) -> int:
    return base + (offset if isinstance(offset, int) else 0)
