"""Where codes lie and how fits went, drawn from what point files tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from semlink.link.plots.files import rendered
from semlink.link.plots.pictures.latent_manifold import Manifold, loss_figure, losses, manifold_figure, manifolds

LINE = np.stack([np.linspace(1, -1, 12), np.zeros(12)], 1)


def record(scheme: str, *clips: dict, rate: float | None = None) -> dict:
    return {"scheme": scheme, "rate": rate, "clips": [{"name": f"c{n}", "told": told} for n, told in enumerate(clips)]}


def test_frames_along_a_line_are_in_order_whichever_way_it_runs():
    assert Manifold("s", "c", LINE).order == pytest.approx(1)
    assert Manifold("s", "c", -LINE).order == pytest.approx(1)
    assert np.isnan(Manifold("s", "c", 0 * LINE).order)


def test_order_is_spearman_with_ties():
    rng = np.random.default_rng(0)
    plane = np.stack([rng.integers(0, 6, 30), np.zeros(30)], 1).astype(float)
    expected = abs(spearmanr(plane[:, 0], np.arange(30)).statistic)
    assert Manifold("s", "c", plane).order == pytest.approx(expected)


def test_points_without_codes_are_passed_over():
    found = manifolds([record("a", {"plane": LINE.tolist()}, {}, rate=2), record("b", {})])
    assert [(m.scheme, m.clip) for m in found] == [("a @ 2", "c0")]
    assert manifold_figure([record("b", {})]) is None
    assert loss_figure([record("b", {})]) is None


def test_the_loss_is_the_geometric_mean_over_clips():
    early, late = [[1, 1.0], [10, 0.01]], [[1, 1.0], [10, 0.1], [100, 0.01]]
    epochs, values = losses([record("a", {"loss": early}, {"loss": late})])["a"]
    assert epochs.tolist() == [1, 10, 100]
    np.testing.assert_allclose(values, [1, np.sqrt(0.001), 0.01])  # the first clip stays where it ended


def test_pictures_are_drawn():
    told = {"plane": LINE.tolist(), "loss": [[1, 1.0], [50, 0.1]]}
    records = [record("joint, line", told, told), record("joint", told, told)]
    for draw in (manifold_figure, loss_figure):
        figure = draw(records)
        assert figure is not None and len(rendered(figure, "png")) > 5000
