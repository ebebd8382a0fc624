"""Schedule, averages, noise levels, orientations, contexts and sizes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from torch import Tensor, nn

from reference_model.train import CONFIGS, find, main, shipped
from reference_model.training.checking import check
from reference_model.training.config import FlowConfig, ScheduleConfig, rate_from, read_config
from reference_model.training.contexts import NOTHING, ContextTable, semantic_table
from reference_model.training.flow_matching import doubled, noise_levels, row_weights
from reference_model.training.loop import Loop, plateau_end, rate_at
from reference_model.training.prototypes_stage import near_prototypes
from reference_model.training.tiles import oriented
from reference_model.training.tracking import Tracker
from tests.reference_model.made_up_models import PROMPTS, tiny_pipeline
from tests.reference_model.training_setup import configuration, schedule
from unipath_bench import DataError, UsageError
from unipath_bench.core.images import middle_square
from unipath_bench.core.progress import Silent


def test_the_rate_rises_stays_and_falls() -> None:
    rising = ScheduleConfig(steps=100, batch_size=1, rate=8.0, warmup=3, decay=0.25)
    # A rise over four steps: 2, 4, 6, then 8; the last 25 steps fall to zero after step 99: 8 * (100 - step) / 25.
    assert [rate_at(rising, step) for step in (0, 1, 2, 3, 50, 75)] == [2, 4, 6, 8, 8, 8]
    assert rate_at(rising, 80) == pytest.approx(8 * 20 / 25)
    assert rate_at(rising, 99) == pytest.approx(8 / 25)
    assert plateau_end(rising) == 75
    flat = rising.model_copy(update={"decay": 0.0})
    assert rate_at(flat, 99) == 8


class Bowl:
    """A quadratic; every weight it visits is written down."""

    name = "bowl"

    def __init__(self, value: float = 3.0) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.module.weight, value)
        self.modules = nn.ModuleDict({"bowl": self.module})
        self.seen: list[float] = []

    def begin(self, step: int) -> None:
        pass

    def loss(self, step: int, rank: int, size: int) -> Tensor:
        self.seen.append(float(self.module.weight))
        return self.module.weight.square().sum()

    def evaluate(self) -> dict[str, float]:
        return {"weight": float(self.module.weight)}

    def is_done(self, figures: dict[str, float]) -> bool:
        return figures["weight"] < 2.0


def bowl_loop(folder: Path, problem: Bowl, **changes: float) -> Loop:
    settings = {"steps": 30, "batch_size": 2, "rate": 0.1, "warmup": 0, "decay": 0.0, "weight_decay": 0.0, **changes}
    plan = ScheduleConfig.model_validate(settings)
    return Loop(problem, plan, folder, Accelerator(cpu=True), Silent(), Tracker(folder))


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    problem = Bowl()
    figures = bowl_loop(tmp_path, problem, ema=0.5).run()
    # Independently: a <- a + (1 - d)(w - a) with d = min(ema, (1 + n) / (10 + n)), w the weight after step n.
    after = [*problem.seen[1:], None]
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    after[-1] = float(state["weights"]["bowl.weight"])
    average = 3.0
    for n, weight in enumerate(after):
        assert weight is not None
        average += (1 - min(0.5, (1 + n) / (10 + n))) * (weight - average)
    assert figures["weight"] == pytest.approx(average, rel=1e-5)


def test_adam_takes_the_step_that_it_should(tmp_path: Path) -> None:
    problem = Bowl()
    bowl_loop(tmp_path, problem).run(2)
    # The first step of Adam is the rate, whatever the gradient (Kingma and Ba, 2015): 3 - 0.1.
    assert problem.seen[1] == pytest.approx(2.9, abs=1e-6)


def test_training_until_step_0_takes_no_step(tmp_path: Path) -> None:
    problem = Bowl()
    assert bowl_loop(tmp_path, problem).run(0) == {}
    assert problem.seen == []


def test_training_ends_early_where_the_figures_are_enough(tmp_path: Path) -> None:
    problem = Bowl()
    bowl_loop(tmp_path, problem, evaluate_every=5).run()
    # Steps of at most 0.1 from 3.0: below 2.0 after more than ten, so at the evaluation of step 15.
    assert len(problem.seen) == 15
    assert bowl_loop(tmp_path, Bowl(), evaluate_every=5).run()["weight"] < 2.0


def test_gradients_are_averaged_over_processes(tmp_path: Path) -> None:
    problem = Bowl()
    loop = bowl_loop(tmp_path, problem)

    class Two:
        """Stands for two processes, of which the other's gradient is zero."""

        num_processes, process_index, is_main_process = 2, 0, True

        def reduce(self, flat: Tensor, how: str) -> Tensor:
            assert how == "mean"
            return flat / 2

    problem.loss(0, 0, 1).backward()
    loop.accelerator = Two()
    # d(w^2)/dw = 6 at 3; half of it is 3, clipped to norm 1.
    assert float(loop._gradients()) == pytest.approx(3.0)
    assert float(problem.module.weight.grad) == pytest.approx(1.0, abs=1e-5)  # type: ignore[arg-type]


