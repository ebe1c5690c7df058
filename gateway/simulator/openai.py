"""The OpenAI server: models, completions and responses with an API key, as the public API speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.simulator import catalogue
from gateway.simulator.asks import legacy, read_chat, read_responses
from gateway.simulator.bodies import CHAT, COMPACT, COMPLETIONS, INPUT_TOKENS, RESPONSES
from gateway.simulator.chat import ChatComposer, holds
from gateway.simulator.completions import MOST_CHOICES, TextComposer, prompts
from gateway.simulator.player import Answer, document
from gateway.simulator.scripts import Beat, Composer, Raw, Stop, sealed, tokens
from gateway.simulator.shapes import Misshapen, Shape, check
from gateway.simulator.turns import SSE, failed, input_usage, played, response_object, streamed, whole

if TYPE_CHECKING:
    from gateway.simulator.app import Call, Simulator
    from gateway.simulator.scenario import Script

_CREATED = 1_767_225_600  # 2026-01-01: the birthday of every simulated model


_MOST_STORED = 1000
"""Stored responses; the oldest is forgotten."""


class OpenAIServer:
    """Handlers of the /v1 routes; keeps stored responses for `previous_response_id` and reads."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self.stored: dict[str, dict[str, Any]] = {}
        self._inputs: dict[str, list[Any]] = {}

    def routes(self) -> list[tuple[str, str, str, Callable[[Call], Answer | None], Callable[..., Answer]]]:
        """Method, path, name, guard and handler of every route."""
        stored = r"/v1/responses/[^/]+"
        return [
            ("GET", r"/v1/models", "openai.models", self.guard, self.models),
            ("GET", r"/v1/models/.+", "openai.model", self.guard, self.model),
            ("POST", r"/v1/chat/completions", "openai.chat", self.guard, self.chat),
            ("POST", r"/v1/completions", "openai.completions", self.guard, self.completions),
            ("POST", r"/v1/responses", "openai.responses", self.guard, self.responses),
            ("POST", r"/v1/responses/compact", "openai.compact", self.guard, self.compact),
            ("POST", r"/v1/responses/input_tokens", "openai.input_tokens", self.guard, self.input_tokens),
            ("GET", stored, "openai.stored", self.guard, self.read),
            ("DELETE", stored, "openai.stored", self.guard, self.delete),
            ("GET", rf"{stored}/input_items", "openai.stored", self.guard, self.input_items),
        ]

    def guard(self, call: Call) -> Answer | None:
        """Refuse a missing or unknown key; fills `auth` of the call."""
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            call.auth = "missing"
            return error(401, "You didn't provide an API key. (simulated)", None)
        if not self._sim.scenario.open and key not in self._sim.scenario.api_keys:
            call.auth = "unknown"
            return error(401, "Incorrect API key provided. (simulated)", "invalid_api_key")
        call.auth = "ok"
        return None

    def models(self, call: Call, script: Script | None) -> Answer:
        """The listed models."""
        return document({"object": "list", "data": [_model(row["slug"]) for row in self._listed()]})

    def model(self, call: Call, script: Script | None) -> Answer:
        """One model."""
        name = call.path.removeprefix("/v1/models/")
        if name not in {row["slug"] for row in catalogue.rows(self._sim.scenario.models)}:
            return _no_model(name)
        return document(_model(name))

    def _listed(self) -> list[dict[str, Any]]:
        return [row for row in catalogue.rows(self._sim.scenario.models) if row["visibility"] == "list"]

    def _problem(self, call: Call, shape: Shape, *, any_model: bool = False) -> Answer | None:
        """What is wrong with a body: unreadable, without model, of another shape, or of an unknown model.

        `any_model`: it may leave out the model.
        """
        body = call.body
        if call.unreadable or not isinstance(body, dict):
            return error(400, f"We could not parse the JSON body of your request. {call.unreadable}".strip(), None)
        model = body.get("model")
        if not isinstance(model, str) and not (any_model and model is None):
            return error(400, "you must provide a model parameter", "missing_required_parameter", "model")
        try:
            check(body, shape)
        except Misshapen as wrong:
            return error(400, str(wrong), wrong.code, wrong.path)
        if model is not None and model not in {row["slug"] for row in catalogue.rows(self._sim.scenario.models)}:
            return _no_model(model)
        return None

    def _no_history(self, body: dict[str, Any]) -> Answer | None:
        """The refusal of a body that goes on from a response which is not kept here."""
        before = body.get("previous_response_id")
        if before is None or before in self.stored:
            return None
        text = f"Previous response with id '{before}' not found."
        return error(400, text, "previous_response_not_found", "previous_response_id")

    def _history(self, body: dict[str, Any]) -> list[Any]:
        """The items of the response that a body goes on from."""
        before = body.get("previous_response_id")
        return [] if before is None else [*self._inputs[before], *self.stored[before]["output"]]

    def chat(self, call: Call, script: Script | None) -> Answer:
        """One chat completion."""
        problem = self._problem(call, CHAT)
        if problem:
            return problem
        body = call.body
        play = played(script, read_chat(body))
        stream = body.get("stream") is True
        options = body.get("stream_options") or {}
        composer = ChatComposer(
            play,
            model=body["model"],
            number=next(self._sim.ids),
            created=int(self._sim.clock()),
            prompt_tokens=tokens([body["messages"], body.get("tools") or body.get("functions") or []]),
            ids=self._sim.ids,
            include_usage=stream and options.get("include_usage") is True,
            choices=body.get("n") or 1,
            legacy=legacy(body),
        )
        return _answered(composer, play, stream=stream)

    def completions(self, call: Call, script: Script | None) -> Answer:
        """One legacy completion, of one or several prompts."""
        problem = self._problem(call, COMPLETIONS)
        if problem:
            return problem
        body = call.body
        if len(prompts(body.get("prompt"))) * (body.get("n") or 1) > MOST_CHOICES:
            return error(400, f"Too many completions: at most {MOST_CHOICES} at once.", "invalid_value", "n")
        composer = TextComposer(body, script, number=next(self._sim.ids), created=int(self._sim.clock()))
        return _answered(composer, composer.script, stream=body.get("stream") is True)

    def responses(self, call: Call, script: Script | None) -> Answer:
        """One response; kept unless `store` is false."""
        body = call.body
        problem = self._problem(call, RESPONSES) or self._no_history(body)
        if problem:
            return problem
        given, history = _items(body["input"]), self._history(body)
        play = played(script, read_responses({**body, "input": [*history, *given]}))
        read = tokens([body.get("instructions"), history, given, body.get("tools") or []])
        response = response_object(body, next(self._sim.ids), int(self._sim.clock()), input_usage(read, 0))
        output = play.completed_output or "full"
        composer = Composer(play, response, self._sim.ids, account=call.auth, terminal_output=output)
        answer = streamed(composer, play) if body.get("stream") is True else whole(composer, play)
        if body.get("store") is not False and composer.response["status"] in {"completed", "incomplete"}:
            self.stored[response["id"]] = composer.response
            self._inputs[response["id"]] = [*history, *given]
            if len(self.stored) > _MOST_STORED:
                oldest = next(iter(self.stored))
                del self.stored[oldest], self._inputs[oldest]
        return answer

    def compact(self, call: Call, script: Script | None) -> Answer:
        """Compaction: the user's messages stay, and one opaque item stands for the rest."""
        body = call.body
        problem = self._problem(call, COMPACT) or self._no_history(body)
        if problem:
            return problem
        history = [*self._history(body), *_items(body.get("input"))]
        number = next(self._sim.ids)
        kept = [_input_item(item, index) for index, item in enumerate(history) if item.get("role") == "user"]
        blob = sealed(call.auth, body["model"], number)
        made = {"id": f"cmp_{number:032x}", "type": "compaction", "encrypted_content": blob}
        read = tokens([body.get("instructions"), history])
        return document(
            {
                "id": f"resp_{number:032x}",
                "object": "response.compaction",
                "created_at": int(self._sim.clock()),
                "output": [*({"status": "completed", **item} for item in kept), made],
                "usage": {**input_usage(read, 0), "output_tokens": 8, "total_tokens": read + 8},
            }
        )

    def input_tokens(self, call: Call, script: Script | None) -> Answer:
        """The count of what a response would read. Conversations are not kept here, so none is known."""
        body = call.body
        problem = self._problem(call, INPUT_TOKENS, any_model=True) or self._no_history(body)
        if problem:
            return problem
        conversation = body.get("conversation")
        if conversation is not None:
            name = conversation["id"] if isinstance(conversation, dict) else conversation
            return error(404, f"Conversation with id '{name}' not found.", None, "conversation")
        history = [*self._history(body), *_items(body.get("input"))]
        read = tokens([body.get("instructions"), history, body.get("tools") or []])
        return document({"object": "response.input_tokens", "input_tokens": read})

    def read(self, call: Call, script: Script | None) -> Answer:
        """A stored response."""
        key = call.path.split("/")[3]
        return document(self.stored[key]) if key in self.stored else _no_response(key)

    def delete(self, call: Call, script: Script | None) -> Answer:
        """Forget a stored response."""
        key = call.path.split("/")[3]
        if key not in self.stored:
            return _no_response(key)
        del self.stored[key], self._inputs[key]
        return document({"id": key, "object": "response", "deleted": True})

    def input_items(self, call: Call, script: Script | None) -> Answer:
        """The input of a stored response, latest first."""
        key = call.path.split("/")[3]
        if key not in self.stored:
            return _no_response(key)
        items = [_input_item(item, index) for index, item in enumerate(self._inputs[key])][::-1]
        ends = {"first_id": items[0]["id"] if items else "", "last_id": items[-1]["id"] if items else ""}
        return document({"object": "list", "data": items, **ends, "has_more": False})


