"""What becomes of parameters that chat and legacy completions share and no Responses server has (translation §1.1).

A soft wish is left out and told to the client; a wish that changes the answer is refused. The operator may turn leaving
out into refusing, or refusing into leaving out.
"""

from __future__ import annotations

from typing import Any, Protocol

from gateway.core.fields import malformed, read_integer, read_list, read_number, read_object, read_text
from gateway.core.ids import digest
from gateway.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue

Json = dict[str, Any]

MOST_STOPS = 4
LONGEST_STOP = 4096
"""Characters. Text that may be the beginning of a stop string is compared with it again and again."""
LEAST_OUTPUT_TOKENS = 16
"""The Responses API accepts no smaller `max_output_tokens`."""
_USER_LENGTH = 64


class Policy(Protocol):
    """What the operator decided."""

    @property
    def unsupported(self) -> str:
        """default, strict or lenient."""
        ...


class Verdicts:
    """Collects what is left out."""

    def __init__(self, policy: Policy) -> None:
        self.dropped: list[str] = []
        self._mode = policy.unsupported

    def leave_out(self, param: str, reason: str) -> None:
        """A soft wish that cannot be met. Raises UnsupportedParameter when the operator is strict."""
        if self._mode == "strict":
            raise UnsupportedParameter(f"{param} is not supported here: {reason}.", param=param)
        self.dropped.append(param)

    def refuse(self, error: InvalidRequest) -> None:
        """A wish that changes the answer too much to be left out silently.

        Raises the error, unless the operator is lenient.
        """
        if self._mode != "lenient":
            raise error
        self.dropped.append(str(error.param))


def read_limit(document: Json, names: tuple[str, ...], verdicts: Verdicts) -> int | None:
    """`max_output_tokens` of the inner body, from the first of these fields that is there. Raises InvalidRequest."""
    limits = {name: read_integer(document, name, name) for name in names}
    name = next((name for name, limit in limits.items() if limit is not None), None)
    if name is None:
        return None
    limit = limits[name] or 0
    if limit <= 0:
        verdicts.refuse(InvalidRequest(f"{name} must be at least 1, not {limit}.", param=name))
        return None
    return max(limit, LEAST_OUTPUT_TOKENS)


def read_user(document: Json) -> str | None:
    """`user`; a hash of one that is longer than servers take. Raises InvalidRequest."""
    user = read_text(document, "user", "user")
    return user if user is None or len(user) <= _USER_LENGTH else digest(user)


def refuse_sampling(document: Json, verdicts: Verdicts) -> None:
    """`n`, `logit_bias` and the penalties. Raises InvalidRequest, UnsupportedParameter, UnsupportedValue."""
    count = read_integer(document, "n", "n")
    if count is not None and count < 1:
        raise malformed("n", "1", count)
    if count is not None and count > 1:  # also with a lenient operator: a program that asked for three must not get one
        raise UnsupportedValue(f"n must be 1, not {count}: one request gives one answer here.", param="n")
    if read_object(document, "logit_bias", "logit_bias"):
        error = UnsupportedParameter("logit_bias is not supported here: no upstream has it.", param="logit_bias")
        verdicts.refuse(error)
    for name in ("presence_penalty", "frequency_penalty"):
        if read_number(document, name, name):
            verdicts.leave_out(name, "the Responses API has no such parameter")


def read_stop(document: Json, verdicts: Verdicts, *, structured: bool = False) -> tuple[str, ...]:
    """The stop strings that the gateway looks for itself, because no Responses server does (translation §1.8).

    `structured`: the answer is JSON, which a stop string would cut apart. Raises InvalidRequest, UnsupportedParameter.
    """
    value = document.get("stop")
    given = [value] if isinstance(value, str) else read_list(document, "stop", "stop") or []
    for index, stop in enumerate(given):
        if not isinstance(stop, str):
            raise malformed(f"stop[{index}]", "a string", stop)
        if len(stop) > LONGEST_STOP:
            message = f"stop[{index}] must have at most {LONGEST_STOP} characters, not {len(stop)}."
            raise InvalidRequest(message, param=f"stop[{index}]" if isinstance(value, list) else "stop")
    stops = tuple(stop for stop in given if stop)
    if len(stops) > MOST_STOPS:
        raise InvalidRequest(f"stop holds at most {MOST_STOPS} strings, not {len(stops)}.", param="stop")
    if stops and structured:
        error = UnsupportedParameter("stop cannot be combined with a JSON response_format here.", param="stop")
        verdicts.refuse(error)
        return ()
    return stops
