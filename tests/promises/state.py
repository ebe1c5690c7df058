"""What is promised of: stored responses, conversations and completions over HTTP."""

from __future__ import annotations

from tests.promises import Promise

STATE: dict[str, Promise] = {
    "STATE-conversations": Promise("openai package", "conversations are made, read, changed and deleted with the SDK"),
    "STATE-items": Promise("openai package", "items are added, listed, read and taken out with the SDK"),
    "STATE-item-ids": Promise("translation §7.3", "an item keeps its id when that is valid and unused"),
    "STATE-item-shape": Promise("design §5.3", "an item that no server could read is 400 and names the field"),
    "STATE-item-kinds": Promise("surfaces A5", "every kind of input item is taken, and comes back as the SDK types it"),
    "STATE-responses": Promise("openai package", "stored responses are read, deleted and cancelled with the SDK"),
    "STATE-input-items": Promise("openai package", "the input of a response is listed with the SDK"),
    "STATE-cancel": Promise(
        "design §5.4", "a cancel reaches the process that runs the response, and waits for its end"
    ),
    "STATE-resume": Promise(
        "translation §7.6", "a logged stream is read again from any number, and followed to its end"
    ),
    "STATE-not-resumable": Promise("translation §7.6", "a stream whose log is not kept is 400, param stream"),
    "STATE-completions": Promise("openai package", "stored completions are listed, read, changed and deleted"),
    "STATE-messages": Promise("openai package", "the messages of a stored completion are those it was asked with"),
    "STATE-include": Promise("translation §7.7", "include is a projection: what was produced is shown when asked for"),
    "STATE-query": Promise("translation §7.2", "a bad limit, order, include or after is 400 with its param and code"),
    "STATE-metadata": Promise("translation §7.2", "metadata beyond its limits is 400 with the code of the limit"),
    "STATE-not-found": Promise("translation §7.2", "a wrong prefix, an unknown and a deleted id are the same 404"),
    "STATE-owners": Promise("design §5.5", "owners see, change and delete nothing of each other"),
    "STATE-paths": Promise("openai package", "ids are unescaped, a slash inside of them ends nothing"),
    "STATE-unavailable": Promise("design §5.4", "a store that cannot be used is 503 store_unavailable"),
    "CASE-135": Promise("translation §9", "cancelling a synchronous response is 400, a background one twice is 200"),
    "CASE-136": Promise("translation §9", "limit=1 over three items is three pages of the SDK's pager"),
    "CASE-137": Promise("translation §9", "an empty list has empty ids and no more"),
    "CASE-138": Promise("translation §9", "deleting an item answers with the conversation"),
    "CASE-139": Promise("translation §9", "include[]= and include= are the same"),
    "CASE-140": Promise("translation §9", "a stream resumed after event 5 goes on with event 6, numbers unchanged"),
    "CASE-143": Promise("translation §9", "another owner's id is answered as an unknown one"),
    "CASE-157": Promise("translation §9", "a call in a conversation is listed as a function_call with its call_id"),
    "CASE-159": Promise("translation §9", "system and developer items are kept and listed like others"),
}
