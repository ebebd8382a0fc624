"""Parquet sets from other code: by id, by prompt, by nothing, and what does not fit."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.generators.memory_suite import HEIGHT, WIDTH, MemorySuite, make_requests
from unipath_bench.cli.app import invoke
from unipath_bench.contracts import Context, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.generators.cards import load_generator, model_digest
from unipath_bench.generators.parquet import ParquetGenerator


def pixels(seed: int, height: int = HEIGHT, width: int = WIDTH) -> RGBImage:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(image: RGBImage) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, images: list[RGBImage], group: int = 5, **columns: list[object]) -> Path:
    """A Parquet file as Hugging Face datasets write it, in row groups of ``group``."""
    cells = [{"bytes": png(image), "path": None} for image in images]
    pq.write_table(pa.table({"image": cells, **columns}), path, row_group_size=group)
    return path


@pytest.fixture
def requests(suite: MemorySuite) -> list[Request]:
    return make_requests(suite)


def served(generator: ParquetGenerator, requests: list[Request]) -> list[RGBImage]:
    assert generator.missing(Context()) is None
    generator.check(requests)
    generator.setup(Context())
    return list(generator.generate(requests[:3])) + list(generator.generate(requests[3:]))


@pytest.mark.parametrize("how", ["whole", "stem", "file"])
def test_rows_by_id_in_any_order_and_in_several_files(tmp_path: Path, requests: list[Request], how: str) -> None:
    """Row i of the shuffled files holds the image of the seed that its request's place gives."""
    names = {
        "whole": lambda r: r.sample_id,
        "stem": lambda r: r.sample_id.removesuffix(".png"),
        "file": lambda r: r.sample_id.removesuffix(".png") + "_seed0.png",
    }
    order = list(np.random.default_rng(0).permutation(len(requests)))
    for part, places in enumerate((order[:10], order[10:])):
        ids: list[object] = [names[how](requests[i]) for i in places]
        write(tmp_path / f"{part}.parquet", [pixels(int(i)) for i in places], sample_id=ids)
    generator = ParquetGenerator(data=tmp_path)
    assert (generator.by, generator.column) == ("id", "sample_id")
    for i, image in enumerate(served(generator, requests)):
        np.testing.assert_array_equal(image, pixels(i))


def test_several_images_of_one_id_by_their_replicate(tmp_path: Path, suite: MemorySuite) -> None:
    both = [*make_requests(suite), *make_requests(suite, replicate=1)]
    ids: list[object] = [r.sample_id for r in both]
    numbers: list[object] = [r.replicate for r in both]
    path = write(tmp_path / "a.parquet", [pixels(i) for i in range(len(both))], case=ids, number=numbers)
    with pytest.raises(DataError, match="24 without an image"):  # without the column no row answers replicate 1
        ParquetGenerator(data=path, column="case").check(both[24:])
    generator = ParquetGenerator(data=path, column="case", replicate_column="number")
    for i, image in enumerate(served(generator, both)):
        np.testing.assert_array_equal(image, pixels(i))


def test_rows_by_prompt_are_dealt_out_in_their_order(tmp_path: Path, requests: list[Request]) -> None:
    """All prompts of a class are the same text: its images are used once each, in the order of the sample ids."""
    prompts: list[object] = [*["H&E of colon"] * 10, *["H&E of lung"] * 8, *["H&E of skin"] * 6]
    path = write(tmp_path / "a.parquet", [pixels(i) for i in range(24)], text=prompts)
    generator = ParquetGenerator(data=path)
    assert (generator.by, generator.column) == ("prompt", "text")
    first = {"H&E of colon": 0, "H&E of lung": 10, "H&E of skin": 18}
    for request, image in zip(requests, served(generator, requests), strict=True):
        place = int(Path(request.sample_id).stem)  # test/colon/003.png is the class's fourth
        np.testing.assert_array_equal(image, pixels(first[request.prompt] + place))