def test_a_batch_is_dealt_out_evenly(tmp_path: Path) -> None:
    class Three:
        num_processes = 3

    with pytest.raises(UsageError, match="3 processes"):
        Loop(
            Bowl(),
            ScheduleConfig(steps=1, batch_size=4, rate=1.0),
            tmp_path,
            Three(),
            Silent(),
            Tracker(tmp_path),
        )


def test_a_gradient_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not finite"):
        bowl_loop(tmp_path, Bowl(float("inf"))).run()


def test_noise_levels_have_their_distributions() -> None:
    generator = torch.Generator().manual_seed(1)
    even = noise_levels(20_000, 1.0, generator)
    # Uniform: mean 1/2 with sd sqrt(1/12/20000) = .002, variance 1/12 with sd .0005; five of them.
    assert abs(float(even.mean()) - 0.5) < 0.0102
    assert abs(float(even.var()) - 1 / 12) < 0.0027
    normal = torch.logit(noise_levels(20_000, 0.0, generator).double())
    assert abs(float(normal.mean())) < 0.036
    assert abs(float(normal.var()) - 1) < 0.05


def test_orientations_are_the_eight_of_a_square() -> None:
    tile = torch.arange(9.0).view(1, 1, 3, 3)
    seen = {tuple(oriented(tile, k).flatten().tolist()) for k in range(8)}
    assert len(seen) == 8
    # A quarter turn against the clock: the right column becomes the top row.
    assert oriented(tile, 1)[0, 0, 0].tolist() == [2, 5, 8]
    assert oriented(tile, 4)[0, 0, 0].tolist() == [2, 1, 0]


def test_tiles_are_cut_to_their_middle_and_never_enlarged() -> None:
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:6] = 200
    assert np.array_equal(middle_square(image, 4), np.full((4, 4, 3), 200, np.uint8))
    assert middle_square(image, 2).shape == (2, 2, 3)
    with pytest.raises(DataError, match="too small"):
        middle_square(image, 5)


def test_a_batch_of_contexts_is_what_the_pipeline_encodes() -> None:
    pipeline = tiny_pipeline()
    encoder = pipeline.encoder(prompt_batch=3)
    features = np.random.default_rng(0).standard_normal((5, 12)).astype(np.float32)
    found = np.array([[0, 3], [4, NOTHING], [NOTHING, NOTHING]])
    table = ContextTable(
        encoder, PROMPTS, PROMPTS, 1, found, features, semantic_table(encoder, PROMPTS, lambda count: None)
    )
    batch = table.batch(np.arange(3), np.zeros(3, np.int64), ("text", "semantic", "prototype"))
    sets = [features[[0, 3]], features[[4]], features[:0]]
    whole = encoder.encode(PROMPTS, sets)
    assert batch.embeds.shape[1] < whole.embeds.shape[1]
    # The same tokens in the same order, without the places that no row uses; semantic tokens in half precision.
    for row in range(3):
        own, full = batch.embeds[row][batch.mask[row]], whole.embeds[row][whole.mask[row]]
        torch.testing.assert_close(own, full, atol=2e-3, rtol=2e-3)
    near = np.array([[1, 2], [0, 1], [4, 3]])
    table = ContextTable(encoder, PROMPTS, PROMPTS, 1, found, features, None, near)
    batch = table.batch(np.array([2, 0]), np.zeros(2, np.int64), ("prototype",), near=2)
    shown, _ = encoder.prototypes([features[[4, 3]], features[[1, 2]]])
    torch.testing.assert_close(batch.embeds, shown[:, :2], atol=1e-6, rtol=1e-6)
    closest = table.batch(np.array([2, 0]), np.zeros(2, np.int64), ("prototype",), near=1)
    torch.testing.assert_close(closest.embeds, shown[:, :1], atol=1e-6, rtol=1e-6)
    batch = table.batch(np.arange(3), np.zeros(3, np.int64), ("semantic",))
    torch.testing.assert_close(batch.embeds, encoder.semantic(PROMPTS), atol=1e-6, rtol=1e-6)
    assert set(table.trained) == {"semantic_tokens", "prototype_projector"}


def test_near_prototypes_are_the_tile_itself_and_the_smallest_angles() -> None:
    angles = np.radians([0, 10, 50, 90, 200])
    lengths = np.array([[1], [9], [1], [3], [1]], np.float32)
    bank = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32) * lengths
    turned = np.radians([12, 80])
    own = np.column_stack([np.cos(turned), np.sin(turned)]).astype(np.float32)
    # From 12 degrees: 10, 0, 50 are 2, 12, 38 away; from 80: 90, 50, 10 are 10, 30, 70 away. Lengths do not count.
    assert near_prototypes(bank, own, 4).tolist() == [[5, 1, 0, 2], [6, 3, 2, 1]]
    with pytest.raises(ValidationError, match="there is no bank to find them in"):
        configuration(bank=None)


