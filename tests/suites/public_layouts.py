"""A few rows of each public data set in its published layout, made on the spot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from PIL import Image

SIDE = 32


def image(seed: int, side: int = SIDE) -> np.ndarray:
    """Smooth made-up stain, uint8 (side, side, 3): different for every seed."""
    coarse = np.random.default_rng(seed).integers(60, 250, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def save(root: Path, names: Sequence[str], first: int = 0) -> None:
    """Image files at ``names`` below ``root``, in the format of their suffix."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image(first + i)).save(path)


def encoded(seed: int) -> dict[str, bytes | str]:
    """An image as Hugging Face ``datasets`` stores it in Parquet."""
    stream = io.BytesIO()
    Image.fromarray(image(seed)).save(stream, format="PNG")
    return {"bytes": stream.getvalue(), "path": f"{seed}.png"}


def kather_2016(root: Path) -> list[str]:
    folder = "Kather_texture_2016_image_tiles_5000"
    names = [
        f"{folder}/{label}/{i}A{slide}_CRC-Prim-HE-{slide:02d}{extra}.tif_Row_{i + 1}_Col_1.tif"
        for i, label in enumerate(("01_TUMOR", "02_STROMA"))
        for slide in range(1, 6)
        for extra in ("_003b", "")
    ]
    save(root, names)
    return []


def nct_crc(root: Path) -> list[str]:
    save(root, [f"NCT-CRC-HE-100K/{c}/{c}-AAAF{i}.tif" for c in ("ADI", "TUM") for i in range(6)])
    save(root, [f"CRC-VAL-HE-7K/{c}/{c}-TCGA-AAIC{i}.tif" for c in ("ADI", "TUM") for i in range(4)], 100)
    return []


def pcam(root: Path) -> list[str]:
    root.mkdir(parents=True, exist_ok=True)
    for start, (part, count) in enumerate((("train", 8), ("valid", 4), ("test", 6))):
        stem = root / f"camelyonpatch_level_2_split_{part}"
        labels = np.arange(count) % 2
        with h5py.File(f"{stem}_x.h5", "w") as file:
            file["x"] = np.stack([image(100 * start + i) for i in range(count)])
        with h5py.File(f"{stem}_y.h5", "w") as file:
            file["y"] = labels.astype(np.uint8).reshape(count, 1, 1, 1)
        with Path(f"{stem}_meta.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["", "coord_y", "coord_x", "tumor_patch", "center_tumor_patch", "wsi"])
            for i, label in enumerate(labels):
                writer.writerow([i, 10 * i, 20 * i, bool(label), bool(label), f"camelyon16_{part}_{i // 2:03d}"])
    return []


def breakhis(root: Path) -> list[str]:
    names = []
    for benign, label, code in (("benign", "adenosis", "A"), ("malignant", "ductal_carcinoma", "DC")):
        kind = benign[0].upper()
        for slide in range(5):
            for magnification in (40, 100):
                folder = f"BreaKHis_v1/histology_slides/breast/{benign}/SOB/{label}/SOB_{kind}_{code}_14-22{slide}AB"
                names += [
                    f"{folder}/{magnification}X/SOB_{kind}_{code}-14-22{slide}AB-{magnification}-00{i}.png"
                    for i in (1, 2)
                ]
    save(root, names)
    return []


def lc25000(root: Path) -> list[str]:
    classes = {"colon": ("colon_aca", "colon_n"), "lung": ("lung_aca", "lung_n", "lung_scc")}
    names = [
        f"lung_colon_image_set/{organ}_image_sets/{label}/{label.replace('_', '')}{i}.jpeg"
        for organ, labels in classes.items()
        for label in labels
        for i in range(1, 6)
    ]
    save(root, names)
    return []


def pannuke(root: Path) -> list[str]:
    for fold, count in ((1, 6), (2, 4), (3, 6)):
        folder = root / f"Fold {fold}/images/fold{fold}"
        folder.mkdir(parents=True)
        stack = np.stack([image(100 * fold + i) for i in range(count)]).astype(np.float64)
        np.save(folder / "images.npy", stack)
        np.save(folder / "types.npy", np.array([("Breast", "Bile-duct")[i % 2] for i in range(count)]))
    return []


def quilt_1m(root: Path) -> list[str]:
    names = [f"vid{i // 2}_image_{i}.jpg" for i in range(10)]
    save(root / "quilt_1m", names)
    with (root / "quilt_1M_lookup.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            [
                "",
                "caption",
                "image_path",
                "subset",
                "split",
                "pathology",
                "roi_text",
                "noisy_text",
                "corrected_text",
                "med_umls_ids",
                "magnification",
                "height",
                "width",
            ]
        )
        for i, name in enumerate([*names, names[0]]):
            split = "val" if i % 10 < 4 else "train"
            subset = ("quilt", "openpath")[i % 2] if i < 10 else "quilt"
            writer.writerow(
                [i, f"Caption {i},\nsecond line", name, subset, split, "['Gynecologic']", "[]", "[]", "", "", 1.0, 9, 9]
            )
    return []


