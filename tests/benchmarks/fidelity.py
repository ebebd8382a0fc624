"""Two folders of real tiles scored from nothing and again, here and by torch-fidelity, with one extractor.

    UNIPATH_BENCH_REAL_DATA=TILES python tests/benchmarks/fidelity.py

The extractor is a ResNet-18 with random weights from a fixed seed (no download), registered on both sides: 224 px,
bilinear, 512 features. torch-fidelity computes FID, KID and precision and recall with its feature cache on; its
extraction is what its first run takes longer than its second. Its processes compute the metrics once more, from the
cache, to time them alone: that is taken off the time of the whole. Seconds of wall time, each program in a process of
its own, on all cores.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unipath_bench import Context, EncoderCard, ImageEncoder

HERE = Path(__file__).parent
SIDE, WIDTH, BATCH = 224, 512, 64
TASKS = "frechet-distance,kernel-distance,precision-recall"


class Network(nn.Module):
    """uint8 (B, 3, H, W) to float32 (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet18

        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = resnet18(weights=None)
        self.body.fc = nn.Identity()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        resized = nn.functional.interpolate(images.float(), (SIDE, SIDE), mode="bilinear", align_corners=False)
        features: Tensor = self.body(resized / 127.5 - 1.0)
        return features


class Resnet(ImageEncoder):
    """The network as an encoder of ours."""

    card = EncoderCard(name="fidelity:Resnet", revision="1", dimension=WIDTH, micro_batch=BATCH, pathology=False)

    def setup(self, context: Context) -> None:
        self.network = Network()

    @torch.inference_mode()
    def embed_images(self, images: np.ndarray) -> np.ndarray:
        return self.network(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()


def theirs(first: Path, second: Path, cache: Path) -> dict[str, float]:
    """torch-fidelity's three metrics; runs in a process of its own."""
    import torch_fidelity
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    class Extractor(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)
            self.network = Network()

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("512",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "512"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            return (self.network(images),)

    torch_fidelity.register_feature_extractor("random-resnet18", Extractor)
    found: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=str(first), input2=str(second), cuda=False, batch_size=BATCH, fid=True, kid=True, prc=True,
        feature_extractor="random-resnet18", cache=True, cache_root=str(cache), input1_cache_name="first",
        input2_cache_name="second", verbose=False,
    )  # fmt: skip
    return found


def timed(*arguments: str) -> tuple[float, str]:
    """Wall seconds and standard output of a Python process."""
    begun = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ}
    )
    return time.perf_counter() - begun, finished.stdout


def deal(tiles: Path, folder: Path) -> tuple[Path, Path]:
    """Two folders of every second tile."""
    first, second = folder / "first", folder / "second" / "test"
    for index, path in enumerate(sorted(tiles.rglob("*.jpg"))):
        place = (first, second)[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / f"{index:05d}.jpg")
    return first, second


def main() -> None:
    """Run both sides twice and print times and values."""
    tiles = Path(os.environ["UNIPATH_BENCH_REAL_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first, second = deal(tiles, root)
        count = len(list(first.iterdir()))
        peer = ["fidelity.py", "--theirs", str(first), str(second), str(root / "cache")]
        ours = [
            "-m", "unipath_bench", "run", "--images", str(first), "--model-arg", "paired=false", "--suite", "folder",
            "--data", str(second.parent), "--n", str(count), "--encoder", "fidelity:Resnet", "--tasks", TASKS, "--json",
            "--out", str(root / "out"),
        ]  # fmt: skip
        their_cold, told = timed(*peer)
        their_warm, told_again = timed(*peer)
        our_cold, record = timed(*ours)
        our_warm, _ = timed(*ours)
    values, stages = json.loads(told.splitlines()[-1]), json.loads(record)["timing"]["seconds"]
    their_cold -= values["seconds"]
    their_warm -= json.loads(told_again.splitlines()[-1])["seconds"]
    scores = {score["task"]: score["values"] for score in json.loads(record)["scores"]}
    extraction = stages["verify"] + stages["generate"] + stages["embed"]
    print(f"{count} + {count} tiles, {torch.get_num_threads()} threads")
    print(f"{'seconds':<28}{'here':>10}{'torch-fidelity':>16}{'ratio':>8}")
    for name, here, there in (
        ("extraction", extraction, their_cold - their_warm),
        ("scores after extraction", stages["score"], values["seconds"]),
        ("whole command, from nothing", our_cold, their_cold),
        ("whole command, again", our_warm, their_warm),
    ):
        print(f"{name:<28}{here:>10.2f}{there:>16.2f}{there / here:>8.2f}")
    print(json.dumps({"here": {t: {n: v["value"] for n, v in found.items()} for t, found in scores.items()},
                      "torch-fidelity": values}, indent=2))  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--theirs"]:
        theirs(*map(Path, sys.argv[2:5]))
        begun = time.perf_counter()
        again = theirs(*map(Path, sys.argv[2:5]))
        print(json.dumps({**again, "seconds": time.perf_counter() - begun}))
    else:
        main()
