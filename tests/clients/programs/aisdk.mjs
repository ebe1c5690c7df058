// The Vercel AI SDK, in its two lines, with the three providers that programs point at a gateway.
import { z } from "zod";

const LINES = {
  7: { core: "ai", openai: "@ai-sdk/openai", compatible: "@ai-sdk/openai-compatible" },
  6: { core: "ai-6", openai: "ai-6-openai", compatible: "ai-6-openai-compatible" },
};

async function load({ line, face, client, model }) {
  const names = LINES[line];
  const sdk = await import(names.core);
  if (face === "compatible") {
    const { createOpenAICompatible } = await import(names.compatible);
    const provider = createOpenAICompatible({ name: "gateway", ...client, includeUsage: true, supportsStructuredOutputs: true });
    return { sdk, model: provider(model), provider };
  }
  const { createOpenAI } = await import(names.openai);
  const sent = [];
  const fetch = (url, init) => {
    sent.push(JSON.parse(init.body));
    return globalThis.fetch(url, init);
  };
  const provider = createOpenAI({ ...client, fetch });
  return { sdk, model: provider[face](model), provider, sent };
}

// How many items of a body are only named in it.
const named = (body) => body?.input?.filter(({ type }) => type === "item_reference").length;

// Tools by name; each answers with a text, which names the city it was asked for.
const tools = (sdk, outputs, called) =>
  outputs &&
  Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [
      name,
      sdk.tool({
        description: name,
        inputSchema: z.object({ location: z.string() }),
        execute: ({ location }) => {
          called.push([name, location]);
          return `${output} in ${location}`;
        },
      }),
    ]),
  );

const CITY = z.object({ name: z.string(), population: z.number().int() });

async function prepared({ outputs, structured, options, steps = 5, ...given }) {
  const { sdk, model, sent = [] } = await load(given);
  const called = [];
  const call = { model, maxRetries: 0, ...options };
  if (outputs) Object.assign(call, { tools: tools(sdk, outputs, called), stopWhen: sdk.stepCountIs(steps) });
  if (structured) call.output = sdk.Output.object({ schema: CITY });
  return { sdk, call, called, sent };
}

const told = async (result, called, structured) => ({
  text: await result.text,
  reasoning: await result.reasoningText,
  output: structured ? await result.output : null,
  finishReason: await result.finishReason,
  usage: await result.totalUsage,
  sources: await result.sources,
  steps: (await result.steps).map((step) => ({
    toolCalls: step.toolCalls.map(({ toolName, input }) => [toolName, input]),
    finishReason: step.finishReason,
    headers: step.response.headers,
  })),
  messages: (await result.responseMessages) ?? (await result.response).messages, // of all steps, in either line
  called,
});

export async function generate(given) {
  const { sdk, call, called } = await prepared(given);
  return told(await sdk.generateText(call), called, given.structured);
}

// The same as a stream: also the types of its parts, in order, and what each part of text brought.
export async function stream(given) {
  const { sdk, call, called } = await prepared(given);
  const errors = [];
  const result = sdk.streamText({ ...call, onError: ({ error }) => errors.push(String(error?.message ?? error)) });
  const parts = [];
  const pieces = [];
  for await (const part of result.fullStream) {
    parts.push(part.type);
    if (part.type === "text-delta") pieces.push(part.text);
  }
  if (errors.length) return { parts, pieces, errors };
  return { parts, pieces, errors, ...(await told(result, called, given.structured)) };
}

// The client's abort after the first piece of text.
export async function aborted(given) {
  const { sdk, call } = await prepared(given);
  const control = new AbortController();
  const parts = [];
  for await (const part of sdk.streamText({ ...call, abortSignal: control.signal }).fullStream) {
    parts.push(part.type);
    if (part.type === "text-delta") control.abort();
  }
  return { last: parts.at(-1) };
}

// Two turns: what the first brought, reasoning included, goes back with the second.
export async function twoTurns({ prompts, ...given }) {
  const { sdk, call, sent } = await prepared(given);
  const first = await sdk.generateText({ ...call, messages: [{ role: "user", content: prompts[0] }] });
  const messages = [
    { role: "user", content: prompts[0] },
    ...first.response.messages,
    { role: "user", content: prompts[1] },
  ];
  const second = await sdk.generateText({ ...call, messages });
  return { first: first.text, reasoning: first.reasoningText ?? null, second: second.text, named: named(sent.at(-1)) };
}

// Turns that send only what is new: what was said before is in `conversation`, or in the response before.
export async function chained({ prompts, conversation, ...given }) {
  const { sdk, call, called } = await prepared(given);
  const texts = [];
  let last;
  for (const prompt of prompts) {
    const kept = conversation ? { conversation } : { previousResponseId: last };
    const result = await sdk.generateText({ ...call, prompt, providerOptions: { openai: kept } });
    last = result.providerMetadata.openai.responseId;
    texts.push(result.text);
  }
  return { texts, last, called };
}

// The history of one program, gone on with by another: `messages` are those of its results.
export async function goneOn({ messages, prompt, ...given }) {
  const { sdk, call, sent } = await prepared(given);
  const result = await sdk.generateText({ ...call, messages: [...messages, { role: "user", content: prompt }] });
  return { text: result.text, named: named(sent.at(-1)) };
}
