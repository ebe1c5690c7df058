// The OpenAI Agents SDK, on either API, streamed or not.
import { Agent, OpenAIConversationsSession, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

setTracingDisabled(true);

const CITY = z.object({ name: z.string(), population: z.number().int() });

function prepared({ client, model, settings, tools, structured, face, websocket }) {
  const openAIClient = new OpenAI({ ...client, maxRetries: 0, timeout: 20_000 });
  const modelProvider = new OpenAIProvider({ openAIClient, useResponses: face === "responses", useResponsesWebSocket: websocket });
  const called = [];
  const weather = tool({
    name: "get_weather",
    description: "The weather at a place",
    parameters: z.object({ location: z.string() }),
    execute: ({ location }) => {
      called.push(location);
      return `18C-SUNNY in ${location}`;
    },
  });
  const agent = new Agent({
    name: "assistant",
    instructions: "Be brief.",
    model,
    modelSettings: settings ?? {},
    tools: tools ? [weather] : [],
    outputType: structured ? CITY : "text",
  });
  return { agent, runner: new Runner({ modelProvider, tracingDisabled: true }), modelProvider, called, openAIClient };
}

// One run; with `stream` also the names of what was shown. `more` is asked afterwards, on top of the history.
export async function run({ prompt, more, stream, ...given }) {
  const { agent, runner, modelProvider, called } = prepared(given);
  const shown = [];
  const once = async (input) => {
    const result = await runner.run(agent, input, { stream: stream === true, maxTurns: 5 });
    if (stream) {
      for await (const event of result) shown.push(event.type === "raw_model_stream_event" ? event.data.type : event.name);
      await result.completed;
    }
    return result;
  };
  try {
    const first = await once(prompt);
    const result = more ? await once([...first.history, { role: "user", content: more }]) : first;
    const { inputTokens, outputTokens, totalTokens } = result.state.usage;
    return { output: result.finalOutput, usage: { inputTokens, outputTokens, totalTokens }, called, shown };
  } finally {
    await modelProvider.close();
  }
}

// Runs that send only what is new. `by`: "conversation" and "session" keep what was said there, "response" goes on from
// the response before.
export async function kept({ prompts, by, stream, ...given }) {
  const { agent, runner, modelProvider, called, openAIClient } = prepared(given);
  const conversationId = by === "response" ? undefined : (await openAIClient.conversations.create()).id;
  const session = by === "session" ? new OpenAIConversationsSession({ conversationId, client: openAIClient }) : undefined;
  const outputs = [];
  let previousResponseId;
  try {
    for (const prompt of prompts) {
      const memory = { response: { previousResponseId }, conversation: { conversationId }, session: { session } }[by];
      const result = await runner.run(agent, prompt, { stream: stream === true, maxTurns: 5, ...memory });
      if (stream) await result.completed;
      previousResponseId = result.lastResponseId;
      outputs.push(result.finalOutput);
    }
    return { outputs, called, conversation: conversationId ?? null, last: previousResponseId };
  } finally {
    await modelProvider.close();
  }
}
