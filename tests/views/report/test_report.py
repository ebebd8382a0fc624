"""The HTML report: whole, safe, deterministic, readable by people and by machines."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import made_up_records as made_up
from tests.html_pages import Page
from unipath_bench.core.errors import MissingError
from unipath_bench.results.gallery import Exhibits, NeighbourPair, ShownSample
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.schema.details import AttributeControl, Details, Other, Quantiles
from unipath_bench.schema.record import TaskScore
from unipath_bench.views.report import render_report, write_report
from unipath_bench.views.report.pictures import LARGEST

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)> &amp; $\\frac{1}{2}$ {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(made_up.record(suite_notes="One field: a smoke test."), made_up.exhibits(), made_up.tasks())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.mark.integration
def test_it_asks_nothing_of_the_network_and_runs_nothing(html: str, page: Page) -> None:
    names = {tag for tag, _ in page.elements}
    assert names.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img"))
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not re.search(r"url\((?!#)", attributes.get("style") or "")


def test_ids_are_unique_and_every_inner_link_leads_somewhere(page: Page) -> None:
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert [name for name, count in ids.items() if count > 1] == []
    targets = {
        (a.get("href") or a.get("xlink:href") or "")[1:] for t, a in page.elements if (a.get("href") or "#")[0] == "#"
    }
    assert targets - {""} <= set(ids)
    clips = {
        found for _, a in page.elements for found in re.findall(r"url\(#([^)]+)\)", " ".join(filter(None, a.values())))
    }
    assert clips <= set(ids)


def test_it_can_be_read_out(page: Page) -> None:
    assert all(image.get("alt") for image in page.all("img"))
    assert all(header.get("scope") for header in page.all("th"))
    charts = [svg for svg in page.all("svg") if svg.get("class") != "swatch"]  # a legend is not read out
    scaled = [v for s in made_up.scores() for v in s.values.values() if v.position is not None]
    assert len(charts) == len(scaled) + 2  # the label budgets, the distances
    assert all(svg.get("aria-label") and svg.get("role") == "img" for svg in charts)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"
    assert any("width=device-width" in (m.get("content") or "") for m in page.all("meta"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(html: str, scheme: str) -> None:
    # WCAG 2: text has a contrast of at least 4.5 to what it stands on.
    blocks = re.findall(r":root \{(.*?)\}", html, flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0 if scheme == "light" else 1]))
    grounds = {"ink": ("paper", "page"), "muted": ("paper", "page"), "real": ("paper", "page"), "good": ("paper",)}
    grounds |= {k: (f"{k}-paper",) for k in ("alarm", "caution", "information")}
    for front, backs in grounds.items():
        for back in backs:
            assert contrast(colours[front], colours[back]) >= 4.5, (front, back)
    for front in ("real", "generated"):  # lines: at least 3
        assert contrast(colours[front], colours["paper"]) >= 3


def contrast(a: str, b: str) -> float:
    """(L1 + 0.05) / (L2 + 0.05) of the relative luminances, WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_everything_of_the_record_is_there(page: Page) -> None:
    record = made_up.record(suite_notes="One field: a smoke test.")
    for score in record.scores:
        assert score.title in page.text
        assert score.reason in page.text
        assert score.remedy in page.text
        for value in score.values.values():
            assert value.title in page.text
    exact = [data["value"] for data in page.all("data")]
    assert exact == [str(v.value) for s in record.scores for v in s.values.values()]
    for words in (
        "One field: a smoke test.",
        "a yardstick, not a contestant",
        "30.1 to 52.4",
        "95%, grouped jackknife",
        "Intervals are not computed for this task yet.",
        "memorisation flagged",
        "coupled",
        record.run_id,
        record.plan.suite_revision,
        record.plan.model_digest,
        "scikit-learn",
        "2 shards, 572 rows",
        "breast lobular carcinoma",
        "Published figures, quoted",
        "arXiv 2512.21058",
        "Further details of Colour gap (another package's task) are in the run record",
        "not reported: authenticity (all of one group)",
        "200 (the training split has 143 images of its rarest class)",
        "unipath-bench run --model memoriser --suite folder --data PATH_TO/tiles --tiers 1-4 --n 572 --seeds 1",
    ):
        assert words in page.text, words