def test_places_left_out_do_not_change_the_velocity() -> None:
    pipeline = tiny_pipeline()
    encoder = pipeline.encoder()
    table = ContextTable(encoder, PROMPTS, PROMPTS, 1, None, None, None)
    batch = table.batch(np.arange(3), np.zeros(3, np.int64), ("text", "semantic"))
    whole = encoder.encode(PROMPTS, streams=("text", "semantic"))
    latents = torch.randn(3, 16, 8, 8, generator=torch.Generator().manual_seed(2))
    times = torch.tensor([10, 500, 990])
    outputs = [
        pipeline.transformer(
            latents, encoder_hidden_states=c.embeds, encoder_attention_mask=c.mask, timestep=times, return_dict=False
        )[0]
        for c in (batch, whole)
    ]
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-4)


@pytest.mark.integration
def test_the_published_shape_has_its_parameters() -> None:
    shapes = check(read_config(CONFIGS / "full-7b.yaml"))
    # 610.36 million in the image transformer; 64 queries of 3584; 1536 x 3584 + 3584 + 3584 x 3584 + 3584.
    assert shapes.parameters["transformer"] == 610_358_464
    assert shapes.parameters["semantic_tokens"] == 64 * 3584
    assert shapes.parameters["prototype_projector"] == 1536 * 3584 + 3584 + 3584**2 + 3584
    assert (shapes.latents, shapes.context, shapes.tokens) == ((16, 48, 48), (208, 3584), 576)


@pytest.mark.integration
@pytest.mark.parametrize("name", shipped())
def test_shipped_configurations_check(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--check"]) == 0
    assert "transformer" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--threads", "--flow-steps"])
def test_none_at_all_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tiny-phantom", option, "0"])
    assert ended.value.code == 2
    assert f"argument {option}: 0 is less than 1; give 1 or more" in capsys.readouterr().err


def test_sizes_that_do_not_fit_are_refused() -> None:
    config = configuration()
    odd = config.model_copy(update={"data": config.data.model_copy(update={"side": 20})})
    with pytest.raises(UsageError, match="multiple of 8"):
        check(odd)
    with pytest.raises(UsageError, match="full-7b"):
        find("no-such-configuration")


def test_a_share_may_change_over_the_training() -> None:
    config = FlowConfig.model_validate(
        {"semantic_dropout": {0: 0.0, 100: 1.0}, "text_dropout": 0.25, "schedule": schedule(3)}
    )
    assert [rate_from(config.semantic_dropout, step) for step in (0, 99, 100, 5000)] == [0.0, 0.0, 1.0, 1.0]
    assert rate_from(config.text_dropout, 7) == 0.25
    with pytest.raises(ValidationError, match="begin at step 0"):
        FlowConfig.model_validate({"semantic_dropout": {10: 0.5}, "schedule": schedule(3)})
    with pytest.raises(ValidationError):
        FlowConfig.model_validate({"text_dropout": {0: 1.5}, "schedule": schedule(3)})


@pytest.mark.parametrize(("most", "counts"), [(1, {1}), (6, {1, 2, 4}), (16, {1, 2, 4, 8, 16})])
def test_few_close_prototypes_are_as_likely_as_many(most: int, counts: set[int]) -> None:
    generator = torch.Generator().manual_seed(5)
    drawn = Counter(doubled(most, generator) for _ in range(3000))
    assert set(drawn) == counts
    # Binomial of 3000 at 1 / counts: its standard deviation is at most 26; five of them.
    assert all(abs(times - 3000 / len(counts)) < 130 for times in drawn.values())


def test_rare_classes_are_drawn_more_often() -> None:
    labels = [{"deposit": "none", "stroma": "fibrous"}] * 3 + [{"deposit": "melanin", "stroma": "myxoid"}]
    # Frequencies 3/4 and 1/4. Exponent 1: each class has half of the weight; 1/2: sqrt(3/4) to sqrt(1/4) in all.
    even, root = (row_weights(labels, {"deposit": exponent}) for exponent in (1.0, 0.5))
    assert float(even[:3].sum()) == pytest.approx(float(even[3]))
    assert float(root[:3].sum() / root[3]) == pytest.approx(3**0.5)
    assert torch.equal(row_weights(labels, {}), torch.ones(4, dtype=torch.float64))
    with pytest.raises(UsageError, match="'grade'"):
        row_weights(labels, {"grade": 1.0})


def test_a_wrong_configuration_is_told_with_a_remedy_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    text = (CONFIGS / "tiny-phantom.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("block: 3", "block: 9"), encoding="utf-8")
    with pytest.raises(UsageError) as told:
        read_config(path)
    assert "flow.align.block is 9, and the transformer has 6 blocks" in told.value.message
    assert "(got" not in told.value.message
    assert "reference_model/configs" in told.value.remedy
