"""Bodies that are sent once more after a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import GatewayError, UpstreamOverloaded, UpstreamRefusal
from gateway.upstreams.repair import repair, without_foreign

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "id": "fc_1"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
STRAY_CALL = {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": ""}
STRAY_OUTPUT = {"type": "custom_tool_call_output", "call_id": "c3", "output": ""}
THOUGHT = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
USER = {"role": "user", "content": "Hi"}
BODY = {
    "model": "m",
    "input": [USER, THOUGHT, CALL, OUTPUT, STRAY_CALL, STRAY_OUTPUT],
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "low", "context": "all_turns"},
}


def refused(message: str = "no", code: str | None = None, param: str | None = None, status: int = 400) -> GatewayError:
    return UpstreamRefusal(message, status=status, kind="invalid_request_error", code=code, param=param)


@pytest.mark.parametrize(
    ("error", "change"),
    [
        pytest.param(
            refused(code="unsupported_parameter", param="text"),
            {"text": None},
            id="a field it does not know",
        ),
        pytest.param(
            refused(code="unsupported_parameter", param="reasoning.context"),
            {"reasoning": {"effort": "low"}},
            id="a field inside a field",
        ),
        pytest.param(
            refused(code="invalid_encrypted_content"),
            {"input": [USER, CALL, OUTPUT, STRAY_CALL, STRAY_OUTPUT]},
            id="reasoning of another account",
        ),
        pytest.param(
            refused("The encrypted content gAAA... could not be verified."),
            {"input": [USER, CALL, OUTPUT, STRAY_CALL, STRAY_OUTPUT]},
            id="the same, said in words",
        ),
        pytest.param(
            refused("No tool output found for function call c2."),
            {"input": [USER, THOUGHT, CALL, OUTPUT]},
            id="calls without their outputs",
        ),
        pytest.param(
            refused("No tool call found for function call output with call_id c3."),
            {"input": [USER, THOUGHT, CALL, OUTPUT]},
            id="outputs without their calls",
        ),
        pytest.param(
            refused(code="invalid_id_prefix", param="input[2].id"),
            {"input": [USER, THOUGHT, {k: v for k, v in CALL.items() if k != "id"}, OUTPUT, STRAY_CALL, STRAY_OUTPUT]},
            id="ids it does not like",
        ),
    ],
)
@pytest.mark.proves("FAIL-1", "FAIL-10", "FAIL-11", "FAIL-12")
def test_what_a_refusal_names_is_taken_out_once(error: GatewayError, change: dict[str, Any]) -> None:
    mended = repair(BODY, error)
    assert mended == {name: value for name, value in {**BODY, **change}.items() if value is not None}
    assert repair(mended, error) is None


@pytest.mark.parametrize(
    "error",
    [
        refused(code="unsupported_parameter", param="input"),
        refused(code="unsupported_parameter", param="temperature"),
        refused(code="unsupported_parameter"),
        refused(code="context_length_exceeded"),
        refused(code="invalid_encrypted_content", status=429),
        UpstreamOverloaded("x"),
    ],
)
@pytest.mark.proves("UPSTREAM-repair-bounds")
def test_other_refusals_are_left_alone(error: GatewayError) -> None:
    assert repair(BODY, error) is None


@pytest.mark.proves("UPSTREAM-repair-bounds")
def test_an_input_is_never_mended_away() -> None:
    assert repair({"model": "m", "input": [THOUGHT]}, refused(code="invalid_encrypted_content")) is None


@pytest.mark.proves("CONTINUITY-refused")
def test_a_server_that_speaks_for_itself_is_only_spared_reasoning_that_it_cannot_read() -> None:
    mended = without_foreign(BODY, refused(code="invalid_encrypted_content"))
    assert mended == {**BODY, "input": [USER, CALL, OUTPUT, STRAY_CALL, STRAY_OUTPUT]}
    assert without_foreign(BODY, refused(code="invalid_encrypted_content", status=429)) is None
    assert without_foreign(BODY, refused(code="unsupported_parameter", param="text")) is None
    assert without_foreign(BODY, refused("No tool output found for function call c2.")) is None
