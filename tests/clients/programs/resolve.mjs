// Packages are installed outside the tree: names without a path are looked for there ($PACKAGES).
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const parentURL = pathToFileURL(`${process.env.PACKAGES}/`).href;
const named = (specifier) => !/^(\.|\/|[a-z]+:)/.test(specifier);
const ours = new URL(".", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const local = named(specifier) && context.parentURL?.startsWith(ours);
    return next(specifier, local ? { ...context, parentURL } : context);
  },
});
