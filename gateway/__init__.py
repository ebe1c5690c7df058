"""codex-gateway: an OpenAI-compatible gateway in front of a ChatGPT plan or any OpenAI-compatible server."""

__version__ = "0.1.0"
