"""What the pipeline reads of a prompt, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_model.bank.protocol import Retrieved, Route
from reference_model.inputs import ImageInput, image_list
from reference_model.pipeline import UniPathPipeline


@dataclass(frozen=True, slots=True)
class Prototype:
    """One prototype, with the reasons."""

    id: str
    routes: tuple[Route, ...]
    image: npt.NDArray[np.uint8] | None
    """uint8 (H, W, 3); None where the bank has no image of it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The three streams of one prompt."""

    prompt: str
    tokens: tuple[str, ...]
    """The raw-text stream: the tokens kept."""
    cut: tuple[str, ...]
    """The tokens past the limit: an error when drawing, unless ``truncate=True``."""
    chat: str
    """The turn that the semantic queries follow."""
    n_query: int
    expansion: str | None
    """The attribute bundle as the language model wrote it; None where not asked for."""
    attributes: dict[str, str]
    """The bundle's attributes by name; what is no ``name: value`` is left out."""
    prototypes: tuple[Prototype, ...] | None
    """None where the pipeline has no bank."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the images."""
        found = None
        if self.prototypes is not None:
            found = [
                {"id": p.id, "routes": [{"name": r.name, "score": r.score, "detail": r.detail} for r in p.routes]}
                for p in self.prototypes
            ]
        return {
            "prompt": self.prompt,
            "tokens": list(self.tokens),
            "cut": list(self.cut),
            "chat": self.chat,
            "n_query": self.n_query,
            "expansion": self.expansion,
            "attributes": dict(self.attributes),
            "prototypes": found,
        }

    def __str__(self) -> str:
        lines = [f"prompt      {self.prompt}", f"text        {len(self.tokens)} tokens: {' | '.join(self.tokens)}"]
        if self.cut:
            lines.append(f"cut         {len(self.cut)} tokens: {' | '.join(self.cut)}")
        lines.append(f"semantic    {self.n_query} queries after: {self.chat!r}")
        if self.expansion is not None:
            lines.append(f"attributes  {self.expansion}")
        if self.prototypes is None:
            lines.append("prototypes  no bank")
        else:
            lines.append(f"prototypes  {len(self.prototypes)}")
            lines += [f"  {p.id}: {'; '.join(_told(r) for r in p.routes)}" for p in self.prototypes]
        return "\n".join(lines)


def explain(
    pipeline: UniPathPipeline, prompt: str, *, image: ImageInput | None = None, expand: bool | None = None
) -> Explanation:
    """What the streams read for ``prompt``: the tokens kept, the attributes, the prototypes and why they were found.

    Nothing is drawn. ``expand`` and ``image`` (PIL or uint8 (H, W, 3)) are those of a call of the pipeline.
    """
    encoder, language = pipeline.encoder(), pipeline.language
    ids = language.text_ids(prompt)
    expanding = bool(pipeline.config.expand) if expand is None else expand
    expansion = encoder.expand([prompt], int(pipeline.config.expansion_tokens))[0] if expanding else None
    explanation = Explanation(
        prompt=prompt,
        tokens=tuple(language.words(ids[: encoder.text_places])),
        cut=tuple(language.words(ids[encoder.text_places :])),
        chat=language.decode(encoder.chat(prompt, expansion or ""), special=True),
        n_query=int(pipeline.semantic_tokens.config.n_query),
        expansion=expansion,
        attributes=parse_attributes(expansion or ""),
        prototypes=_prototypes(pipeline, expansion or prompt, image),
    )
    pipeline.maybe_free_model_hooks()
    return explanation


def parse_attributes(bundle: str) -> dict[str, str]:
    """``name: value; name: value`` to a dictionary; the first mention of a name counts."""
    attributes: dict[str, str] = {}
    for part in bundle.replace("\n", ";").split(";"):
        name, colon, value = part.partition(":")
        if colon and name.strip() and value.strip():
            attributes.setdefault(name.strip(), value.strip().rstrip(".").strip())
    return attributes


def _prototypes(pipeline: UniPathPipeline, text: str, image: ImageInput | None) -> tuple[Prototype, ...] | None:
    if pipeline.bank is None:
        return None
    places = int(pipeline.config.max_prototypes)
    own: list[Prototype] = []
    if image is not None:
        pixels = np.asarray(image_list(image, 1)[0])
        own = [Prototype("reference image", (Route("reference", detail="the image given"),), pixels)]
    found: Retrieved = pipeline.bank.retrieve(text, limit=places - len(own), with_images=True)
    listed = [
        Prototype(
            name,
            found.routes[i] if found.routes else (),
            found.images[i] if found.images else None,
        )
        for i, name in enumerate(found.ids)
    ]
    return (*own, *listed)


def _told(route: Route) -> str:
    score = "" if route.score is None else f" {route.score:.3f}"
    return f"{route.name}{score}{f' ({route.detail})' if route.detail else ''}"
