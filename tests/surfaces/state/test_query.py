"""Query strings: windows of lists, `include`, metadata; and metadata in bodies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.include import INCLUDABLE
from gateway.errors import InvalidRequest, UnknownCursor
from gateway.surfaces.state.lists import Query, Window, page_of
from tests.surfaces.state.conftest import World, problem

Json = dict[str, Any]

BAD = {
    "limit=0": ("integer_below_min_value", "limit"),
    "limit=-5": ("integer_below_min_value", "limit"),
    "limit=101": ("integer_above_max_value", "limit"),
    "limit=ten": ("invalid_request", "limit"),
    "limit=1e2": ("invalid_request", "limit"),
    "limit=9" + "9" * 30: ("invalid_request", "limit"),
    "limit=%D9%A3": ("invalid_request", "limit"),
    "order=newest": ("invalid_value", "order"),
    "order=ASC": ("invalid_value", "order"),
    "include=everything": ("invalid_value", "include[0]"),
    "include[]=reasoning.encrypted_content&include[]=x": ("invalid_value", "include[1]"),
    "include=reasoning.encrypted_content,x": ("invalid_value", "include[1]"),
    "after=msg_unknown": ("invalid_value", "after"),
    "after=conv_x": ("invalid_value", "after"),
    "&".join("a=b" for _ in range(501)): ("invalid_request", None),
}


@pytest.mark.proves("STATE-query")
@pytest.mark.parametrize("query", BAD, ids=lambda query: query[:40])
async def test_a_bad_parameter_is_named(world: World, query: str) -> None:
    made = await world.client.conversations.create()
    found = await world.refused("GET", f"/v1/conversations/{made.id}/items?{query}")
    assert problem(found) == (400, *BAD[query])


@pytest.mark.proves("STATE-query")
@pytest.mark.parametrize("query", ["", "limit=&order=&after=&include=", "beta=true&unknown=1", "limit=100&order=desc"])
async def test_parameters_that_are_empty_or_unknown_do_no_harm(world: World, query: str) -> None:
    made = await world.client.conversations.create()
    answer = await world.http.get(f"/v1/conversations/{made.id}/items?{query}")
    assert (answer.status_code, answer.json()["data"]) == (200, [])


@pytest.mark.proves("CASE-139")
def test_include_is_read_in_every_form() -> None:
    one, two = INCLUDABLE[:2]
    forms = (
        f"include[]={one}&include[]={two}",
        f"include={one}&include={two}",
        f"include={one},{two}",
        f"include={one}%2C%20{two}&include=",
        f"include%5B%5D={one}&include[1]={two}",
    )
    assert {Query(form.encode()).include() for form in forms} == {frozenset((one, two))}
    assert Query(b"included=x&include_obfuscation=true").include() == frozenset()


@pytest.mark.proves("STATE-query")
def test_flags_are_true_or_false() -> None:
    assert [Query(f"stream={word}".encode()).flag("stream") for word in ("true", "True", "false", "")] == [
        True,
        True,
        False,
        False,
    ]
    for word in ("1", "yes", "null"):
        with pytest.raises(InvalidRequest, match="stream must be true or false"):
            Query(f"stream={word}".encode()).flag("stream")


@pytest.mark.proves("STATE-query")
@given(
    st.binary(max_size=60), st.sampled_from([b"limit=", b"order=", b"include=", b"after=", b"metadata[", b"stream="])
)
def test_any_bytes_are_read_or_refused(tail: bytes, head: bytes) -> None:
    try:
        query = Query(head + tail)
        window = query.window("asc")
        query.flag("stream")
        query.include()
        metadata = query.metadata()
    except InvalidRequest as error:
        assert error.status == 400
        return
    assert 1 <= window.limit <= 100
    assert window.after is None or "\0" not in window.after
    assert all("\0" not in text for pair in metadata.items() for text in pair)


@pytest.mark.proves("STATE-query")
@given(st.integers(0, 30), st.integers(1, 7), st.sampled_from(["asc", "desc"]))
def test_pages_of_a_list_in_memory_are_the_list(count: int, limit: int, order: Any) -> None:
    rows = [{"id": str(number)} for number in range(count)]
    found: list[str] = []
    after = None
    while True:
        page = page_of(rows, Window(after, limit, order))
        assert len(page["data"]) <= limit
        found += [row["id"] for row in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    expected = [row["id"] for row in rows]
    assert found == (expected if order == "asc" else expected[::-1])
    with pytest.raises(UnknownCursor):
        page_of(rows, Window("other", limit, order))


METADATA: dict[str, tuple[Any, str, str]] = {
    "17 pairs": ({str(number): "" for number in range(17)}, "object_above_max_properties", "metadata"),
    "a long key": ({"k" * 65: ""}, "string_above_max_length", "metadata"),
    "a long value": ({"k": "v" * 513}, "string_above_max_length", "metadata"),
    "a number": ({"k": 5}, "invalid_request", "metadata.k"),
    "null inside": ({"k": None}, "invalid_request", "metadata.k"),
    "a list": (["k"], "invalid_request", "metadata"),
    "a text": ("k", "invalid_request", "metadata"),
}


@pytest.mark.proves("STATE-metadata")
@pytest.mark.parametrize("case", METADATA)
async def test_metadata_beyond_its_limits_is_refused_and_not_kept(world: World, case: str) -> None:
    metadata, code, param = METADATA[case]
    made = await world.client.conversations.create(metadata={"as": "before"})
    for path in ("/v1/conversations", f"/v1/conversations/{made.id}"):
        assert problem(await world.refused("POST", path, json={"metadata": metadata})) == (400, code, param)
    assert await world.client.conversations.retrieve(made.id) == made


@pytest.mark.proves("STATE-metadata")
async def test_metadata_within_its_limits_is_kept_as_it_is(world: World) -> None:
    metadata = {f"{number:064}": "ü" * 512 for number in range(15)} | {"": "\u0000 \U0001f600"}
    made = await world.client.conversations.create(metadata=metadata)
    assert made.metadata == metadata
    assert (await world.client.conversations.retrieve(made.id)).metadata == metadata


@pytest.mark.proves("STATE-metadata")
async def test_an_update_needs_metadata(world: World) -> None:
    made = await world.client.conversations.create()
    path = f"/v1/conversations/{made.id}"
    assert problem(await world.refused("POST", path, json={})) == (400, "invalid_request", "metadata")
    assert problem(await world.refused("POST", path, content=b"")) == (400, "invalid_request", None)
    assert problem(await world.refused("POST", path, content=b"[]")) == (400, "invalid_request", None)
