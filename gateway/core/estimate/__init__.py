"""How many input tokens a request has, about: for upstreams that do not count them.

Nothing is asked, fetched or looked up. `text` judges texts, `media` images and files, `tools` what models are told of
their tools, `request` puts them together. How far each may be off is written where it is judged; a request of texts
alone is within 15 % of what OpenAI counts.
"""

from gateway.core.estimate.request import input_tokens

__all__ = ["input_tokens"]
