"""Curves of distances and of label budgets."""

from __future__ import annotations

import pytest

from tests import made_up_records as made_up
from tests.views.charts.drawings import looking, places, read, words
from unipath_bench.schema.details import Budget, Quantiles
from unipath_bench.views.charts import budget_curves, distance_curves


def test_distances_are_drawn_over_the_share_of_the_images() -> None:
    distances = Quantiles(real=(4.0, 10.0), generated=(0.0, 5.0, 20.0))
    audit = made_up.memorisation_details(flagged=True).model_copy(update={"threshold": 5.0, "distances": distances})
    legend, chart = read(distance_curves(audit))
    # The axis ends at 20 * 1.05 = 21, and is 150 units high above 172: 5 lies at 172 - 150 * 5 / 21 = 136.3.
    assert places(looking(chart, "curve real")[0]) == [(38, 143.4), (330, 100.6)]
    assert places(looking(chart, "curve generated dashed")[0]) == [(38, 172), (184, 136.3), (330, 29.1)]
    assert places(looking(chart, "curve alarm dotted")[0]) == [(38, 136.3), (330, 136.3)]
    (shade,) = looking(chart, "shade")
    assert (shade.get("y"), shade.get("height")) == ("136.3", "35.7")
    assert "".join(legend.itertext()) == "unseen real imagesgenerated imagesthreshold 5.00"
    assert (chart.get("aria-label") or "").endswith("; threshold 5.00")
    assert [word for word in words(chart) if word.endswith("%")] == ["0%", "25%", "50%", "75%", "100%"]


@pytest.mark.parametrize("number", [0.0, 5e-324, 1e308, -1.0, -1e308])
def test_any_distances_make_a_chart(number: float) -> None:
    distances = Quantiles(real=(number, number), generated=(number, number))
    audit = made_up.memorisation_details(flagged=False).model_copy(update={"threshold": number, "distances": distances})
    drawn = distance_curves(audit)
    assert "nan" not in drawn
    assert all(22 <= y <= 172 for curve in looking(read(drawn)[1], "curve") for _, y in places(curve))


def test_budgets_stand_on_a_logarithmic_axis() -> None:
    budgets = tuple(
        Budget(labels_per_class=n, real=real, real_plus_synthetic=both, gain=both - real)
        for n, real, both in ((1, 0.5, 0.7), (10, 0.6, 0.8), (100, 0.9, 1.0))
    )
    training = made_up.training_details().model_copy(
        update={"budgets": budgets, "synthetic_only": 0.5, "real_only_same_size": 0.75}
    )
    legend, chart = read(budget_curves(training))
    # Across from 10 ** -0.12 to 10 ** 2.12, 6% of the way on either side: 38 + 292 * 0.12 / 2.24 = 53.6, then halfway.
    # Up from 0.45 to 1.05: 0.5 lies at 172 - 150 * 0.05 / 0.6 = 159.5.
    assert places(looking(chart, "curve real solid")[0]) == [(53.6, 159.5), (184, 134.5), (314.4, 59.5)]
    assert places(looking(chart, "curve generated dashed")[0]) == [(53.6, 109.5), (184, 84.5), (314.4, 34.5)]
    assert places(looking(chart, "curve generated dotted")[0]) == [(38, 159.5), (330, 159.5)]
    assert places(looking(chart, "curve real dotted")[0]) == [(38, 97), (330, 97)]
    assert "".join(legend.itertext()) == "realreal + generatedgenerated only: 0.500as many real images: 0.750"
    assert "1: 0.500 and 0.700; 10: 0.600 and 0.800; 100: 0.900 and 1.00" in (chart.get("aria-label") or "")


@pytest.mark.parametrize(("labels", "figure"), [(5, 0.0), (10**30, 1e308), (7, -1e308)])
def test_any_budget_makes_a_chart(labels: int, figure: float) -> None:
    budget = Budget(labels_per_class=labels, real=figure, real_plus_synthetic=figure, gain=0.0)
    training = made_up.training_details().model_copy(
        update={"budgets": (budget,), "synthetic_only": figure, "real_only_same_size": -figure}
    )
    assert "nan" not in budget_curves(training)


def test_without_budgets_there_is_no_chart() -> None:
    none = Budget(labels_per_class=0, real=0.1, real_plus_synthetic=0.1, gain=0.0)
    for budgets in ((), (none,)):
        assert budget_curves(made_up.training_details().model_copy(update={"budgets": budgets})) == ""


def test_the_same_details_give_the_same_text() -> None:
    assert budget_curves(made_up.training_details()) == budget_curves(made_up.training_details())
    one, other = (distance_curves(made_up.memorisation_details(flagged=True)) for _ in range(2))
    assert one == other