def arch(root: Path) -> list[str]:
    for part, suffix, first in (("books_set", "png", 0), ("pubmed_set", "jpg", 50)):
        entries = {}
        for i in range(8):
            entry = {"caption": f"{part}: figure {i // 2}.", "uuid": f"{part}-{i}"}
            if part == "books_set":
                entry = {"figure_id": f"{i // 2:02d}", "letter": "AB"[i % 2], **entry}
            entries[str(i)] = entry
        entries["8"] = {"caption": "No image of this one.", "uuid": f"{part}-absent"}
        save(root / part / "images", [f"{part}-{i}.{suffix}" for i in range(8)], first)
        (root / part / "captions.json").write_text(json.dumps(entries), encoding="utf-8")
    return []


def pathmmu(root: Path) -> list[str]:
    document: dict[str, dict[str, list[dict[str, object]]]] = {}
    number = 0
    for subset in ("PubMed", "SocialPath", "EduContent", "Atlas", "PathCLS"):
        document[subset] = {}
        for split in ("val", "test", "test_tiny"):
            names = [f"{subset}{split}{i}.png" for i in range(2)]
            save(root / "images", names, number)
            number += 10
            document[subset][split] = [
                {
                    "No": i,
                    "img": names[i % 2],
                    "question": "What is shown?",
                    "options": ["A) Nuclei", "B) Blood"],
                    "answer": "A) Nuclei",
                    "explanation": "They are blue.",
                }
                for i in range(3)
            ]
    (root / "data.json").write_text(json.dumps(document), encoding="utf-8")
    return []


def path_vqa(root: Path) -> list[str]:
    (root / "data").mkdir(parents=True)
    for start, (split, count) in enumerate((("train", 8), ("validation", 4), ("test", 6))):
        rows = [
            {"image": encoded(100 * start + i // 2), "question": f"what is {i}?", "answer": "yes"} for i in range(count)
        ]
        pq.write_table(pa.Table.from_pylist(rows), root / "data" / f"{split}-00000-of-00001.parquet")
    return []


def tcga_patches(root: Path) -> list[str]:
    save(
        root,
        [
            f"{label}/TCGA-{i:02d}-A1B{i}-01Z-00-DX1/patch_{k}.png"
            for label in ("LUAD", "KIRC")
            for i in range(5)
            for k in range(2)
        ],
    )
    return ["microns_per_pixel=0.5"]


def columns_of_ones_own(root: Path) -> list[str]:
    """A set whose columns are not published: Parquet with names that nobody could guess."""
    (root / "data").mkdir(parents=True)
    for start, (split, count) in enumerate((("train", 8), ("test", 6))):
        rows = [
            {
                "tile": encoded(100 * start + i),
                "gemini": f"Solid sheets, case {i}.",
                "case": f"{split}-{i // 2}",
                "cyto": ("epithelioid", "spindle")[i % 2],
                "hem": ("present", "absent")[i // 2 % 2],
            }
            for i in range(count)
        ]
        pq.write_table(pa.Table.from_pylist(rows), root / "data" / f"{split}.parquet")
    return ["columns={image: tile, text: gemini, group: case, cytology_type: cyto, hemorrhage: hem}"]


def unipath_1m(root: Path) -> list[str]:
    (root / "slides").mkdir(parents=True)
    for number in range(5):
        slide = image(number, side=160)
        tifffile.imwrite(
            root / "slides" / f"TCGA-0{number}-A1B2.svs", slide, tile=(32, 48), photometric="rgb", compression="zlib"
        )
    with (root / "patches.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["wsi", "left", "top", "report"])
        for number in range(5):
            for i in range(3):
                writer.writerow([f"TCGA-0{number}-A1B2", 10 + 40 * i, 30 * i, f"Report {number}"])
    return [
        "table=patches.csv",
        "columns={slide: wsi, x: left, y: top, text: report}",
        "side=48",
        "pixels=32",
        "slides=slides",
    ]


LAYOUTS: dict[str, Callable[[Path], list[str]]] = {
    "kather-2016": kather_2016,
    "nct-crc": nct_crc,
    "pcam": pcam,
    "breakhis": breakhis,
    "lc25000": lc25000,
    "pannuke": pannuke,
    "quilt-1m": quilt_1m,
    "arch": arch,
    "pathmmu": pathmmu,
    "path-vqa": path_vqa,
    "tcga-patches": tcga_patches,
    "unipath-68k": columns_of_ones_own,
    "unipath-1m": unipath_1m,
    "high-quality-10k": columns_of_ones_own,
    "t2i-i2i-merged": columns_of_ones_own,
    "fine-grained": columns_of_ones_own,
}
"""By suite: writes the layout below a folder and gives the suite arguments that go with it."""