def test_confusion_matrices_show_the_counts_row_by_row(html: str) -> None:
    matrix = html[html.index('class="matrix"') :]
    cells = re.findall(r'<td class="\w*" style="--p:([\d.]+)">([\d,]+)</td>', matrix)
    assert [int(count) for _, count in cells[:4]] == [130, 5, 3, 2]
    assert float(cells[0][0]) == pytest.approx(130 / 140, abs=5e-4)


@pytest.mark.integration
@pytest.mark.parametrize("flagged", [True, False])
def test_the_audit_s_verdict(flagged: bool) -> None:
    text = Page(render_report(made_up.record(flagged=flagged), None, made_up.tasks())).text
    assert ("memorisation flagged" in text) == flagged
    assert ("Not flagged" in text) == (not flagged)
    assert ("at least 47% of them count as copied" in text) == flagged


@pytest.mark.integration
def test_phantom_is_said() -> None:
    assert "a procedural test object, not tissue" in Page(render_report(made_up.record(kind="phantom"), None, {})).text
    assert "procedural test object" not in Page(render_report(made_up.record(), None, {})).text


def test_images_are_lossless(html: str) -> None:
    shown = made_up.exhibits()
    wanted = [im for s in shown.samples for im in (s.real, *s.generated)] + [
        im for p in shown.neighbours for im in (p.generated, p.train)
    ]
    found = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r"data:image/png;base64,([\w+/=]+)", html)
    ]
    assert len(found) == len(wanted)
    assert all(a is not None and any(np.array_equal(a, b) for b in found) for a in wanted)


@pytest.mark.integration
def test_a_large_image_is_reduced_and_the_page_says_so(html: str) -> None:
    large = render_report(made_up.record(), made_up.exhibits(samples=1, replicates=1, pairs=0, size=LARGEST + 40), {})
    assert f"larger than {LARGEST} pixels are reduced" in large
    assert "pixels are reduced" not in html
    assert max(int(image["width"] or 0) for image in Page(large).all("img")) == LARGEST


@pytest.mark.integration
def test_untrusted_words_stay_words() -> None:
    record = made_up.record()
    evil_value = {"title": EVIL, "bad_end_source": EVIL, "interval_note": EVIL, "unit": EVIL}
    evil_scores = [
        s.model_copy(
            update={
                "title": EVIL,
                "key": f"{EVIL}{i}",
                "reason": EVIL,
                "remedy": EVIL,
                "encoder": EVIL,
                "values": {f"{EVIL}{j}": v.model_copy(update=evil_value) for j, v in enumerate(s.values.values())},
                "details": _evil_details(s),
            }
        )
        for i, s in enumerate(record.scores)
    ]
    quoted = PublishedFigure(metric=EVIL, value=1.0, dataset=EVIL, source="javascript:alert(3)")
    evil_model = {"name": EVIL, "notes": EVIL, "url": "javascript:alert(4)", "published": (quoted,)}
    plan = record.plan.model_copy(
        update={
            "model": record.plan.model.model_copy(update=evil_model),
            "suite": record.plan.suite.model_copy(update={"title": EVIL, "notes": EVIL}),
            "suite_arguments": {EVIL: EVIL},
        }
    )
    record = record.model_copy(update={"scores": tuple(evil_scores), "plan": plan, "name": EVIL})
    image = made_up.tile(1)
    exhibits = Exhibits(
        [ShownSample(EVIL, EVIL, {EVIL: EVIL}, image, [image])], [NeighbourPair(image, image, EVIL, 0, EVIL, 0.0, True)]
    )
    tasks = {name: spec.model_copy(update={"summary": EVIL, "title": EVIL}) for name, spec in made_up.tasks().items()}
    html = render_report(record, exhibits, tasks)
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.elements}
    assert all((image["src"] or "").startswith("data:") for image in page.all("img"))
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [a for _, a in page.elements if "javascript:" in (a.get("href") or "")]
    assert page.text.count("alert(1)") > 40
    assert "{{ 7 * 7 }}" in page.text
    assert "$\\frac{1}{2}$" in page.text


