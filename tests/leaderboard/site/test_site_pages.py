"""The leaderboards' site: whole, safe, deterministic, readable by people and by machines."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import made_up_records as made_up
from tests.html_pages import Page
from tests.leaderboard.site.made_up_boards import METRICS, board, made_up_board, made_up_entry, replaced
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.leaderboard.site import SiteBoard, SiteEntry, build_site
from unipath_bench.leaderboard.site.content import file_stem
from unipath_bench.leaderboard.site.rendering import head, style_sheet
from unipath_bench.leaderboard.site.samples import LARGEST_EDGE, WIDEST, sample_picture
from unipath_bench.schema.board import QuotedModel, Standings
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.views.image_grid import sample_grid

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)> &amp; {{ 7 * 7 }} \u202e"


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("entry") / "samples.png"
    Image.fromarray(sample_grid(made_up.exhibits())).save(path)
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, picture: Path) -> Path:
    boards = [
        made_up_board(9, samples=picture),
        made_up_board(5, "phantom", "phantom", title="Made-up phantom board"),
    ]
    return build_site(boards, tmp_path_factory.mktemp("built") / "site").parent


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): read(path) for path in sorted(site.rglob("*.html"))}


@pytest.mark.integration
def test_one_page_a_board_and_one_an_entry(site: Path, pages: dict[str, Page]) -> None:
    assert [name for name in pages if name.count("/") < 2] == ["index.html", "made-up/index.html", "phantom/index.html"]
    assert sum(name.startswith("made-up/models/") for name in pages) == 9
    assert sum(name.startswith("phantom/models/") for name in pages) == 5
    held = Standings.model_validate_json((site / "made-up" / "standings.json").read_text(encoding="utf-8"))
    assert len(held.rows) == 9


def test_every_link_leads_to_a_file_and_a_place_that_are_there(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        ids = Counter(a["id"] for _, a in page.elements if "id" in a)
        assert [i for i, count in ids.items() if count > 1] == []
        for target in [a["href"] or "" for a in page.all("a")] + [i["src"] or "" for i in page.all("img")]:
            if target.startswith("https://"):
                continue
            path, _, place = target.partition("#")
            if path:
                assert (site / name).parent.joinpath(path).resolve().is_file(), (name, target)
            else:
                assert place in ids


def test_it_asks_nothing_of_the_network(site: Path, pages: dict[str, Page]) -> None:
    for page in pages.values():
        names = {tag for tag, _ in page.elements}
        assert names.isdisjoint({"link", "iframe", "object", "embed", "base", "form", "audio", "video", "source"})
        assert all(script == {} for script in page.all("script"))  # inline, by its digest
        assert len(page.all("script")) == 1
        assert all(re.fullmatch(r"[a-z0-9._-]+\.webp", i["src"] or "") for i in page.all("img"))
        for _, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")]
            assert "srcset" not in attributes
            assert "url(" not in (attributes.get("style") or "")
    style = style_sheet()
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_lets_in_the_one_script_and_nothing_from_outside(site: Path, pages: dict[str, Page]) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    script = text[text.index("<script>") + len("<script>") : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    for page in pages.values():
        policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == f"'sha256-{digest}'"
        assert rules["img-src"] == "'self' data:"
        assert "http" not in policy


def test_the_standings_table_holds_what_the_standings_say(pages: dict[str, Page]) -> None:
    made = made_up_board(9)
    table = pages["made-up/index.html"].rows["standings"]
    assert [cell.split(" is ")[0] for cell in table[0][3:]] == [
        f"{title}Tier {tier}{direction}" for _, _, title, tier, direction in METRICS
    ]
    assert len(table) == 1 + 9
    for cells, row in zip(table[1:], made.standings.rows, strict=True):
        assert cells[1].startswith(row.title)
        assert row.licence in cells[1]
        assert all(reason in cells[1] for reason in row.reasons)
        assert cells[0].startswith("–" if row.rank is None else str(row.rank))
        assert ("not told apart from" in cells[0]) == bool(row.tied_with)
    assert [cells[0][0] for cells in table[1:]] == ["1", "1", "1", "4", "4", "4", "–", "–", "–"]
    assert table[7][-1].strip() == "–not computed"  # the stale entry's last value, with its reason
    # 148 at 3 significant digits etc. are the report's formats; here that value and interval stand in one cell
    first = made.standings.rows[0].cells["frechet-distance[texture]/frechet_distance"]
    assert first.low is not None
    assert f"{first.value:.0f}" in table[1][3]
    assert f"{first.low:.0f} to {first.high:.0f}" in table[1][3]


def test_quoted_figures_stand_apart_and_have_no_rank(pages: dict[str, Page]) -> None:
    page = pages["made-up/index.html"]
    assert [row[0] for row in page.rows["quoted"][1:]] == ["UniPath-7B", "UniPath-7B"]
    assert not any("UniPath-7B" in cell for row in page.rows["standings"] for cell in row)
    assert "not computed here and not ranked" in page.text
    assert "rank" not in " ".join(page.rows["quoted"][0]).lower()


def test_a_phantom_board_says_on_every_page_that_it_is_no_tissue(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        if name.startswith("phantom/"):
            assert "phantom, not tissue" in page.text
            assert "of a procedural test object, not of tissue" in page.text
        elif name != "index.html":
            assert "phantom, not tissue" not in page.text
    assert pages["index.html"].text.count("phantom, not tissue") == 1


def test_an_archive_that_nobody_can_fetch_is_said_to_be_so(tmp_path: Path) -> None:
    made = made_up_board(5)
    name = made.standings.rows[0].name
    behind = made.entries[name]
    alone = behind.entry.model_copy(update={"archive": "../../../archives/x.zip"})
    kept = SiteBoard(made.standings, {**made.entries, name: replace(behind, entry=alone)})
    build_site([kept], tmp_path / "site")
    page = read(tmp_path / "site" / "made-up" / "models" / f"{name}.html")
    assert "../../../archives/x.zip (a path from the entry’s folder, not hosted)" in page.text


def test_an_entry_s_page_has_scores_audit_provenance_and_history(site: Path, pages: dict[str, Page]) -> None:
    made = made_up_board(9)
    name = made.standings.rows[0].name
    behind = made.entries[name]
    page = pages[f"made-up/models/{name}.html"]
    for said in (
        behind.entry.archive,
        behind.entry.archive_sha256,
        behind.entry.licence_statement,
        behind.record.run_id,
        behind.record.plan.model_digest,
        behind.record.plan.suite_revision,
        "scikit-learn",
        "samples/abc/0000.parquet",
        "Attribute by attribute",
        "Memorisation audit",
        "uses conch inside",
        "Accept the licence at",
    ):
        assert said in page.text, said
    assert "not hosted" not in page.text
    spoken = [svg.get("aria-label") or "" for svg in page.all("svg")]
    assert sum(text.startswith("Radar of the headline values") for text in spoken) == 1
    scaled = [v for s in behind.record.scores for v in s.values.values() if v.position is not None]
    assert sum("the bad end, to" in text for text in spoken) == len(scaled)
    image = page.all("img")[0]
    with Image.open(site / "made-up" / "models" / f"{name}.webp") as drawn:
        assert (str(drawn.width), str(drawn.height)) == (image["width"], image["height"])
    # two releases of the model on each of the two boards that have it, the newest first
    model = made.standings.rows[0].model
    lines = [row for b in (made, made_up_board(5, "phantom", "phantom")) for row in b.standings.rows]
    expected = sum(row.model == model for row in lines)
    text = page.text[page.text.index(f"Submissions of {model}") :]
    assert text.count("(this page)") == 1
    dates = re.findall(r"\b2026-\d\d-\d\d\b", text)
    assert len(dates) == expected
    assert dates == sorted(dates, reverse=True)


def test_it_can_be_read_out(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert all(image.get("alt") for image in page.all("img"))
        assert all(header.get("scope") for header in page.all("th"))
        assert page.text.count("Skip to the content") == 1
        for landmark in ("header", "main", "footer", "nav"):
            assert page.all(landmark), (name, landmark)
        assert len(page.all("caption")) == len(page.all("table"))
        charts = [svg for svg in page.all("svg") if svg.get("class") != "swatch"]  # a legend is not read out
        assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in charts)
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(below - above <= 1 for above, below in pairwise(levels))
        assert page.all("html")[0]["lang"] == "en"
        for region in page.elements:
            if region[1].get("role") == "region":
                assert region[1].get("tabindex") == "0"
                assert region[1].get("aria-label") or region[1].get("aria-labelledby")
    controls = [a for tag, a in pages["made-up/index.html"].elements if tag in ("input", "select")]
    assert len(controls) == 4  # each inside its label


def test_both_palettes_can_be_chosen_by_hand_and_are_the_report_s() -> None:
    style = style_sheet()
    palettes = re.findall(r":root(?:\[data-theme=\"\w+\"\])? \{(.*?)\}", style, flags=re.DOTALL)
    colours = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in palettes]
    light, dark, chosen_light, chosen_dark = colours
    assert len(light) == len(dark) == 15
    assert (chosen_light, chosen_dark) == (light, dark)
    assert "prefers-reduced-motion" in style


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_of_the_site_s_own_colours(theme: int) -> None:
    # WCAG 2: text 4.5, drawings 3; beside what the report's own test holds
    blocks = re.findall(r":root \{(.*?)\}", style_sheet(), flags=re.DOTALL)
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[theme]))
    for text in ("ink", "muted", "real", "generated", "caution", "alarm", "good"):
        assert contrast(colour[text], colour["paper"]) >= 4.5, text
    assert contrast(colour["muted"], colour["page"]) >= 4.5  # a row under the pointer


def contrast(a: str, b: str) -> float:
    """(L1 + 0.05) / (L2 + 0.05) of the relative luminances, WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def evil_board() -> SiteBoard:
    """Every text that comes from outside is hostile."""
    made = made_up_board(4)
    rules = board(title=EVIL, description=EVIL).model_copy(
        update={
            "suite": EVIL,
            "quoted": (
                QuotedModel(
                    model=EVIL, figures=(PublishedFigure(metric=EVIL, value=1, dataset=EVIL, source="javascript:x"),)
                ),
            ),
        }
    )
    rows, entries = [], {}
    for i, row in enumerate(made.standings.rows):
        name = f"../../{EVIL}{i}"
        record = made.entries[row.name].record
        card = record.plan.model.model_copy(update={"name": EVIL, "notes": EVIL, "url": "javascript:alert(3)"})
        plan = record.plan.model_copy(update={"model": card})
        scores = [s.model_copy(update={"title": EVIL, "reason": EVIL, "remedy": EVIL}) for s in record.scores]
        record = record.model_copy(update={"plan": plan, "scores": tuple(scores)})
        texts: dict[str, Any] = {
            "title": EVIL,
            "submitter": EVIL,
            "archive": "javascript:alert(4)",
            "licence_statement": EVIL,
        }
        entries[name] = SiteEntry(made_up_entry(name, notes=EVIL, **texts), record)
        rows.append(
            row.model_copy(
                update={
                    "name": name,
                    "title": EVIL,
                    "model": EVIL,
                    "revision": EVIL,
                    "licence": EVIL,
                    "reasons": (EVIL,),
                    "tied_with": (EVIL,),
                }
            )
        )
    return SiteBoard(Standings(board=rules, rows=tuple(rows)), entries)


