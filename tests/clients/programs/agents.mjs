// The OpenAI Agents SDK, on either API, streamed or not.
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
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
  return { agent, runner: new Runner({ modelProvider, tracingDisabled: true }), modelProvider, called };
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
