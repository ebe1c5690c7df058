"""What is promised of: responses, conversations and completions that the gateway keeps for upstreams that do not."""

from __future__ import annotations

from tests.promises import Promise

RECALL: dict[str, Promise] = {
    # going on from what was said
    "RECALL-read": Promise("translation §7.3", "a response is read as it was told, as soon as its end was told"),
    "RECALL-input-items": Promise("translation §7.1", "the input of a turn is what was new in it, in pages of the SDK"),
    "RECALL-delete": Promise("translation §7.4", "what is deleted is gone, and what stands on it goes on"),
    "RECALL-chain": Promise("translation §7.4", "a chain goes up as one input, in the order it was said"),
    "RECALL-fork": Promise("translation §7.4", "several turns go on from one, and know nothing of each other"),
    "RECALL-not-inherited": Promise("translation §7.4", "instructions, tools and settings are those of each turn"),
    "RECALL-dedupe": Promise("translation §7.4", "a client that sends the history as well says nothing twice"),
    "RECALL-references": Promise("translation §7.2", "references to kept items are resolved, others refused by name"),
    "RECALL-store-false": Promise("translation §7.3", "what was not to be kept is nowhere"),
    "RECALL-ends": Promise("translation §7.3", "failed and cancelled ones are read, only incomplete ones continued"),
    "RECALL-refused": Promise("translation §7.2", "what nobody can go on from is refused by field, nothing is sent"),
    "RECALL-call-ids": Promise("translation §7.4", "the output of a call that nobody made is refused by its place"),
    "RECALL-upstream": Promise("design §5.2", "a server that keeps responses is asked for those that are not ours"),
    "RECALL-origins": Promise("translation §7.4", "encrypted reasoning goes to the account and server that made it"),
    "RECALL-twin": Promise("translation §7.4", "200 turns send what a client with its own history would have sent"),
    "RECALL-cost": Promise("design §5.4", "a late turn costs the store the rows and bytes of an early one"),
    "RECALL-one-query": Promise("design §5.4", "2,000 items are recalled by one query, through either door"),
    "RECALL-places": Promise("translation §8.4", "a refusal names an item by its place in what the client sent"),
    "RECALL-items": Promise("codex-upstream §5.10", "items go back without what only their server could use"),
    # conversations
    "RECALL-conversation": Promise("translation §7.1", "conversations and their items are managed with the SDK"),
    "RECALL-conversation-turns": Promise("translation §7.4", "a turn knows all items of its conversation, and adds"),
    "RECALL-conversation-own": Promise("translation §7.4", "failures add nothing, turns that are not kept do"),
    "RECALL-locked": Promise("translation §7.4", "a busy conversation takes no other turn, until it is free"),
    # background
    "RECALL-background": Promise("translation §7.5", "it is queued at once, runs alone and is polled to its end"),
    "RECALL-background-refused": Promise("translation §7.5", "what could not be fetched or run is refused at once"),
    "RECALL-background-failed": Promise("translation §7.5", "what upstream refuses is a failed response that says so"),
    "RECALL-background-stream": Promise("translation §7.6", "its stream is sound, and the same whenever it is read"),
    "RECALL-resume": Promise("translation §7.6", "a client that drops after any event sees each of them once"),
    "RECALL-cancel": Promise("translation §7.5", "running and queued ones are cancelled once, ended ones stay"),
    "RECALL-queue": Promise("design §5.2", "more than limits.background_responses wait for their turn"),
    "RECALL-delete-running": Promise("translation §7.5", "deleting a running one stops its upstream call"),
    "RECALL-left": Promise("translation §3.7", "a stream whose client left is kept as cancelled, as far as it came"),
    # other doors, other people
    "RECALL-chat": Promise("translation §7.1", "completions with store are listed, read, changed and deleted"),
    "RECALL-doors": Promise("design §1", "one talk goes on through every door, under every prefix of its kind"),
    "RECALL-owners": Promise("design §5.5", "what another owner has is answered like what never was, byte for byte"),
    "RECALL-secrets": Promise("translation §7.3", "what tools tell their servers is shown nowhere and in no row"),
    "RECALL-stateless": Promise("design §5.4", "what needs no store never waits for it"),
    "RECALL-unavailable": Promise("design §5.4", "without a store nothing is claimed to be kept, no answer is lost"),
    "CASE-129": Promise("translation §9", "a chain is flattened into the input of codex, the field removed"),
    "CASE-130": Promise("translation §9", "what was created with store:false cannot be continued"),
    "CASE-131": Promise("translation §9", "a streamed response is retrievable, with the items and ids of the stream"),
    "CASE-132": Promise("translation §9", "instructions of the parent are not applied to the child"),
    "CASE-133": Promise("translation §9", "tools of the parent are not those of the child"),
    "CASE-134": Promise("translation §9", "conversation and previous_response_id together are 400"),
    "CASE-141": Promise("translation §9", "a background stream whose client drops runs on, and is completed later"),
    "CASE-142": Promise("translation §9", "of two creates on one conversation the second is 400 conversation_locked"),
    "CASE-155": Promise("translation §9", "items added before the first create are part of the next model input"),
    "CASE-156": Promise("translation §9", "new instructions are used although the chain has a system message"),
    "CASE-158": Promise("translation §9", "a create without conversation invents none"),
}
