// What the type declarations of an SDK offer.
import { readFileSync } from "node:fs";

// The names of an interface's fields. `file`: a declaration file below the package directory.
export function fields({ file, name }) {
  const text = readFileSync(`${process.env.PACKAGES}/node_modules/${file}`, "utf8");
  const body = text.split(new RegExp(`export interface ${name} (?:extends [^{]*)?\\{\\n`))[1].split(/^\}/m)[0];
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map((match) => match[1]);
}
