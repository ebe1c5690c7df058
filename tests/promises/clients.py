"""What is promised of: programs people use."""

from __future__ import annotations

from tests.promises import Promise

CLIENTS: dict[str, Promise] = {
    "CLIENTS-openai-chat": Promise("clients, answers", "the openai SDK for Node reads chat answers, streams and calls"),
    "CLIENTS-openai-responses": Promise(
        "clients, answers", "the openai SDK for Node reads responses and their streams"
    ),
    "CLIENTS-openai-tools": Promise("clients, openai", "its tool loops go on with what it echoes, in either API"),
    "CLIENTS-openai-parse": Promise("clients, openai", "its `parse` fills schemas, also from streams"),
    "CLIENTS-parameters": Promise(
        "translation §1.1", "every parameter that an SDK offers arrives upstream, is told, or changes nothing"
    ),
    "CLIENTS-errors": Promise("design §5.3", "SDKs raise the class of each error, with status, code, param and words"),
    "CLIENTS-retries": Promise(
        "translation §8.4", "SDKs are told how long to wait, and never retry what cannot succeed"
    ),
    "CLIENTS-models": Promise("clients, openai", "models are listed and retrieved"),
    "CLIENTS-openai-completions": Promise("clients, openai", "it reads legacy completions and their streams"),
    "CLIENTS-openai-stored": Promise(
        "openai package", "its methods of stored responses work against every upstream that the gateway keeps them for"
    ),
    "CLIENTS-openai-background": Promise("openai package", "it polls, cancels and takes up background responses"),
    "CLIENTS-openai-conversations": Promise("openai package", "its methods of conversations and their items work"),
    "CLIENTS-openai-completions-stored": Promise("openai package", "its methods of stored chat completions work"),
    "CLIENTS-openai-others": Promise("design §5.2", "embeddings, images, audio and moderations reach a server's own"),
    "CLIENTS-abort": Promise("design §6", "an abort in an SDK ends the upstream call"),
    "CLIENTS-ai-text": Promise(
        "clients, AI SDK", "the AI SDK reads texts, streams and token counts from each provider"
    ),
    "CLIENTS-ai-tools": Promise("clients, AI SDK", "its tool loops run to their end"),
    "CLIENTS-ai-structured": Promise("clients, AI SDK", "it fills schemas"),
    "CLIENTS-ai-stored": Promise(
        "clients, AI SDK", "what it names instead of sending it again is found, with `store` as it comes"
    ),
    "CLIENTS-ai-reasoning": Promise("clients, AI SDK", "it shows reasoning, and sends it back with the next turn"),
    "CLIENTS-websocket": Promise("clients, Open Responses", "the SDKs' WebSocket clients hold a conversation"),
    "CLIENTS-agents": Promise("clients, openai-agents", "the Agents SDK for JavaScript runs on either API"),
    "CLIENTS-agents-stored": Promise(
        "clients, openai-agents", "the Agents SDK goes on from conversations and responses that the gateway keeps"
    ),
    "CLIENTS-codex": Promise("clients, Codex", "the Codex CLI is accepted and answered, classic and lite"),
    "CLIENTS-codex-tools": Promise("clients, Codex", "its commands are run and its patches applied"),
    "CLIENTS-codex-mcp": Promise("clients, Codex", "tools in namespaces are found, called and answered"),
    "CLIENTS-codex-resume": Promise("clients, Codex", "it resumes sessions"),
    "CLIENTS-codex-schema": Promise("clients, Codex", "its output schema is kept"),
    "CLIENTS-codex-websocket": Promise("clients, Codex", "over a WebSocket it works as over HTTP, on one connection"),
    "CLIENTS-codex-failures": Promise("clients, Codex", "it tries again what may succeed, and nothing else"),
}
