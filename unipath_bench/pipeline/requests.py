"""The requests of a run: a function of the suite, n and the seeds, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

from unipath_bench.contracts import Request, Sample
from unipath_bench.core.digest import digest, seed_from

MAX_PARAPHRASES = 4


def build_requests(prompts: Sequence[Sample], replicate: int, height: int, width: int) -> list[Request]:
    """One request a prompt. The seed depends on the sample and the replicate alone."""
    return [_request(s, s.prompt, replicate, height, width) for s in prompts]


def build_variants(prompts: Sequence[Sample], wording: int, height: int, width: int) -> list[Request]:
    """The prompts in their ``wording``-th paraphrase, at the seed of replicate 0: only the wording differs."""
    return [_request(s, s.paraphrases[wording], 0, height, width) for s in prompts]


def wordings(prompts: Sequence[Sample]) -> int:
    """How many paraphrases every prompt has, at most ``MAX_PARAPHRASES``."""
    return min(MAX_PARAPHRASES, min((len(s.paraphrases) for s in prompts), default=0))


def request_key(model_digest: str, request: Request) -> str:
    """Digest of all that decides the image."""
    return digest(
        [
            model_digest,
            request.sample_id,
            request.prompt,
            request.seed,
            request.replicate,
            request.height,
            request.width,
            dict(request.labels),
        ]
    )


def _request(sample: Sample, prompt: str, replicate: int, height: int, width: int) -> Request:
    return Request(
        sample_id=sample.id,
        prompt=prompt,
        seed=seed_from(sample.id, replicate),
        replicate=replicate,
        height=height,
        width=width,
        labels=dict(sample.labels),
    )
