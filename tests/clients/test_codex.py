"""The Codex CLI: what it sends is accepted, and what it does with the answers is right."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.codex import Codex
from tests.clients.node import PROGRAMS
from tests.clients.reading import tool_call
from tests.clients.served import FOREIGN_MODEL, Json, Served
from tests.live.chat import PIXEL
from tests.live.stack import CODEX, INNER, Mode, only

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLASSIC, LITE, FOREIGN = "gpt-5.5", "gpt-6-sol", FOREIGN_MODEL
"""A model whose tools are at the top of a request, one whose tools are an item of its input, and an unknown one."""
MODELS = pytest.mark.parametrize("model", [CLASSIC, LITE])
ALL_MODELS = pytest.mark.parametrize("model", [CLASSIC, LITE, FOREIGN])
PATCH = """\
*** Begin Patch
*** Update File: old.txt
@@
 one
-two
+TWO
*** Add File: new.txt
+fresh
*** End Patch
"""

SHOP = f"""
[mcp_servers.shop]
command = {json.dumps(sys.executable)}
args = [{json.dumps(str(PROGRAMS / "shop.py"))}]
"""

Make = Callable[..., Codex]


@pytest.fixture(params=[False, True], ids=["http", "websocket"])
def codex(request: pytest.FixtureRequest, gateway: Served, tmp_path: Path) -> Make:
    return lambda **settings: Codex(tmp_path, gateway.url, websockets=request.param, **settings)


def shell(mode: Mode, model: str, command: str) -> Json:
    """The step of a model that runs a command, with the tool it has been given."""
    if model == LITE:
        return javascript(mode, f"text(JSON.stringify(await tools.exec_command({json.dumps({'cmd': command})})));")
    return tool_call(mode, "exec_command", {"cmd": command})


def patch(mode: Mode, model: str) -> Json:
    if model == LITE:
        return javascript(mode, f"text(JSON.stringify(await tools.apply_patch({json.dumps(PATCH)})));")
    return tool_call(mode, "apply_patch", PATCH)


def javascript(mode: Mode, text: str) -> Json:
    return tool_call(mode, "exec", text, "functions")


@ALL_MODELS
@pytest.mark.proves("CLIENTS-codex")
async def test_a_plain_answer(gateway: Served, codex: Make, model: str) -> None:
    run = await codex().exec("Reply with exactly: pong", model=model)
    assert (run.code, run.answer, run.errors) == (0, "pong", [])
    assert run.usage["input_tokens"] > 0 and run.usage["output_tokens"] > 0
    [asked] = gateway.asked("responses")
    sent = asked.body
    assert (sent["model"], sent["stream"], asked.effort) == (model, True, None if model == FOREIGN else "medium")
    assert "exec_command" in asked.text
    assert "You are a helpful assistant." not in asked.text, "its own instructions are the only ones"
    if gateway.mode.inner:
        assert (sent["store"], sent["include"]) == (False, ["reasoning.encrypted_content"])
        tools = [item for item in sent["input"] if item.get("type") == "additional_tools"]
        assert (len(tools), bool(sent.get("tools"))) == ((1, False) if model == LITE else (0, True))


@ALL_MODELS
@pytest.mark.proves("CLIENTS-codex-tools")
async def test_a_command_is_run_and_its_output_sent(gateway: Served, codex: Make, model: str) -> None:
    gateway.play("responses", shell(gateway.mode, model, "echo grüße > made.txt && echo done-$((40+2))"), None)
    program = codex()
    run = await program.exec("Make it", model=model)
    assert (run.code, run.errors) == (0, [])
    assert (program.workspace / "made.txt").read_text("utf-8") == "grüße\n"
    [command] = [item for item in run.items if item["type"] == "command_execution"]
    assert (command["exit_code"], command["aggregated_output"]) == (0, "done-42\n")
    first, second = gateway.asked("responses")
    [called], [output] = second.calls, second.outputs
    assert called.call_id == output.call_id
    assert called.name.endswith("exec" if model == LITE else "exec_command")
    assert "done-42" in json.dumps(output.content)
    assert second.history[: len(first.history)] == first.history, "a growing prompt keeps its cached beginning"


@MODELS
@pytest.mark.proves("CLIENTS-codex-tools")
async def test_a_patch_changes_files(gateway: Served, codex: Make, model: str) -> None:
    gateway.play("responses", patch(gateway.mode, model), None)
    program = codex()
    (program.workspace / "old.txt").write_text("one\ntwo\n")
    run = await program.exec("Patch it", model=model)
    assert (run.code, run.errors) == (0, [])
    assert (program.workspace / "old.txt").read_text() == "one\nTWO\n"
    assert (program.workspace / "new.txt").read_text() == "fresh\n"
    second = gateway.asked("responses")[1]
    [called], [output] = second.calls, second.outputs
    assert called.call_id == output.call_id
    if model == CLASSIC and gateway.mode.inner:
        assert called.given == PATCH


@MODELS
@pytest.mark.proves("CLIENTS-codex-tools")
async def test_several_calls_and_thoughts_in_one_answer(gateway: Served, codex: Make, model: str) -> None:
    steps = [
        {"reasoning": ["**Planning**\n\n", "two files"], "encrypted": True},
        shell(gateway.mode, model, "echo 1 > a.txt"),
        shell(gateway.mode, model, "echo 2 > b.txt"),
    ]
    gateway.play("responses", {"steps": steps, "reasoning_content": True}, None)
    program = codex()
    run = await program.exec("Make both", model=model)
    assert (run.code, run.errors) == (0, [])
    assert [(program.workspace / name).read_text() for name in ("a.txt", "b.txt")] == ["1\n", "2\n"]
    second = gateway.asked("responses")[1]
    assert [called.call_id for called in second.calls] == [output.call_id for output in second.outputs]
    if gateway.mode.inner:
        thoughts = [item["text"] for item in run.items if item["type"] == "reasoning"]
        assert thoughts[0] == "**Planning**\n\ntwo files"
        assert len(second.sealed) == 1


@MODELS
@pytest.mark.proves("CLIENTS-codex-resume")
async def test_a_resumed_session_sends_what_was_said(gateway: Served, codex: Make, model: str) -> None:
    program = codex()
    await program.exec("Reply with exactly: first", model=model)
    run = await program.exec("resume", "--last", "Reply with exactly: second", model=model)
    assert (run.code, run.answer, run.errors) == (0, "second", [])
    first, second = gateway.asked("responses")
    assert second.said == ["first"]
    if gateway.mode.inner:
        assert second.body["prompt_cache_key"] == first.body["prompt_cache_key"]


@MODELS
@pytest.mark.proves("CLIENTS-codex-schema")
async def test_an_output_schema_is_kept(gateway: Served, codex: Make, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["name", "population"],
        "additionalProperties": False,
    }
    program = codex()
    (program.workspace / "schema.json").write_text(json.dumps(schema))
    prompt = 'Reply with exactly: {"name": "Paris", "population": 2100000}'
    run = await program.exec("--output-schema", "schema.json", prompt, model=model)
    assert json.loads(run.answer) == {"name": "Paris", "population": 2100000}
    [asked] = gateway.asked("responses")
    assert (asked.schema["strict"], asked.schema["schema"]) == (True, schema)


def with_picture(program: Codex) -> Codex:
    (program.workspace / "pixel.png").write_bytes(base64.b64decode(PIXEL.partition(",")[2]))
    return program


async def test_an_image_is_sent_along(gateway: Served, codex: Make) -> None:
    run = await with_picture(codex()).exec("--image", "pixel.png", "--", "What is this?", model=CLASSIC)
    assert (run.code, run.errors) == (0, [])
    assert "an image" in run.answer
    assert "data:image/png;base64," in gateway.asked("responses")[0].text


async def test_the_result_of_a_tool_may_be_an_image(gateway: Served, codex: Make) -> None:
    gateway.play("responses", {"call": "view_image", "arguments": {"path": "pixel.png"}}, None)
    run = await with_picture(codex()).exec("Look at it", model=CLASSIC)
    assert (run.code, run.errors) == (0, [])
    second = gateway.asked("responses")[1]
    assert PIXEL in second.text
    if gateway.mode.inner:
        [part] = second.outputs[0].content
        assert (part["type"], part["image_url"]) == ("input_image", PIXEL)


@pytest.mark.parametrize("model", [LITE, FOREIGN])
@pytest.mark.proves("CLIENTS-codex-mcp")
async def test_a_tool_of_an_mcp_server_is_called(gateway: Served, codex: Make, model: str) -> None:
    if model == LITE:
        step = javascript(gateway.mode, "text(await tools.mcp__shop__price_of({fruit: 'apple'}));")
    else:
        step = tool_call(gateway.mode, "price_of", {"fruit": "apple"}, "mcp__shop")
    gateway.play("responses", step, None)
    run = await codex(more=SHOP).exec("What is an apple?", model=model)
    assert (run.code, run.errors) == (0, [])
    [called] = [item for item in run.items if item["type"] == "mcp_tool_call"]
    assert (called["server"], called["tool"], called["arguments"]) == ("shop", "price_of", {"fruit": "apple"})
    [output] = gateway.asked("responses")[1].outputs
    assert "apple: 3 coins" in json.dumps(output.content)


def search(mode: Mode, query: str) -> Json:
    """The step of a model that looks for tools."""
    if not mode.inner:
        return tool_call(mode, "tool_search", {"query": query})
    item = {"type": "tool_search_call", "id": "tsc_1", "call_id": "call_1", "status": "completed"}
    return {"item": {**item, "execution": "client", "arguments": {"query": query}}}


@pytest.mark.proves("CLIENTS-codex-mcp", "CHAT-SERVER-search", "CHAT-ANSWER-search")
async def test_a_tool_is_searched_for_and_then_called(gateway: Served, codex: Make) -> None:
    price_of = tool_call(gateway.mode, "price_of", {"fruit": "apple"}, "mcp__shop")
    gateway.play("responses", search(gateway.mode, "price of fruit"), price_of, None)
    run = await codex(more=SHOP).exec("What is an apple?", model=CLASSIC)
    assert (run.code, run.errors) == (0, [])
    first, second, last = gateway.asked("responses")
    assert "mcp__shop" not in json.dumps(first.body["tools"])
    if gateway.mode.inner:
        [found] = [item for item in last.history if item["type"] == "tool_search_output"]
        assert found["tools"][0]["tools"][0]["name"] == "price_of"
        assert [called.name for called in last.calls] == ["mcp__shop.price_of"]
    else:
        offered = [tool["function"]["name"] for tool in second.body["tools"]]
        assert {"tool_search", "mcp__shop__price_of"} <= set(offered)
        assert [called.name for called in last.calls] == ["tool_search", "mcp__shop__price_of"]
        assert json.loads(last.calls[0].given) == {"query": "price of fruit"}
        assert last.outputs[0] == (last.calls[0].call_id, "These tools can be called now: mcp__shop__price_of")
    assert "apple: 3 coins" in json.dumps(last.outputs[-1].content)


@MODELS
async def test_a_long_session_is_compacted_and_goes_on(gateway: Served, codex: Make, model: str) -> None:
    steps = [shell(gateway.mode, model, "echo hi"), {"text": "SUMMARY-7"}, {"text": "end"}]
    gateway.play("responses", *steps)
    run = await codex().exec("-c", "model_auto_compact_token_limit=10", "Work long", model=model)
    assert (run.code, run.answer, run.errors) == (0, "end", [])
    assert "SUMMARY-7" in gateway.asked("responses")[2].text


async def test_a_review_is_made(gateway: Served, codex: Make) -> None:
    findings = {"findings": [], "overall_correctness": "patch is correct", "overall_explanation": "FINE-9"}
    gateway.play("responses", {"steps": [{"text": json.dumps({**findings, "overall_confidence_score": 1})}]})
    run = await codex().exec("review", "Look for mistakes", model=CLASSIC)
    assert (run.code, run.errors) == (0, [])
    assert "FINE-9" in run.answer


@MODELS
@pytest.mark.proves("CLIENTS-codex-websocket")
async def test_a_session_is_one_websocket_connection(gateway: Served, tmp_path: Path, model: str) -> None:
    gateway.play("responses", shell(gateway.mode, model, "echo hi"), None)
    before = len(gateway.said.lines)
    run = await Codex(tmp_path, gateway.url, websockets=True).exec("Do it", model=model)
    assert (run.code, run.errors) == (0, [])
    told = await gateway.logged("websocket", before)
    assert (told["status"], told["outcome"], told["turns"]) == (101, "completed", 3), "a warm-up and two turns"
    assert len(gateway.sent("responses")) == 2, "the warm-up is answered by the gateway"


@pytest.mark.proves("CLIENTS-abort")
async def test_an_interrupt_ends_the_upstream_call(gateway: Served, codex: Make) -> None:
    gateway.play("responses", {"steps": [{"text": ["one ", "two "]}], "finish": "stall"})
    sim = gateway.sim
    await codex().exec("Hi", model=CLASSIC, interrupt=sim.until(lambda: sim.open_streams == 1))
    [call] = sim.calls(gateway.mode.route("responses"))
    await gateway.ended(call)
    assert call.closed_early


@only(*INNER)
async def test_a_search_of_the_server_is_shown(gateway: Served, codex: Make) -> None:
    gateway.play("responses", {"steps": [{"search": "weather in Paris"}, {"text": "sunny"}]})
    run = await codex().exec("Search it", model=CLASSIC)
    assert (run.code, run.answer) == (0, "sunny")
    assert [item["query"] for item in run.items if item["type"] == "web_search"] == ["weather in Paris"]


@pytest.mark.proves("CLIENTS-codex-failures")
@pytest.mark.parametrize("finish", ["cut", "end", {"failed": "server_error"}], ids=["cut", "end", "failed"])
async def test_a_broken_stream_is_tried_again(gateway: Served, codex: Make, finish: str | Json) -> None:
    gateway.play("responses", {"steps": [{"text": ["half ", "an "]}], "finish": finish}, None)
    run = await codex(retries=2).exec("Reply with exactly: whole", model=CLASSIC)
    assert (run.code, run.answer) == (0, "whole")
    assert all(told.startswith("Reconnecting") for told in run.errors)
    assert len(gateway.sent("responses")) == 2


@only(CODEX)
@pytest.mark.proves("CLIENTS-codex-failures")
async def test_a_used_up_plan_ends_the_run_with_its_words(gateway: Served, codex: Make) -> None:
    gateway.play("responses", "usage_limit_reached")
    run = await codex(retries=3).exec("Hi", model=CLASSIC)
    assert run.code == 1
    assert "usage limit" in run.errors[-1].lower()
    assert len(gateway.sent("responses")) == 1


@pytest.mark.proves("CLIENTS-codex-failures")
async def test_an_unknown_model_ends_the_run_with_its_name(gateway: Served, codex: Make) -> None:
    run = await codex(retries=1).exec("Hi", model="gpt-nobody")
    assert run.code == 1
    assert "gpt-nobody" in run.errors[-1] or "does not exist" in run.errors[-1]
