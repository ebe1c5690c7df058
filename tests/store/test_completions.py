"""Lists of stored chat completions, on both databases."""

from __future__ import annotations

import pytest

from gateway.errors import UnknownCursor
from gateway.store import Store
from tests.store.home import OWNER, answer, message, response, running


async def ids(store: Store, **wanted: object) -> list[str]:
    page = await store.completions.page(OWNER, **wanted)  # type: ignore[arg-type]
    return [row.wire_id for row in page.rows]


@pytest.fixture
async def kept(store: Store) -> Store:
    rows = [("a", "m", {"k": "v"}), ("b", "n", {"k": "v", "x": "1"}), ("c", "m", {"k": "V"}), ("d", "m", {"x": "1"})]
    for name, model, metadata in rows:
        new = response(f"chatcmpl-{name}", surface="chat", model=model, metadata=metadata)
        await store.responses.save(new, [message("1"), message("2"), answer(name)])
    await store.responses.save(response("resp_e", model="m", metadata={"k": "v"}), [])
    await store.responses.save(response("chatcmpl-f", owner="visitor", surface="chat", model="m"), [])
    await store.responses.begin(running("chatcmpl-g", surface="chat", model="m"))
    return store


@pytest.mark.proves("STORE-completions")
async def test_completions_are_filtered_by_model_and_metadata(kept: Store) -> None:
    assert await ids(kept) == ["a", "b", "c", "d"]
    assert await ids(kept, order="desc") == ["d", "c", "b", "a"]
    assert await ids(kept, model="m") == ["a", "c", "d"]
    assert await ids(kept, metadata={"k": "v"}) == ["a", "b"]
    assert await ids(kept, metadata={"k": "v", "x": "1"}) == ["b"]
    assert await ids(kept, model="m", metadata={"x": "1"}) == ["d"]
    assert await ids(kept, metadata={"k": "%"}) == []
    assert await kept.responses.set_metadata(OWNER, "chatcmpl-a", {"now": "other"})
    assert await ids(kept, metadata={"k": "v"}) == ["b"]
    assert await ids(kept, metadata={"now": "other"}) == ["a"]


@pytest.mark.proves("STORE-completions")
@pytest.mark.parametrize("odd", [{",": ":"}, {'a"b': "\\"}, {"a\nb": "c\nd"}, {"é": "😀"}])
async def test_metadata_with_any_characters_is_found_and_not_mistaken(store: Store, odd: dict[str, str]) -> None:
    await store.responses.save(response("chatcmpl-odd", surface="chat", metadata=odd), [])
    await store.responses.save(response("chatcmpl-x", surface="chat", metadata={"a": "b", ":": "v", "b": "c"}), [])
    assert await ids(store, metadata=odd) == ["odd"]


@pytest.mark.proves("STORE-completions", "STORE-pages")
async def test_pages_of_completions_have_their_outputs(kept: Store) -> None:
    page = await kept.completions.page(OWNER, limit=2)
    assert ([row.result["output"][0]["content"][0]["text"] for row in page.rows], page.more) == (["a", "b"], True)
    page = await kept.completions.page(OWNER, limit=2, after="chatcmpl-b")
    assert ([row.wire_id for row in page.rows], page.more) == (["c", "d"], False)
    for unknown in ("chatcmpl-z", "chatcmpl-f", "resp_e"):
        with pytest.raises(UnknownCursor):
            await kept.completions.page(OWNER, after=unknown)


@pytest.mark.proves("STORE-completions")
async def test_the_messages_of_a_completion_have_numbers(kept: Store) -> None:
    page = await kept.completions.messages(OWNER, "chatcmpl-a", limit=1)
    assert page is not None
    assert ([place for place, _ in page.rows], page.more) == ([0], True)
    page = await kept.completions.messages(OWNER, "chatcmpl-a", limit=1, after="chatcmpl-a-0")
    assert page is not None
    assert ([place for place, _ in page.rows], page.more) == ([1], False)
    for unknown in ("chatcmpl-a-2", "chatcmpl-a", "x-99999999999999999999"):
        with pytest.raises(UnknownCursor):
            await kept.completions.messages(OWNER, "chatcmpl-a", after=unknown)
    for name in ("chatcmpl-f", "resp_e", "chatcmpl-z"):
        assert await kept.completions.messages(OWNER, name) is None
