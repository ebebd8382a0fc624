"""A generator: stripes in a colour that the request's seed decides."""

from collections.abc import Sequence

import numpy as np

from unipath_bench import Generator, GeneratorCard, Request


class Stripes(Generator):
    """Horizontal stripes of a given period."""

    card = GeneratorCard(name="stripes", title="Stripes", revision="1", licence="MIT")

    def __init__(self, period: int = 4) -> None:
        self.period = period

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        images = []
        for request in requests:
            colour = np.random.default_rng(request.seed).integers(120, 255, 3)
            image = np.full((request.height, request.width, 3), 240, np.uint8)
            image[np.arange(request.height) % self.period == 0] = colour
            images.append(image)
        return images