def test_a_set_that_answers_no_prompts_is_drawn_from_without_replacement(
    tmp_path: Path, requests: list[Request]
) -> None:
    path = write(tmp_path / "a.parquet", [pixels(i) for i in range(60)], label=["x"] * 60)
    generator = ParquetGenerator(data=path)
    assert generator.by == "nothing"
    assert generator.card.conditions_on == ()
    images = served(generator, requests)
    known = {pixels(i).tobytes(): i for i in range(60)}
    drawn = [known[image.tobytes()] for image in images]
    assert len(set(drawn)) == len(requests)
    assert max(drawn) >= 24  # not simply the first ones: all of 24 below 24 has a chance of 1 / C(60, 24)
    again = [known[image.tobytes()] for image in served(ParquetGenerator(data=path), requests[::-1])]
    assert again[::-1] == drawn
    other = [known[image.tobytes()] for image in served(ParquetGenerator(data=path, seed=1), requests)]
    assert other != drawn
    with pytest.raises(DataError, match="holds 60 images, and this run needs 72"):
        ParquetGenerator(data=path).check(
            [Request(r.sample_id, r.prompt, r.seed, n, HEIGHT, WIDTH) for r in requests for n in range(3)]
        )


def test_the_card_has_the_images_size_and_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "set one.parquet", [pixels(0, 20, 30)], sample_id=["a"])
    generator = ParquetGenerator(data=path)
    assert (generator.card.name, generator.card.height, generator.card.width) == ("parquet-set-one", 20, 30)
    before, files = model_digest(generator), generator.fingerprint()
    path.rename(tmp_path / "elsewhere.parquet")
    assert ParquetGenerator(data=tmp_path / "elsewhere.parquet").fingerprint() == files
    write(path, [pixels(1, 20, 30)], sample_id=["a"])
    assert model_digest(ParquetGenerator(data=path)) != before


def test_what_does_not_fit_is_named(tmp_path: Path, requests: list[Request]) -> None:
    path = write(tmp_path / "a.parquet", [pixels(0), pixels(1, 8, 8)], sample_id=["a", "b"])
    with pytest.raises(UsageError, match="column=case"):
        ParquetGenerator(data=path, column="case")
    with pytest.raises(UsageError, match="to hold the prompt"):
        ParquetGenerator(data=path, by="prompt")
    with pytest.raises(UsageError, match="by='name'"):
        ParquetGenerator(data=path, by="name")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="does not exist"):
        ParquetGenerator(data=tmp_path / "absent")
    with pytest.raises(DataError, match="24 without an image") as caught:
        ParquetGenerator(data=path).check(requests)
    assert "by=nothing" in caught.value.remedy
    both = [Request(name, "", 0, 0, HEIGHT, WIDTH) for name in ("a", "b")]
    with pytest.raises(DataError, match="8 x 8"):
        ParquetGenerator(data=path).check(both)
    twice = write(tmp_path / "b.parquet", [pixels(0), pixels(1)], sample_id=["a", "a"])
    with pytest.raises(DataError, match="1 with several images"):
        ParquetGenerator(data=twice).check(both[:1])
    with pytest.raises(DataError, match="check"):
        ParquetGenerator(data=twice).generate(both)
    text = write(tmp_path / "c.parquet", [pixels(0)], sample_id=["a"], replicate=["first"])
    with pytest.raises(DataError, match="no whole number"):
        ParquetGenerator(data=text, replicate_column="replicate").check(both[:1])


@pytest.mark.integration
def test_a_set_is_scored_through_the_command_line(small_tiles: Path, tmp_path: Path) -> None:
    """The set holds the training tiles of the suite itself, as a set that answers no prompts."""
    files = sorted((small_tiles / "train").rglob("*.png"))
    path = write(tmp_path / "set.parquet", [np.asarray(Image.open(file)) for file in files], group=20)
    arguments = ["--model", "parquet", "--model-arg", f"data={path}", "--suite", "folder", "--data", str(small_tiles)]
    assert invoke(["run", *arguments, "--tasks", "precision-recall", "--n", "24", "--out", str(tmp_path / "out")]) == 0
    assert load_generator("parquet", {"data": str(path)}).card.conditions_on == ()
