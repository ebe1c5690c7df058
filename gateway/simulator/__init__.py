"""An offline auth server, Codex backend and OpenAI server in one small ASGI app, steered by scripts.

For users who test their programs without a network, and for our own tests, where it stands at the network edge. It
imports nothing of the gateway: what it says about the wire must not depend on the code that is tested against it.

    app.py        the ASGI app: routes, steering, log                  scenario.py   scripts and scenarios, checked
    auth.py       login, tokens, device login                          library.py    the built-in scripts
    codex.py      the Codex backend        checks.py  its refusals     answers.py    what it says without a script
    openai.py     the OpenAI server        chat.py    its chat form    asks.py       what a request asks for
    shapes.py     kinds of JSON values     bodies.py  of requests      inprocess.py  its server for `serve --demo`
    turns.py      one Responses turn       scripts.py its events       samples.py    schema → value
    player.py     bytes and pace           limits.py, catalogue.py     serving.py    `codex-gateway simulate`
    others.py     embeddings, audio, …     files.py   of any size     forms.py     multipart bodies
    receiving.py  a request's body         mistakes.py those of scenarios
"""

from __future__ import annotations

from gateway.simulator.app import Call, Simulator
from gateway.simulator.library import BUILT_IN
from gateway.simulator.mistakes import ScenarioError
from gateway.simulator.player import Gate
from gateway.simulator.scenario import Plan, Scenario, Script
from gateway.simulator.serving import serve

__all__ = ["BUILT_IN", "Call", "Gate", "Plan", "Scenario", "ScenarioError", "Script", "Simulator", "serve"]
