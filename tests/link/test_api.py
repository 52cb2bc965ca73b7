"""The Python interface: what a script or a notebook does with a scenario, its results and the air."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml
from terminal import TOY, TOYS
from toys import Direct, Quiet

import semlink
from semlink.errors import InterfaceError, LedgerMismatch, ResultsError, ScenarioError
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.link.chain.air import over_the_air
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.results.rows import read_csv
from semlink.link.scenario.build import build_link
from semlink.payload import Symbols
from semlink.seeds import Seeds


def toy(**changes) -> dict:
    return yaml.safe_load(TOY) | {"sweep": {"snr_db": [6, 12], "budget": [0.15]}} | changes


class Shrink(torch.nn.Module):
    """An 8 x 8 thumbnail of each frame: the transmitter of `toys.Direct`."""

    def forward(self, frames):
        return frames[:, :, 4::8, 4::8] - 0.5


class Grow(torch.nn.Module):
    def forward(self, numbers):
        small = numbers.reshape(1, 4, 8, 8) * 0.3 + 0.5
        return small.repeat_interleave(8, 2).repeat_interleave(8, 3)


NETWORKS = {"name": "networks", "kind": semlink.ModuleScheme(Shrink(), Grow(), uses=128)}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> semlink.Results:
    tree = toy()
    tree["schemes"] = [tree["schemes"][0], tree["schemes"][2], NETWORKS]
    return semlink.run(tree, tmp_path_factory.mktemp("api") / "out")


def test_a_dict_runs_like_a_file(done):
    rows = done.table(pandas=False)
    assert [(row["scheme"], row["snr_db"]) for row in rows] == [
        (scheme, snr_db) for scheme in ("direct", "coded", "networks") for snr_db in (6.0, 12.0)
    ]
    stored = read_csv(done.folder / "curves.csv")
    assert [row["psnr_db"] for row in rows] == [row.psnr_db for row in stored]
    assert rows[0]["bler"] is None and rows[2]["bler"] is not None
    assert str(done).count("direct") == 2 and done.schemes == ("direct", "coded", "networks")


def test_networks_in_ten_lines_send_what_the_same_code_sends(done):
    """Encoder and decoder of `toys.Direct` as modules: the same symbols, so the same noise and numbers."""
    for snr_db in (6, 12):
        pair = [done.per_clip(scheme=name, snr_db=snr_db) for name in ("direct", "networks")]
        np.testing.assert_allclose(*pair, atol=1e-4)
    ours = next(row for row in done.table(pandas=False) if row["scheme"] == "networks")
    assert ours["payload"] == ours["channel_uses"] == 128


def test_clips_are_the_numbers_behind_the_rows(done):
    clips = done.clips(pandas=False)
    assert len({len(column) for column in clips.values()}) == 1 and len(clips["trial"]) == 3 * 2 * 2 * 2
    for row in done.table(pandas=False):
        here = (clips["scheme"] == row["scheme"]) & (clips["snr_db"] == row["snr_db"])
        assert clips["psnr_db"][here].mean() == pytest.approx(row["psnr_db"], abs=1e-4)
        assert clips["channel_uses"][here].mean() == pytest.approx(row["channel_uses"], abs=0.01)
        table = done.per_clip("ssim", scheme=row["scheme"], snr_db=row["snr_db"])
        assert table.shape == (2, 2) and table.mean() == pytest.approx(row["ssim"], abs=1e-5)
    assert done.clip_names == ("ramp0", "ramp1") == tuple(dict.fromkeys(clips["clip"]))


def test_a_data_frame_is_given_where_pandas_is(done, monkeypatch):
    class Frames:
        """What `results` asks of pandas."""

        class DataFrame(dict):
            from_records = staticmethod(lambda records: ("records", len(records)))

    monkeypatch.setattr("semlink.link.api.results._pandas", lambda: Frames)
    assert done.table(pandas=True) == ("records", 6)
    assert list(done.clips(pandas=True)) == list(done.clips(pandas=False))


@pytest.mark.parametrize("scheme", ["direct", "coded", "networks"])
@pytest.mark.parametrize("clip, trial", [(0, 0), ("ramp1", 1)])
def test_frames_are_those_that_were_scored(done, scheme, clip, trial):
    frames = done.frames(scheme=scheme, snr_db=6, clip=clip, trial=trial)
    assert frames.dtype == np.float32 and frames.shape == done.source(clip).shape == (4, 64, 64)
    scored = done.per_clip(scheme=scheme, snr_db=6)[1 if clip == "ramp1" else 0, trial]
    assert psnr_db(done.source(clip), frames) == pytest.approx(scored, abs=1e-9)


def test_frames_of_an_opened_folder_find_the_scenario(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy(sweep={"snr_db": 6, "budget": 0.15})))
    ran = semlink.run(path, tmp_path / "out")
    opened = semlink.results(tmp_path / "out", plugins=True)
    np.testing.assert_array_equal(opened.frames(scheme="coded"), ran.frames(scheme="coded"))
    with pytest.raises(ScenarioError, match=r"no clip 'ramp9'; there are 2: ramp0, ramp1"):
        opened.frames(scheme="coded", clip="ramp9")
    with pytest.raises(ScenarioError, match="3 points for nothing asked for; scheme: 'direct', 'uncoded', 'coded'"):
        opened.frames()
    with pytest.raises(ScenarioError, match="no point for snr_db=7; .*snr_db: 6.0"):
        opened.frames(snr_db=7)
    other = semlink.load(path, {"seed": 2})
    with pytest.raises(ResultsError, match="now arrives with .* dB, and was scored with"):
        semlink.results(tmp_path / "out", scenario=other).frames(scheme="direct")
    (tmp_path / "out/manifest.json").unlink()
    with pytest.raises(ScenarioError, match="holds no manifest with a scenario; give it as semlink.results"):
        semlink.results(tmp_path / "out").frames(scheme="coded")


def test_folders_are_laid_over_each_other(done, tmp_path):
    again = semlink.run(toy(schemes=[toy()["schemes"][0]], seed=2), tmp_path / "second")
    both = semlink.results(done.folder, again.folder)
    assert both.schemes == ("out: direct", "out: coded", "out: networks", "second: direct")
    assert [gap.scheme for gap in both.compare("out: coded").curves][-1] == "second: direct"


def test_a_comparison_prints_and_counts(done, tmp_path):
    found = done.compare("coded", metric="ssim")
    assert "less that of coded" in str(found)
    gap = next(p.gap for p in found.points if p.row.scheme == "direct" and p.row.snr_db == 12)
    ours, theirs = (done.per_clip("ssim", scheme=name, snr_db=12) for name in ("direct", "coded"))
    assert gap.mean == pytest.approx((ours - theirs).mean())
    lines = found.write(tmp_path / "c.csv").read_text().splitlines()
    assert len(lines) == 1 + len(found.records())


def test_figures_are_named_and_shown_by_a_notebook(done, tmp_path):
    figure = done.plot("snr", metric="ssim")
    assert figure._repr_png_().startswith(b"\x89PNG") and figure.axes[0].get_ylabel() == "SSIM"
    with pytest.raises(ScenarioError, match="no plot 'pie'; there are cost, snr,"):
        done.plot("pie")
    with pytest.raises(ScenarioError, match="plot manifold: these results have nothing to show"):
        done.plot("manifold")
    assert [path.name for path in done.draw("psnr", ["cost"], tmp_path)] == ["psnr_vs_cost.png", "psnr_vs_cost.svg"]


def test_the_report_is_one_page_that_needs_nothing(done, tmp_path):
    name = "<b>A & B</b>"
    tree = toy(description="<script>alert(1)</script>")
    tree["schemes"] = [tree["schemes"][0] | {"name": name}, tree["schemes"][2]]
    page = semlink.run(tree, tmp_path / "out").report(tmp_path / "r.html", reference="coded").read_text()
    assert name not in page and "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert json.dumps(name)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") in page
    assert "every default filled in" in page


def test_a_report_writes_over_nothing_but_itself(done, tmp_path):
    page = done.report(tmp_path / "r.html")
    with pytest.raises(ResultsError, match=r"r\.html: is there already; --force"):
        done.report(page)
    assert done.report(page, force=True) == page
    own = done.report()
    own.write_text("notes of my own")
    with pytest.raises(ResultsError, match=r"report\.html: is there already"):
        done.report()
    done.report(force=True)
    assert done.report() == own


# what is wrong is said in a line


def test_mistakes_in_a_dict_are_named_by_their_place():
    tree = toy()
    tree["schemes"][2]["coding"]["rat"] = 1
    with pytest.raises(ScenarioError, match=r"^scenario: schemes\.2\.coding\.rat: unknown key; did you mean 'rate'\?$"):
        semlink.load(tree)
    with pytest.raises(ScenarioError, match=r"^scenario: metrics\.0: got 'psnrr', .* did you mean 'psnr'\?"):
        semlink.load(toy(), {"metrics": ["psnrr"]})
    with pytest.raises(ScenarioError, match="change schemes.7.name: '7' is not a position in a list of 3"):
        semlink.load(toy(), {"schemes.7.name": "x"})


def test_changes_are_made_before_the_check(tmp_path):
    changed = semlink.load(toy(), {"sweep.snr_db": [3.5], "schemes.0.name": "first"})
    assert changed.sweep.snr_db == (3.5,) and changed.schemes[0].name == "first" and changed.folder is None
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy()))
    both = [semlink.load(path, {"seed": 5, "name": "other"}), semlink.load(path, ["seed=5", "name=other"])]
    assert [(s.seed, s.name, s.folder) for s in both] == [(5, "other", tmp_path)] * 2


def test_live_objects_of_a_script_stay_in_one_process(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import sys, semlink, yaml\n"
        f"sys.path.insert(0, {str(TOYS.rpartition('/')[0])!r})\n"
        "from toys import Direct\n"
        "class Mine(Direct): pass\n"
        f"tree = yaml.safe_load({yaml.safe_dump(toy())!r})\n"
        "tree['schemes'] = [{'name': 'mine', 'kind': Mine}]\n"
        "try:\n    semlink.run(tree, 'out', workers=2)\n"
        "except semlink.errors.ScenarioError as fault:\n    print(fault)\n"
        "print(semlink.run(tree, 'out').table(pandas=False)[1]['psnr_db'])\n"
    )
    import subprocess
    import sys

    said = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    refused, psnr = said.splitlines()
    assert refused.startswith("Mine is defined in this script or notebook") and float(psnr) > 15


def test_what_changes_in_a_live_object_changes_its_points(tmp_path):
    names = []
    for scale in (0.3, 0.2):
        grow = Grow()
        grow.register_buffer("scale", torch.tensor(scale))
        scheme = semlink.ModuleScheme(Shrink(), grow, uses=128)
        names.append(semlink.load(toy(schemes=[{"name": "n", "kind": scheme}])).schemes[0].kind)
    assert names[0] != names[1] and names[0].startswith("live:ModuleScheme@")
    grow.function = lambda: 0
    with pytest.raises(ScenarioError, match="cannot be copied for a receiver of its own"):
        semlink.load(toy(schemes=[{"name": "n", "kind": scheme}]))
    with pytest.raises(InterfaceError, match="decoder: got a function; need a torch.nn.Module"):
        semlink.ModuleScheme(Shrink(), lambda: 0, uses=1)


def test_networks_that_do_not_keep_their_word_are_named(tmp_path):
    for scheme, message in (
        (semlink.ModuleScheme(Shrink(), Grow(), uses=100), "128 channel uses; `uses` is 100"),
        (semlink.ModuleScheme(Shrink(), torch.nn.Identity(), uses=128), r"the decoder gave \(1, 256\); need frames"),
    ):
        with pytest.raises(InterfaceError, match=message):
            semlink.run(toy(schemes=[{"name": "n", "kind": scheme}]), tmp_path / "out")
    few = semlink.run(toy(schemes=[NETWORKS], sweep={"snr_db": 6, "budget": 0.001}), tmp_path / "few").table(
        pandas=False
    )
    assert few[0]["psnr_db"] is None and "need 128 channel uses, got 16" in few[0]["note"]


def test_a_class_gets_its_options_and_a_wrong_one_is_named(tmp_path):
    tree = toy(channel={"kind": Quiet}, schemes=[{"name": "d", "kind": Direct}], sweep={"snr_db": 0, "budget": 0.15})
    assert semlink.run(tree, tmp_path / "out").table(pandas=False)[0]["psnr_db"] > 19.5
    with pytest.raises(ScenarioError, match="unknown option 'loudness'"):
        semlink.run(tree | {"channel": {"kind": Quiet, "loudness": 3}}, tmp_path / "out")


# the air


def unit(batch: int, n: int, dtype=torch.complex64) -> torch.Tensor:
    iq = Seeds(5, tuple(range(batch))).complex_normal("test", n).to(dtype)
    return iq / iq.abs().square().mean(1, keepdim=True).sqrt()


CHANNELS = [
    {"kind": "awgn"},
    {"kind": "rayleigh", "coherence": 64},
    {"kind": "rician", "k_db": 6, "coherence": 64},
    {"kind": "erasure", "probability": 0.1},
    {"kind": "tdl", "profile": "A"},
]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c["kind"])
def test_a_batch_is_each_item_alone_and_what_a_run_sends(channel):
    """Item i at its own SNR, bit for bit what the chain of a run gives clip i with the same seeds."""
    scenario = semlink.load(toy(channel=channel, schemes=[toy()["schemes"][0]]))
    link = build_link(scenario.schemes[0], scenario.channel[0], None, streams=None, folder=None)
    sent, levels = unit(4, 300), [3.0, 20.0, 3.0, 9.0]
    heard = semlink.air(channel)(sent, snr_db=torch.tensor(levels), seed=7, trial=2)
    assert heard.iq.shape == heard.noise_var.shape == (4, 300)
    for number, snr_db in enumerate(levels):
        iq = sent[number : number + 1]
        flow = Flow(Symbols(iq)).then(Symbols(iq), Charge("t", "payload", 300))
        arrival = over_the_air(link, flow, snr_db, Seeds(7, (number,), 2))
        alone = arrival.received
        torch.testing.assert_close(heard.iq[number], alone.iq[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(heard.noise_var[number], alone.noise_var[0], rtol=1e-5, atol=1e-6)
        assert semlink.air(channel).uses(300) == arrival.air.payload.iq.shape[1]


def test_every_item_has_the_noise_of_its_own_snr():
    """10^(-SNR/10) per complex use, half in each real dimension, to 5 standard errors of 20000 samples."""
    levels = torch.tensor([-3.0, 0.0, 7.0, 20.0])
    sent = unit(4, 20_000)
    heard = semlink.air("awgn")(sent, snr_db=levels, seed=3)
    noise = heard.iq - sent
    want = 10 ** (-levels / 10)
    for part in (noise.real, noise.imag):
        torch.testing.assert_close(2 * part.square().mean(1), want, rtol=5 * (2 / 20_000) ** 0.5, atol=0)
    torch.testing.assert_close(heard.noise_var, want[:, None].expand(4, 20_000))


@pytest.mark.parametrize("channel", ["awgn", {"kind": "rayleigh", "coherence": 16}], ids=["awgn", "rayleigh"])
def test_gradients_are_finite_differences(channel):
    """For each of a few symbols, both real dimensions, in double precision."""
    air = semlink.air(channel)
    sent = (0.5 * unit(2, 24, torch.complex128)).requires_grad_(True)
    target = unit(3, 24, torch.complex128)[1:]

    def loss(iq):
        return (air(iq, snr_db=torch.tensor([5.0, 15.0]), seed=1).iq - target).abs().square().sum()

    loss(sent).backward()
    for place in ((0, 0), (0, 17), (1, 5), (1, 23)):
        for way in (1.0, 1j):
            step = torch.zeros_like(sent)
            step[place] = 1e-3 * way
            with torch.no_grad():
                slope = (loss(sent + step) - loss(sent - step)) / 2e-3
            found = sent.grad[place].real if way == 1.0 else sent.grad[place].imag
            assert float(found) == pytest.approx(float(slope), rel=1e-3, abs=1e-4)


def test_training_through_the_air_learns_to_invert_a_gain():
    """Without pilots, a receiver that must learn the phase of a constant channel."""

    class Turned:
        def __call__(self, iq, snr_db, seeds):
            return 1j * iq + seeds.complex_normal("n", iq.shape[1]).to(iq) * 10 ** (-snr_db / 20)

    air = semlink.air(Turned(), "plain")
    weight = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.SGD([weight], 0.2)
    for step in range(60):
        heard = air(unit(2, 64), snr_db=torch.tensor([20.0, 30.0]), seed=0, trial=step)
        optimiser.zero_grad()
        (torch.view_as_complex(weight[None])[0] * heard.iq - unit(2, 64)).abs().square().mean().backward()
        optimiser.step()
    np.testing.assert_allclose(weight.detach().numpy(), [0, -1], atol=0.03)


def test_what_the_air_cannot_carry_is_refused():
    air = semlink.air("awgn")
    with pytest.raises(LedgerMismatch, match="average power at the antenna is 4.0"):
        air(2 * unit(1, 100), snr_db=5, seed=0)
    with pytest.raises(InterfaceError, match=r"float32 \(2, 8\); need complex"):
        air(torch.zeros(2, 8), snr_db=5, seed=0)
    with pytest.raises(InterfaceError, match="got 3 SNRs for 2 items"):
        air(unit(2, 8), snr_db=torch.zeros(3), seed=0)
    with pytest.raises(ScenarioError, match="unknown kind 'awng'.*did you mean 'awgn'"):
        semlink.air("awng")
    with pytest.raises(ScenarioError, match="channel rayleigh: coherance: unknown key; did you mean 'coherence'"):
        semlink.air({"kind": "rayleigh", "coherance": 3})


def test_the_manifest_names_the_points_and_where_files_were(done, tmp_path):
    assert len(done.manifest["keys"]) == 6 and "scenario_folder" not in done.manifest
    (tmp_path / "s").mkdir()
    (tmp_path / "s/mine.py").write_text(
        f"import sys; sys.path.insert(0, {TOYS.rpartition('/')[0]!r})\nfrom toys import Direct\n"
    )
    tree = toy(schemes=[{"name": "d", "kind": "mine.py:Direct"}], sweep={"snr_db": 6, "budget": 0.15})
    (tmp_path / "s/toy.yaml").write_text(yaml.safe_dump(tree))
    ran = semlink.run(tmp_path / "s/toy.yaml", tmp_path / "out/deep")
    assert ran.manifest["scenario_folder"] == "../../s"
    np.testing.assert_array_equal(semlink.results(tmp_path / "out/deep", plugins=True).frames(), ran.frames())