def _evil_details(score: TaskScore) -> Details | None:
    if score.details is None:
        return None
    return type(score.details).model_validate(_evil(score.details.model_dump(mode="json")))


def _evil(value: Any) -> Any:
    if isinstance(value, dict):
        fixed = {
            *("attributes", "budgets", "pairs", "distances", "threshold", "flagged", "classes", "weighted_f1"),
            *("confusion", "labels_per_class", "real", "real_plus_synthetic", "gain", "generated", "replicate"),
            *("train", "distance", "copied", "not_reported", "budgets_left_out", "not_computed", "quantile"),
            *("copied_fraction_lower_bound", "flag_share", "exact_copies", "copied_groups", "train_groups"),
            *("real_weighted_f1", "real_accuracy", "ece", "chance", "percent_of_real", "support", "classifier"),
            *("calibration", "reliability", "not_scaled", "temperature", "temperature_fitted_on"),
            *("ece_with_temperature", "regularisation", "attribute", "folds", "draws", "synthetic", "synthetic_only"),
            *("real_only_same_size", "same_size", "wanted", "have", "kind", "content"),
        }
        return {
            key if key in fixed else f"{EVIL}{i}": item if key == "kind" else _evil(item)
            for i, (key, item) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_evil(item) for item in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.integration
@pytest.mark.parametrize("content", [{}, {"attributes": 3}, {"threshold": 1.0, "flagged": True}, {"rows": [[1, 2]]}])
def test_any_details_of_a_third_party_make_a_page(content: dict[str, Any]) -> None:
    details = Other(content=content, not_reported={"x": "why"})
    value = made_up.value(1.0, "X", "lower", (1.0, 2.0))
    odd = made_up.score("odd", 4, "Odd", {"x": value}, encoder=None, details=details)
    text = Page(render_report(made_up.record(some=[odd]), None, {})).text
    assert ("Further details of Odd" in text) == bool(content)


@pytest.mark.integration
def test_extremes_of_the_known_tables_make_a_page() -> None:
    audit = made_up.memorisation_details(flagged=False).model_copy(
        update={
            "threshold": 0.0,
            "exact_copies": None,
            "pairs": (),
            "distances": Quantiles(generated=(0.0, 0.0), real=(0.0, 0.0)),
        }
    )
    none_right = {"weighted_f1": 0.0, "real_weighted_f1": 0.0, "chance": 0.0}
    control = AttributeControl(attributes={"a": made_up.attribute(["x"], [[0]], **none_right)})
    training = made_up.training_details().model_copy(update={"budgets": ()})
    value = {"x": made_up.value(1.0, "X", "lower", (1.0, 2.0))}
    found: list[Details] = [audit, control, training]
    some = [made_up.score(f"odd-{i}", 4, "Odd", value, details=details) for i, details in enumerate(found)]
    assert "not known" in Page(render_report(made_up.record(some=some), None, {})).text


@pytest.mark.integration
def test_a_run_in_which_nothing_could_be_computed_makes_a_page() -> None:
    absent = [s for s in made_up.scores() if s.status == "not computed"]
    text = Page(render_report(made_up.record(some=absent), None, {})).text
    assert "To compute the rest" in text
    assert "No image-text encoder is at hand." in text


@pytest.mark.integration
def test_same_input_same_bytes_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests import made_up_records as m;"
        "from unipath_bench.views.report import write_report;"
        "write_report(m.record(), m.exhibits(), Path(sys.argv[1]), m.tasks())"
    )
    path = tmp_path / "report.html"
    env = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code, str(path)], env=env, check=True, timeout=300)
    here = render_report(made_up.record(), made_up.exhibits(), made_up.tasks())
    assert path.read_bytes() == here.encode()


@pytest.mark.integration
def test_nothing_is_left_behind(tmp_path: Path) -> None:
    path = write_report(made_up.record(), None, tmp_path / "new" / "report.html", made_up.tasks())
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


@pytest.mark.integration
def test_a_failed_write_keeps_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(made_up.record(), None, tmp_path / "report.html", {})
    before = path.read_bytes()

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MissingError, match="no space left"):
        write_report(made_up.record("other"), None, path, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