@pytest.mark.integration
def test_nothing_from_outside_becomes_markup_or_a_link_or_a_path(tmp_path: Path) -> None:
    root = build_site([evil_board()], tmp_path / "site").parent
    assert sorted(p.name for p in tmp_path.iterdir()) == ["site"]
    found = sorted(root.rglob("*.html"))
    assert len(found) == 2 + 4
    for path in found:
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert len(page.all("script")) == 1
        assert not page.all("img")
        assert not [name for _, a in page.elements for name in a if name.startswith("on")]
        assert all(not (a["href"] or "").startswith("javascript") for a in page.all("a"))
        assert "{{ 7 * 7 }}" in page.text
        assert re.fullmatch(r"[a-z0-9._-]+", path.name)
        assert "alert(1)" in page.text  # shown as it was written


def test_the_names_of_files() -> None:
    assert file_stem("model-a.v2_b") == "model-a.v2_b"
    for name in ("../up", "A", "a/b", "", ".hidden", "con aux", "x" * 65, "a.", "é"):
        stem = file_stem(name)
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{8}", stem), name
    assert file_stem("a b") != file_stem("a-b ")


@pytest.mark.integration
def test_same_boards_same_bytes_in_another_process(tmp_path: Path, picture: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.leaderboard.site.made_up_boards import made_up_board;"
        "from unipath_bench.leaderboard.site import build_site;"
        "build_site([made_up_board(5, samples=Path(sys.argv[2]))], Path(sys.argv[1]))"
    )
    search = os.pathsep.join([str(Path(__file__).parents[3]), *(p for p in sys.path if p)])
    env = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": search}
    subprocess.run([sys.executable, "-c", code, tmp_path / "there", picture], env=env, check=True, timeout=300)
    build_site([made_up_board(5, samples=picture)], tmp_path / "here")
    here, there = (
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "here", tmp_path / "there")
    )
    assert len(here) > 10
    assert here == there


