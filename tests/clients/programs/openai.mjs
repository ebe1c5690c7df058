// The openai SDK, as programs use it. `method` is a dotted path such as `chat.completions.create`.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { told } from "./told.mjs";

const City = z.object({ name: z.string(), population: z.number().int() });

const client = ({ baseURL, apiKey, ...options }) => new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000, ...options });

function call({ client: options, method, params, request }) {
  const path = method.split(".");
  const name = path.pop();
  const part = path.reduce((found, key) => found[key], client(options));
  const given = Array.isArray(params) ? params : [params];
  return part[name](...given, ...(request ? [request] : []));
}

// One answer with its headers.
export async function create(given) {
  const { data, response, request_id } = await call(given).withResponse();
  return { data, headers: Object.fromEntries(response.headers), request_id };
}

// Every page of a list.
export async function pages(given) {
  const found = [];
  for await (const entry of call(given)) found.push(entry);
  return found;
}

// Every event of a stream, and the error it ends in, if any. `leaveAfter`: the client goes away after so many.
export async function events({ leaveAfter, ...given }) {
  const { data: stream, response } = await call(given).withResponse();
  const seen = [];
  let error = null;
  try {
    for await (const event of stream) {
      seen.push(event);
      if (seen.length === leaveAfter) break;
    }
  } catch (failure) {
    error = told(failure);
  }
  return { events: seen, error, headers: Object.fromEntries(response.headers) };
}

// The client's own abort after so many events.
export async function aborted({ abortAfter, ...given }) {
  const control = new AbortController();
  const stream = await call({ ...given, request: { signal: control.signal } });
  let seen = 0;
  for await (const _ of stream) {
    seen += 1;
    if (seen === abortAfter) control.abort();
  }
  return { seen };
}

const HEARD = [
  "chunk", "content.delta", "content.done", "refusal.delta", "refusal.done", "event", "error", "end",
  "tool_calls.function.arguments.delta", "tool_calls.function.arguments.done", "functionToolCall",
  "functionToolCallResult", "response.output_text.delta", "response.function_call_arguments.delta", "response.completed",
  "response.refusal.delta",
];

// What a stream helper tells its listeners, and what it makes of the stream.
export async function helped(given) {
  const runner = call(given);
  const heard = {};
  for (const name of HEARD) runner.on(name, (event) => (heard[name] ??= []).push(event));
  const final = await (runner.finalChatCompletion ?? runner.finalResponse).call(runner);
  delete heard.chunk;
  return { heard, final };
}

const withFormat = (given) => ({
  ...given,
  params: given.method.startsWith("chat.")
    ? { ...given.params, response_format: zodResponseFormat(City, "city") }
    : { ...given.params, text: { ...given.params.text, format: zodTextFormat(City, "city") } },
});

// `parse` with a schema of City.
export async function parsed(given) {
  const { data, response } = await call(withFormat(given)).withResponse();
  return { data, headers: Object.fromEntries(response.headers) };
}

// A stream helper with a schema of City.
export const parsedStream = (given) => helped(withFormat(given));

// `runTools` with a function get_weather that knows one kind of weather; streamed or not.
export async function runTools({ client: options, params }) {
  const called = [];
  const runner = client(options).chat.completions.runTools({
    ...params,
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          description: "The weather at a place",
          parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
          parse: JSON.parse,
          function: ({ location }) => {
            called.push(location);
            return `sunny in ${location}`;
          },
        },
      },
    ],
  });
  const content = await runner.finalContent();
  return { content, called, messages: runner.messages, usage: await runner.totalUsage() };
}

// A conversation of the Responses API whose function calls are answered with `outputs`, by name, until none is made.
export async function toolLoop({ client: options, params, outputs, stream }) {
  const openai = client(options);
  const input = [...params.input];
  const answers = [];
  for (;;) {
    const body = { ...params, input };
    const answer = stream ? await openai.responses.stream(body).finalResponse() : await openai.responses.create(body);
    answers.push(answer);
    input.push(...answer.output);
    const calls = answer.output.filter((item) => item.type === "function_call" || item.type === "custom_tool_call");
    if (!calls.length) return { answers, text: answer.output_text };
    for (const { type, call_id, name } of calls) input.push({ type: `${type}_output`, call_id, output: outputs[name] });
  }
}

// The same, but what was said before is the server's to know: by the response before, or by `params.conversation`.
export async function chain({ client: options, params, outputs, stream }) {
  const openai = client(options);
  const answers = [];
  let body = params;
  for (;;) {
    const answer = stream ? await openai.responses.stream(body).finalResponse() : await openai.responses.create(body);
    answers.push(answer);
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (!calls.length) return { answers, text: answer.output_text };
    const input = calls.map(({ call_id, name }) => ({ type: "function_call_output", call_id, output: outputs[name] }));
    body = { ...params, input, ...(params.conversation ? {} : { previous_response_id: answer.id }) };
  }
}

// Uploads so many bytes as a recording, and returns what was heard.
export async function transcribed({ client: options, bytes }) {
  const file = await OpenAI.toFile(new Uint8Array(bytes).fill(1), "speech.wav");
  return client(options).audio.transcriptions.create({ model: "whisper-1", file });
}

// Has a text spoken.
export async function spoken({ client: options, text }) {
  const answer = await client(options).audio.speech.create({ model: "tts-1", voice: "alloy", input: text });
  return { type: answer.headers.get("content-type"), length: (await answer.arrayBuffer()).byteLength };
}
