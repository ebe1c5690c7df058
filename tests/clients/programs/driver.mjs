// Runs the programs beside this file on request, one after the other.
//
// A line {"id", "run": "file.function", "with": {...}} on standard input is answered with one line on standard output:
// {"id", "value" or "error", "said"}. `said` holds what the program or a library warned of or printed meanwhile.
import { createInterface } from "node:readline";
import { told } from "./told.mjs";

let said = [];
for (const level of ["log", "info", "warn", "error", "debug"]) {
  console[level] = (...words) => said.push(`${level}: ${words.map(String).join(" ")}`);
}
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => said.push(...warnings.map((warning) => JSON.stringify(warning)));
process.on("warning", (warning) => said.push(`warning: ${warning.stack}`));
process.on("unhandledRejection", (reason) => said.push(`unhandled: ${reason?.stack ?? reason}`));

// Refused promises that nobody waits for are told after the microtasks that made them.
const settled = () => new Promise((resolve) => setImmediate(resolve));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, run, with: given } = JSON.parse(line);
  const [file, name] = run.split(".");
  const answer = { id };
  said = [];
  try {
    const program = (await import(`./${file}.mjs`))[name];
    answer.value = (await program(given)) ?? null;
  } catch (error) {
    answer.error = told(error);
  }
  await settled();
  process.stdout.write(`${JSON.stringify({ ...answer, said })}\n`);
}
