"""The dimensions of the texture encoder, in their order in the feature vector."""

from __future__ import annotations

from dataclasses import dataclass

from unipath_bench.encoders.texture._units import UNITS


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number of the feature vector: ``(transform(statistic) - location) / scale``."""

    name: str
    meaning: str
    unit: str
    """Unit of the statistic before the transform."""
    transform: str
    """``none``, ``sqrt`` or ``ln``."""
    location: float
    scale: float


_MEANINGS: tuple[tuple[str, str, str, str], ...] = (
    ("background", "share of the tile that is glass, lumen or fat", "fraction", "sqrt"),
    ("boundary", "steps between tissue and background from pixel to pixel", "fraction", "sqrt"),
    ("hematoxylin_mean", "mean hematoxylin over the tissue", "OD", "none"),
    ("hematoxylin_sd", "spread of hematoxylin over the tissue", "OD", "none"),
    ("eosin_mean", "mean eosin over the tissue", "OD", "none"),
    ("eosin_sd", "spread of eosin over the tissue", "OD", "none"),
    ("residual_mean", "mean of the colour that is neither stain, over the tissue", "OD", "none"),
    ("residual_sd", "spread of the colour that is neither stain, over the tissue", "OD", "none"),
    ("hematoxylin_skew", "skewness of hematoxylin by its 10th, 50th and 90th percentiles", "-1 to 1", "none"),
    ("red_share", "share of the red channel in the tissue's optical density", "fraction", "none"),
    ("blue_share", "share of the blue channel in the tissue's optical density", "fraction", "none"),
    ("erythrocytes", "share of the tile coloured like erythrocytes", "fraction", "sqrt"),
    ("nuclear_fraction", "share of the tile that is nucleus", "fraction", "sqrt"),
    ("nuclear_count", "nuclei (connected regions; half for one cut by the edge)", "per 10,000 px", "sqrt"),
    ("blob_count", "dark spots of the size of nuclei, touching ones told apart", "per 10,000 px", "sqrt"),
    ("nuclear_area", "mean logarithm of the area of a nucleus", "px", "ln"),
    ("nuclear_area_spread", "standard deviation of that logarithm (pleomorphism)", "ln px", "none"),
    ("nuclear_eccentricity", "mean eccentricity of the nuclei", "0 to 1", "none"),
    ("nuclear_fill", "mean of area over that of its ellipse; low when notched", "0 to 1", "none"),
    ("nuclear_density", "mean red OD of the nuclei (hyperchromasia)", "OD", "none"),
    ("nuclear_density_spread", "standard deviation of that density from nucleus to nucleus", "OD", "none"),
    ("chromatin", "mean standard deviation of red OD within a nucleus", "OD", "none"),
    ("nuclear_edge", "mean step of red OD across the outlines of nuclei (sharpness)", "OD per px", "none"),
    ("nuclear_spacing", "mean logarithm of the distance to the nearest other nucleus", "px", "ln"),
    ("nuclear_regularity", "that distance over its mean for random places (Clark-Evans)", "ratio", "none"),
    ("nuclear_alignment", "how far the nuclei's long axes are parallel", "0 to 1", "none"),
    ("nuclear_hue", "share of red in the OD of nuclei, less that of other tissue", "fraction", "none"),
    ("hematoxylin_band1", "hematoxylin detail finer than sigma 0.7 px", "OD rms", "ln"),
    ("hematoxylin_band2", "hematoxylin detail between sigma 0.7 and 1.6 px", "OD rms", "ln"),
    ("sparsity", "kurtosis of that detail: 3 for noise, more for sparse edges", "-", "ln"),
    ("hematoxylin_band3", "hematoxylin detail between sigma 1.6 and 3.2 px", "OD rms", "ln"),
    ("hematoxylin_band4", "hematoxylin detail between sigma 3.2 and 6.5 px", "OD rms", "ln"),
    ("eosin_band2", "eosin detail between sigma 0.7 and 1.6 px", "OD rms", "ln"),
    ("eosin_band3", "eosin detail between sigma 1.6 and 3.2 px", "OD rms", "ln"),
    ("eosin_band4", "eosin detail between sigma 3.2 and 6.5 px", "OD rms", "ln"),
    ("residual_band1", "detail of neither stain finer than sigma 0.7 px", "OD rms", "ln"),
    ("nonuniform_patterns", "share of pixels with a non-uniform local binary pattern", "fraction", "none"),
    ("coherence", "how far gradients within some 5 px are parallel", "0 to 1", "none"),
    ("anisotropy", "how far gradients of the whole tile are parallel", "0 to 1", "none"),
)

DIMENSIONS: tuple[Dimension, ...] = tuple(
    Dimension(name, meaning, unit, transform, *UNITS[name]) for name, meaning, unit, transform in _MEANINGS
)
"""All dimensions, in order."""
