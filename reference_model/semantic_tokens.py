"""The high-level semantics stream: learnable queries that a frozen language model answers.

The queries are appended, as input embeddings, to the chat turn that holds the prompt; the last hidden layer at
their positions gives the Diagnostic Semantic Tokens (UniPath, arXiv 2512.21058).
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

PATHOLOGIST = "You are a helpful pathology expert."
ANALYSIS = "Analysis of my description: {prompt}"
EXPANSION = "List the diagnostic attributes of my description as name: value; name: value. Description: {prompt}"


class SemanticTokens(ModelMixin, ConfigMixin):
    """The queries, and the words around the prompt that they follow.

    ``n_query``: how many; ``hidden_size``: width of the language model. ``query_token_id``: the vocabulary entry that
    stands before the queries. ``system`` and ``user`` are the chat turns of the semantic pass, ``expansion`` the user
    turn that asks for an attribute bundle; ``{prompt}`` is where the prompt goes.
    """

    latent_queries: nn.Parameter
    """float, shape (1, n_query, hidden_size)."""

    @register_to_config
    def __init__(
        self,
        n_query: int = 64,
        hidden_size: int = 3584,
        query_token_id: int = 151665,
        system: str = PATHOLOGIST,
        user: str = ANALYSIS,
        expansion: str = EXPANSION,
    ) -> None:
        super().__init__()
        for name, turn in (("user", user), ("expansion", expansion)):
            if "{prompt}" not in turn:
                raise ValueError(f"the {name} turn has no place for the prompt, {{prompt}}: {turn!r}")
        self.latent_queries = nn.Parameter(torch.randn(1, n_query, hidden_size) * 0.02)

    def forward(self) -> Tensor:
        """The queries, shape (n_query, hidden_size)."""
        return self.latent_queries[0]

    def user_turn(self, prompt: str) -> str:
        """What the user says in the semantic pass."""
        return str(self.config.user).replace("{prompt}", prompt)

    def expansion_turn(self, prompt: str) -> str:
        """What the user says to ask for the attributes of ``prompt``."""
        return str(self.config.expansion).replace("{prompt}", prompt)
