"""Origin and unit of each dimension: mean and standard deviation over real tiles, rounded.

Units, not learned weights: they only put the dimensions on one footing. Source: the 1,624 training tiles of
the Pathology Atlas set (Balci S., histopathologyatlas.com; MIT licence; 256 px, about 0.5 microns a pixel,
six slides of four diagnoses), measured on 23 November 2026. ``python -m tests.studies.texture.calibrate DATA_DIR``
in a checkout prints this table; a change of it is a new revision of the encoder.
"""

from __future__ import annotations

UNITS: dict[str, tuple[float, float]] = {
    "background": (0.5841, 0.0998),
    "boundary": (0.331, 0.0433),
    "hematoxylin_mean": (0.2709, 0.0384),
    "hematoxylin_sd": (0.1409, 0.0217),
    "eosin_mean": (0.0585, 0.0139),
    "eosin_sd": (0.0252, 0.00519),
    "residual_mean": (0.0618, 0.00946),
    "residual_sd": (0.027, 0.0057),
    "hematoxylin_skew": (0.2739, 0.138),
    "red_share": (0.2931, 0.0164),
    "blue_share": (0.264, 0.0115),
    "erythrocytes": (0.0218, 0.0426),
    "nuclear_fraction": (0.3628, 0.0804),
    "nuclear_count": (3.8547, 0.722),
    "blob_count": (4.9565, 0.852),
    "nuclear_area": (4.0935, 0.239),
    "nuclear_area_spread": (0.7185, 0.143),
    "nuclear_eccentricity": (0.7751, 0.044),
    "nuclear_fill": (0.8883, 0.0304),
    "nuclear_density": (0.2891, 0.0199),
    "nuclear_density_spread": (0.0338, 0.00701),
    "chromatin": (0.0511, 0.00991),
    "nuclear_edge": (0.0802, 0.0148),
    "nuclear_spacing": (2.6764, 0.151),
    "nuclear_regularity": (1.2108, 0.13),
    "nuclear_alignment": (0.2361, 0.144),
    "nuclear_hue": (0.0394, 0.0121),
    "hematoxylin_band1": (-3.4034, 0.176),
    "hematoxylin_band2": (-3.1998, 0.169),
    "sparsity": (1.5717, 0.224),
    "hematoxylin_band3": (-3.0641, 0.186),
    "hematoxylin_band4": (-3.1858, 0.189),
    "eosin_band2": (-5.2936, 0.108),
    "eosin_band3": (-4.9408, 0.142),
    "eosin_band4": (-4.7564, 0.161),
    "residual_band1": (-4.675, 0.146),
    "nonuniform_patterns": (0.1992, 0.0203),
    "coherence": (0.4919, 0.0586),
    "anisotropy": (0.1188, 0.0903),
}
"""Location and scale by dimension; see the module's docstring."""
