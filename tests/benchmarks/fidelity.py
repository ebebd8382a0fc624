"""Two folders of real tiles scored from nothing and again, here and by torch-fidelity, with one extractor.

    UNIPATH_BENCH_REAL_DATA=TILES python tests/benchmarks/fidelity.py

The extractor is a ResNet-18 with random weights from a fixed seed (no download), registered on both sides: 224 px,
bilinear, 512 features. torch-fidelity computes FID, KID and precision and recall with its feature cache on; its
extraction is what its first run takes longer than its second. Its processes compute the metrics once more, from the
cache, to time them alone: that is taken off the time of the whole. Our functions are timed alike, on the features that
a run has stored; what the run itself takes for its scores, with the ends of their scales and intervals, which
torch-fidelity does not give, is printed beside them. Seconds of wall time, each program in a process of its own, on all
cores.
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
SIDE, WIDTH, BATCH, MICRO_BATCH = 224, 512, 64, 16
HELD_OUT, SEED = 80, 2020
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

    card = EncoderCard(name="fidelity:Resnet", revision="1", dimension=WIDTH, micro_batch=MICRO_BATCH, pathology=False)

    def setup(self, context: Context) -> None:
        self.network = Network()

    @torch.inference_mode()
    def embed_images(self, images: np.ndarray) -> np.ndarray:
        return self.network(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()


def register() -> None:
    """The network as an extractor of torch-fidelity."""
    import torch_fidelity
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    class Extractor(FeatureExtractorBase):
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


def theirs(first: Path, second: Path, cache: Path) -> dict[str, float]:
    """torch-fidelity's three metrics; runs in a process of its own, where the extractor is registered."""
    import torch_fidelity

    found: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=str(first),
        input2=str(second),
        cuda=False,
        batch_size=BATCH,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="random-resnet18",
        cache=True,
        cache_root=str(cache),
        input1_cache_name="first",
        input2_cache_name="second",
        verbose=False,
    )
    return found


def ours(first: Path, second: Path, out: Path) -> dict[str, float]:
    """The same three metrics by our functions, from the features that a run has left in its store."""
    from unipath_bench.metrics.frechet import frechet_distance
    from unipath_bench.metrics.kernel import kernel_distance
    from unipath_bench.metrics.manifold import precision_recall_density_coverage
    from unipath_bench.options import Options
    from unipath_bench.pipeline.embed import EmbedStage
    from unipath_bench.pipeline.family import Family
    from unipath_bench.pipeline.feature_sets import StoredFeatures
    from unipath_bench.pipeline.plan import make_plan
    from unipath_bench.pipeline.store import Store

    plan = make_plan(
        Options(
            "folder",
            suite="folder",
            data=str(second),
            model_arguments={"images": str(first), "paired": False},
            encoders=("fidelity:Resnet",),
            tasks=("frechet-distance",),
        )
    )
    begun = time.perf_counter()
    stored = StoredFeatures(plan, EmbedStage(plan, Store(out / "store")))
    drawn, real = (stored.images("fidelity:Resnet", [family])[0] for family in (Family("seed"), Family("reference")))
    distance = frechet_distance(real, drawn)
    kernel = kernel_distance(drawn, real, subset_size=1000, subsets=100, seed=SEED)
    shape = precision_recall_density_coverage(real, drawn, k=3)
    found = {"frechet": distance, "kernel": kernel.mean, "precision": shape.precision, "recall": shape.recall}
    return {**found, "seconds": time.perf_counter() - begun}


def timed(*arguments: str) -> tuple[float, str]:
    """Wall seconds and standard output of a Python process."""
    begun = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ}
    )
    return time.perf_counter() - begun, finished.stdout


def deal(tiles: Path, folder: Path) -> tuple[Path, Path]:
    """Two folders of every second tile. Beside the second lies a split of copies of a few tiles, for the real end of
    our scales, so that none is set aside for it."""
    first, second, held_out = folder / "first", folder / "second" / "test", folder / "second" / "heldout"
    for place in (first, second, held_out):
        place.mkdir(parents=True)
    for index, path in enumerate(sorted(tiles.rglob("*.jpg"))):
        shutil.copy(path, (first, second)[index % 2] / f"{index:05d}.jpg")
        if index % HELD_OUT == 0:
            shutil.copy(path, held_out / f"{index:05d}.jpg")
    return first, second


def main() -> None:
    """Run both sides twice and print times and values."""
    tiles = Path(os.environ["UNIPATH_BENCH_REAL_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first, second = deal(tiles, root)
        count = len(list(first.iterdir()))
        peer = ["fidelity.py", "--theirs", str(first), str(second), str(root / "cache")]
        command = [
            "-m",
            "unipath_bench",
            "run",
            "--images",
            str(first),
            "--model-arg",
            "paired=false",
            "--suite",
            "folder",
            "--data",
            str(second.parent),
            "--encoder",
            "fidelity:Resnet",
            "--tasks",
            TASKS,
            "--json",
            "--no-mlflow",
            "--out",
            str(root / "out"),
        ]
        their_cold, told = timed(*peer)
        their_warm, told_again = timed(*peer)
        our_cold, record = timed(*command)
        our_warm, _ = timed(*command)
        _, functions = timed("fidelity.py", "--ours", str(first), str(second.parent), str(root / "out"))
    values, stages = json.loads(told.splitlines()[-1]), json.loads(record)["timing"]["seconds"]
    their_cold -= values["seconds"]
    their_warm -= json.loads(told_again.splitlines()[-1])["seconds"]
    here = json.loads(functions)
    scores = {score["task"]: score["values"] for score in json.loads(record)["scores"]}
    extraction = stages["verify"] + stages["generate"] + stages["embed"]
    print(f"{count} + {count} tiles, {torch.get_num_threads()} threads")
    print(f"{'seconds':<28}{'here':>10}{'torch-fidelity':>16}{'ratio':>8}")
    for name, mine, peer_s in (
        ("extraction", extraction, their_cold - their_warm),
        ("FID, KID, precision, recall", here["seconds"], values["seconds"]),
        ("whole command, from nothing", our_cold, their_cold),
        ("whole command, again", our_warm, their_warm),
    ):
        print(f"{name:<28}{mine:>10.2f}{peer_s:>16.2f}{peer_s / mine:>8.2f}")
    print(f"Scores of the run, with the ends of their scales and intervals: {stages['score']:.2f} s")
    run = {task: {name: value["value"] for name, value in found.items()} for task, found in scores.items()}
    print(json.dumps({"here": here, "run": run, "torch-fidelity": values}, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--theirs"]:
        register()
        theirs(*map(Path, sys.argv[2:5]))
        begun = time.perf_counter()
        again = theirs(*map(Path, sys.argv[2:5]))
        print(json.dumps({**again, "seconds": time.perf_counter() - begun}))
    elif sys.argv[1:2] == ["--ours"]:
        ours(*map(Path, sys.argv[2:5]))
        print(json.dumps(ours(*map(Path, sys.argv[2:5]))))
    else:
        main()
