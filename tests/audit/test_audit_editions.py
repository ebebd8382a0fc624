"""What the defects of the set do to the answers: who is struck, with what, and what is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unipath_bench.audit.catalogue import DEFECTS, choose_defects
from unipath_bench.audit.editions import Cohort, Edition
from unipath_bench.audit.rearranging import (
    copy_patients,
    drop_modes,
    flip_attribute,
    misread_wordings,
    shuffle_captions,
)
from unipath_bench.audit.run import make_cohort
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.options import Options
from unipath_bench.phantom import PhantomSuite
from unipath_bench.pipeline.plan import make_plan

SHARES = (0.1, 0.25, 0.5, 1.0)


def cohort_of(suite: str, data: str | None = None, **arguments: object) -> Cohort:
    return make_cohort(make_plan(Options(model="real", suite=suite, data=data, suite_arguments=arguments)))


@pytest.fixture(scope="module")
def phantom() -> Cohort:
    return cohort_of("phantom", train=64, test=48)


@pytest.fixture(scope="module")
def folder(small_tiles: Path) -> Cohort:
    return cohort_of("folder", str(small_tiles))


def struck(cohort: Cohort, edition: Edition) -> set[int]:
    """Prompts that are answered by another picture than the honest one."""
    pairs = zip(edition.answers(), cohort.honest.pictures, strict=True)
    return {i for i, (now, before) in enumerate(pairs) if now != before}


def test_the_honest_edition_is_held_out_tissue_of_the_prompts_class(phantom: Cohort) -> None:
    assert struck(phantom, phantom.honest) == set()
    for prompt, answer in zip(phantom.prompts, phantom.answers, strict=True):
        assert (prompt.split, answer.split) == ("test", "heldout")
        assert prompt.labels == answer.labels


@pytest.mark.parametrize("build", [flip_attribute, shuffle_captions, copy_patients])
def test_the_share_is_struck_and_a_larger_share_contains_the_smaller(
    phantom: Cohort, build: Callable[[Cohort, float], Edition]
) -> None:
    found = [struck(phantom, build(phantom, share)) for share in SHARES]
    assert [len(f) for f in found] == [round(share * 48) for share in SHARES]
    assert found[0] < found[1] < found[2] < found[3]


@pytest.mark.parametrize("name", ["phantom", "folder"])
def test_shuffling_moves_captions_and_no_picture(name: str, request: pytest.FixtureRequest) -> None:
    cohort: Cohort = request.getfixturevalue(name)
    edition = shuffle_captions(cohort, 1.0)
    assert edition.pictures == cohort.honest.pictures
    assert sorted(edition.prompts) == list(range(len(cohort.prompts)))
    # No class of the primary attribute holds more than half of the prompts, so all of them can change class.
    classes = [cohort.class_of(s) for s in cohort.prompts]
    assert max(Counter(classes).values()) <= len(classes) / 2
    assert all(classes[i] != classes[prompt] for i, prompt in enumerate(edition.prompts))
    assert edition.wordings == (edition.answers(),) * cohort.wordings


def test_dropped_modes_are_patients_and_every_prompt_keeps_its_class(folder: Cohort) -> None:
    honest = {(folder.class_of(s), s.group) for s in folder.answers}
    by_key = {folder.picture(s).key: s for s in folder.answers}
    for share in (0.25, 0.5, 0.9):
        edition = drop_modes(folder, share)
        shown = [by_key[p.key] for p in edition.pictures]
        modes = {(folder.class_of(s), s.group) for s in shown}
        per_class = Counter(name for name, _ in honest)
        assert len(modes) == sum(max(1, round((1 - share) * count)) for count in per_class.values())
        assert [folder.class_of(s) for s in shown] == [folder.class_of(s) for s in folder.prompts]


def test_copies_are_training_images_of_the_class_patient_by_patient(phantom: Cohort) -> None:
    train = {phantom.picture(s).key: s for s in phantom.train}
    edition = copy_patients(phantom, 0.5)
    copies = [(i, train[p.key]) for i, p in enumerate(edition.pictures) if p.key in train]
    assert len(copies) == 24
    assert all(phantom.class_of(phantom.prompts[i]) == phantom.class_of(s) for i, s in copies)
    # Of a class, a second patient begins only when all tiles of the first are used.
    for name in {phantom.class_of(s) for _, s in copies}:
        tiles = Counter(s.group for s in phantom.train if phantom.class_of(s) == name)
        used = Counter(s.group for _, s in copies if phantom.class_of(s) == name)
        assert sum(used[group] < tiles[group] for group in used) <= 1


def test_a_flipped_phantom_is_the_same_tile_with_one_other_class(phantom: Cohort) -> None:
    edition = flip_attribute(phantom, 1.0)
    suite = phantom.suite
    assert isinstance(suite, PhantomSuite)
    for picture, answer, prompt in list(zip(edition.pictures, phantom.answers, phantom.prompts, strict=True))[:6]:
        name = picture.key.rpartition("=")[2]
        assert name != prompt.labels["cytology_type"]
        assert picture.key == f"rendered:{answer.id}:cytology_type={name}"
        before, after = suite.load(answer).astype(int), picture.load().astype(int)
        assert before.shape == after.shape
        # The same tissue from the same seed: pixels go together far better than those of another tile.
        other = suite.load(phantom.answers[20]).astype(int)
        assert np.abs(after - before).mean() < np.abs(other - before).mean()


def test_a_flipped_real_tile_is_a_held_out_tile_of_another_class(folder: Cohort) -> None:
    known = {folder.picture(s).key: s for s in folder.heldout}
    for picture, prompt in zip(flip_attribute(folder, 1.0).pictures, folder.prompts, strict=True):
        assert folder.class_of(known[picture.key]) != folder.class_of(prompt)


def test_misread_wordings_leave_the_prompts_themselves_alone(phantom: Cohort) -> None:
    assert phantom.wordings == 4
    edition = misread_wordings(phantom, 0.5)
    assert (edition.pictures, edition.prompts) == (phantom.honest.pictures, phantom.honest.prompts)
    changed = [now != before for now, before in zip(edition.wordings[0], phantom.honest.pictures, strict=True)]
    assert sum(changed) == 24


@pytest.mark.parametrize("name", [d for d, of in DEFECTS.items() if of.kind in ("image", "tissue")])
def test_a_defect_of_the_image_grows_with_its_level(phantom: Cohort, name: str) -> None:
    defect = DEFECTS[name]
    before = phantom.honest.pictures[0].load().astype(float)
    images = [defect.build(phantom, level).pictures[0].load() for level in defect.levels]
    assert all(image.dtype == np.uint8 and image.shape == before.shape for image in images)
    errors = [float(np.abs(image - before).mean()) for image in images]
    assert 0 < errors[0] < errors[-1]
    # An enlarged tile is soon as different pixel by pixel as any other one.
    assert errors == sorted(errors) or name == "scale-error"


def test_what_a_suite_cannot_have_is_said(folder: Cohort) -> None:
    bare = Cohort(folder.suite, folder.prompts, folder.answers, (), folder.heldout, wordings=0)
    assert DEFECTS["patients-copied"].lacks(bare) == "the suite has no training split"
    assert DEFECTS["wordings-misread"].lacks(bare) == "the suite's prompts have no paraphrases"
    one_class = [s for s in folder.heldout if folder.class_of(s) == "dense"]
    only = Cohort(
        folder.suite,
        tuple(s for s in folder.prompts if folder.class_of(s) == "dense"),
        tuple(one_class[:1] * 20),
        folder.train,
        tuple(one_class),
    )
    assert DEFECTS["attribute-flipped"].lacks(only) is not None
    with pytest.raises(DataError, match="one class only"):
        flip_attribute(only, 0.5)


def test_defects_are_chosen_by_name_with_other_levels() -> None:
    chosen = choose_defects(("blur", "jpeg"), {"blur": (0.0, 1.0, 3.0)})
    assert [(d.name, d.levels) for d in chosen] == [("blur", (1.0, 3.0)), ("jpeg", DEFECTS["jpeg"].levels)]
    assert [d.name for d in choose_defects((), {})] == list(DEFECTS)


@pytest.mark.parametrize(
    ("names", "levels", "message"),
    [
        (("blurr",), {}, "no defect 'blurr'"),
        ((), {"stain": (1.0, 2.0)}, "no defect 'stain'"),
        (("jpeg",), {"blur": (1.0, 2.0)}, "not audited"),
        ((), {"blur": (1.0,)}, "levels of 'blur'"),
        ((), {"blur": (2.0, 1.0)}, "levels of 'blur'"),
        ((), {"blur": (-1.0, 1.0)}, "levels of 'blur'"),
        ((), {"captions-shuffled": (0.5, 1.5)}, "levels of 'captions-shuffled'"),
    ],
)
def test_wrong_choices_are_refused(names: tuple[str, ...], levels: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_defects(names, levels)
