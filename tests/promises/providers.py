"""What is promised of: several upstreams at once."""

from __future__ import annotations

from tests.promises import Promise

PROVIDERS: dict[str, Promise] = {
    # names
    "PROVIDERS-prefix": Promise("design §5.2", "a model called name/model is run by the provider of that name"),
    "PROVIDERS-slashes": Promise("design §5.2", "names of models may hold slashes, also written %2F"),
    "PROVIDERS-lists": Promise("design §5.2", "a provider runs the bare names in its models and aliases"),
    "PROVIDERS-aliases": Promise("design §5.2", "an alias may name a provider's model, also with an effort behind it"),
    "PROVIDERS-efforts": Promise("design §5.2", "an effort behind a name counts behind a prefix and in a fallback too"),
    "PROVIDERS-aggregators": Promise(
        "design §5.2", "a name with a slash that the default upstream lists itself stays with it"
    ),
    "PROVIDERS-unknown": Promise("design §5.3", "a provider that does not exist is a 404 that names those that do"),
    "PROVIDERS-patience": Promise("design §6", "an upstream that is slow to list its models holds up no other one"),
    # running
    "PROVIDERS-turns": Promise("design §2", "every dialect runs on every provider, in JSON and as a stream"),
    "PROVIDERS-keys": Promise("design §5.2", "each server sees its own key only, and none the ChatGPT token"),
    "PROVIDERS-token-hosts": Promise("design §5.2", "the rule for the ChatGPT token holds for every provider"),
    "PROVIDERS-errors": Promise("design §5.3", "a provider's error is told in the client's words, its 401 as our 502"),
    "PROVIDERS-login": Promise("design §5.3", "without a login the error names the providers that need none"),
    "PROVIDERS-facts": Promise("design §5.3", "log and metrics name the upstream that answered"),
    # fallback
    "PROVIDERS-fallback": Promise(
        "design §5.2", "what is out of reach, out of order or spent is stood in for by the next that the operator lists"
    ),
    "PROVIDERS-fallback-not": Promise("design §6", "a refusal of the request itself is never tried elsewhere"),
    "PROVIDERS-fallback-early": Promise("design §6", "nobody stands in once the client has seen a byte"),
    "PROVIDERS-fallback-last": Promise("design §6", "when all fail, the first error is told"),
    "PROVIDERS-fallback-cancel": Promise("design §6", "a client that leaves ends the call of whoever stands in"),
    # listing
    "PROVIDERS-models": Promise("design §5.2", "/v1/models is one list of all upstreams, each name once"),
    "PROVIDERS-model": Promise(
        "design §5.2", "every name that a request may use can be looked up, every other is a 404"
    ),
    "PROVIDERS-rows": Promise("design §5.2", "rows of servers with a form of their own are made into OpenAI's"),
    "PROVIDERS-ready": Promise("design §5.1", "the gateway is ready while any upstream can run turns"),
    # settings
    "PROVIDERS-settings": Promise("design §5.2", "mistakes in providers are told with their line, never with a secret"),
    "PROVIDERS-environment": Promise("design §5.2", "providers can be set in the environment"),
    "PROVIDERS-presets": Promise(
        "design §5.2", "keys in the environment switch on providers at their makers' addresses"
    ),
    "PROVIDERS-preset-keys": Promise(
        "design §5.5", "a key of the environment goes to its maker only, and a gateway's own key to nobody"
    ),
    "PROVIDERS-command-line": Promise(
        "design §5.1", "banner, check, show and doctor tell of every provider, never a key"
    ),
}
