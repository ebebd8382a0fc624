"""The phantom: a procedural simulator of H&E tissue whose every attribute is known.

"Phantom" as in imaging physics: a test object with known truth. :func:`render` draws a tile from a seed and its
:class:`Attributes`; :class:`PhantomSuite` is the suite made of such tiles; :func:`describe` writes their captions.
"""

from __future__ import annotations

from unipath_bench.phantom.attributes import CLASSES, Attributes, sample_attributes
from unipath_bench.phantom.captions import (
    REGISTERS,
    Register,
    attribute_bundle,
    describe,
    paraphrases,
    terse_prompt,
)
from unipath_bench.phantom.optics import Appearance, slide_appearance
from unipath_bench.phantom.phrases import PHRASES, Phrases, Wording
from unipath_bench.phantom.rendering import RENDERER, render
from unipath_bench.phantom.streams import Stream
from unipath_bench.phantom.suite import PhantomSuite

__all__ = [
    "CLASSES",
    "PHRASES",
    "REGISTERS",
    "RENDERER",
    "Appearance",
    "Attributes",
    "PhantomSuite",
    "Phrases",
    "Register",
    "Stream",
    "Wording",
    "attribute_bundle",
    "describe",
    "paraphrases",
    "render",
    "sample_attributes",
    "slide_appearance",
    "terse_prompt",
]
