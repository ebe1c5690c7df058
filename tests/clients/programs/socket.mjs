// The openai SDK's WebSocket client of the Responses API.
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const LAST = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

// Sends one `response.create` after the other and gathers the events of each. In a body, `previous_response_id: "last"`
// is the response before.
export async function turns({ client, bodies }) {
  const socket = new ResponsesWS(new OpenAI({ baseURL: client.baseURL, apiKey: client.apiKey }));
  const errors = [];
  socket.on("error", (error) => errors.push(error.message));
  const events = socket.stream()[Symbol.asyncIterator]();
  const gathered = [];
  let last;
  for (const body of bodies) {
    const chained = body.previous_response_id === "last" ? { ...body, previous_response_id: last } : body;
    socket.send({ type: "response.create", ...chained });
    const seen = [];
    for (;;) {
      const { value, done } = await events.next();
      if (done || value.type === "close") throw new Error("closed");
      if (value.type === "error" && !value.error.error) throw value.error;
      if (value.type !== "message" && value.type !== "error") continue;
      seen.push(value.message ?? value.error.error);
      if (LAST.has(seen.at(-1).type)) break;
    }
    last = seen.at(-1).response?.id ?? last;
    gathered.push(seen);
  }
  socket.close();
  return { turns: gathered, errors };
}

// Goes away in the middle of an answer.
export async function left({ client, body }) {
  const socket = new ResponsesWS(new OpenAI({ baseURL: client.baseURL, apiKey: client.apiKey }));
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("response.output_text.delta", () => socket.close());
  socket.send({ type: "response.create", ...body });
  await closed;
}

// What a refused handshake looks like.
export async function refused({ client }) {
  const socket = new ResponsesWS(new OpenAI({ baseURL: client.baseURL, apiKey: client.apiKey, maxRetries: 0 }));
  return new Promise((resolve) => socket.on("error", (error) => resolve({ message: error.message })));
}