def _answered(composer: ChatComposer | TextComposer, play: Script, *, stream: bool) -> Answer:
    """The chunks of a composer, or its one document. A cut or an empty end breaks off the document."""
    beats = composer.beats()
    if stream:
        return Answer(200, dict(SSE), beats, play, stream=True)
    if composer.error is not None:
        return failed(composer.error, play)
    broken = any(isinstance(beat, Stop) for beat in beats)
    reply = document(composer.completion)
    rest: list[Beat] = [Raw(b'{"id"'), Stop(cut=True)] if broken else reply.beats
    return Answer(200, reply.headers, [*holds(beats), *rest], play, document=reply.document)


def error(status: int, message: str, code: str | None, param: str | None = None) -> Answer:
    """An OpenAI error object."""
    kind = "invalid_request_error"
    return document({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


def _items(given: Any) -> list[Any]:
    """An input as a list of items."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return given or []


def _input_item(item: dict[str, Any], index: int) -> dict[str, Any]:
    content = item.get("content")
    named = {"id": f"msg_{index:032x}", "type": "message", **item}
    if isinstance(content, str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        named["content"] = [{"type": kind, "text": content}]
    return named


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "simulated"}


def _no_model(name: str) -> Answer:
    text = f"The model `{name}` does not exist or you do not have access to it. (simulated)"
    return error(404, text, "model_not_found", "model")


def _no_response(key: str) -> Answer:
    return error(404, f"Response with id '{key}' not found.", None)