@pytest.mark.integration
def test_an_earlier_site_is_replaced_whole_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build_site([made_up_board(5)], out)
    build_site([made_up_board(4, "other")], out)
    assert sorted(p.name for p in out.iterdir()) == [".nojekyll", ".unipath-bench-site", "index.html", "other"]
    assert [p.name for p in tmp_path.iterdir()] == ["site"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="not a site"):
        build_site([made_up_board(4)], mine)
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]


@pytest.mark.integration
def test_a_failed_build_keeps_the_earlier_site(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build_site([made_up_board(4)], out)
    before = (out / "index.html").read_bytes()
    made = made_up_board(4)
    unknown = made.standings.rows[0].model_copy(update={"name": "nobody"})
    with pytest.raises(DataError, match="nobody"):
        build_site([replaced(made, [unknown])], out)
    assert (out / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["site"]
    with pytest.raises(UsageError, match="Two boards"):
        build_site([made, made], out)


def test_a_board_without_entries_or_quotes_makes_a_page(tmp_path: Path) -> None:
    empty = SiteBoard(Standings(board=board().model_copy(update={"quoted": ()}), rows=()), {})
    root = build_site([empty], tmp_path / "site").parent
    page = read(root / "made-up" / "index.html")
    assert "0 ranked of 0" in page.text
    assert "quoted" not in page.rows


def test_a_picture_is_drawn_anew_and_a_hostile_one_refused(tmp_path: Path) -> None:
    large = tmp_path / "samples.png"
    Image.fromarray(np.full((300, 3000, 3), 200, np.uint8)).save(large)
    drawn = sample_picture(large)
    assert (drawn.width, drawn.height) == (WIDEST, WIDEST // 10)
    long = tmp_path / "long.png"
    Image.new("1", (LARGEST_EDGE + 1, 1)).save(long)
    bomb = tmp_path / "bomb.png"  # 81 million pixels in some 10 KB
    Image.new("1", (9000, 9000)).save(bomb)
    text = tmp_path / "text.png"
    text.write_text("<svg onload='alert(1)'/>", encoding="utf-8")
    gif = tmp_path / "samples.gif"
    Image.new("L", (4, 4)).save(gif)
    for path in (long, bomb, text, gif):
        with pytest.raises(DataError, match=re.escape(str(path))):
            sample_picture(path)


@pytest.mark.integration
def test_two_hundred_entries_in_seconds(tmp_path: Path) -> None:
    made = made_up_board(200)
    began = time.process_time()
    root = build_site([made], tmp_path / "site").parent
    spent = time.process_time() - began
    assert spent < 10
    standings = (root / "made-up" / "index.html").stat().st_size
    heaviest = max(path.stat().st_size for path in root.rglob("models/*.html"))
    assert standings < 600_000
    assert heaviest < 120_000
    print(json.dumps({"cpu_seconds": round(spent, 2), "standings_bytes": standings, "entry_bytes": heaviest}))


def test_the_script_has_no_end_of_script_inside() -> None:
    assert "</" not in head().script
