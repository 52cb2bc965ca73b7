"""Hybrid transmission in the link: cost, quality over SNR, losses, two ends that agree, the MCS, what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from elsewhere import received_elsewhere
from semantic_toys import SENSOR
from token_toys import make_token_net, write_tokens

from semlink.caching import Memo
from semlink.errors import ScenarioError, SemlinkError
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.transmit import run_clip
from semlink.link.scenario.build import build_link
from semlink.link.scenario.loader import load_scenario
from semlink.link.schemes.hybrid.scheme import USUAL_COST_DB, lost_uses, usual_share
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import Frames, Point, Received
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.error_curves.curves import guessed
from semlink.seeds import Seeds

BUDGET = 900
LDPC = {"kind": "ldpc", "modulation": "qpsk", "rate": 0.5, "block_bits": 256}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_tokens(tmp_path_factory.mktemp("weights"), make_token_net())


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    """A linear code, of which more bits are worth more."""
    return write_tokens(tmp_path_factory.mktemp("plain"), make_token_net(stirred=False))


def moving(h: int = 64, w: int = 64) -> Frames:
    t, y, x = torch.meshgrid(torch.arange(16.0), torch.arange(float(h)), torch.arange(float(w)), indexing="ij")
    scene = 0.5 + 0.2 * torch.sin((x + t) / 5) * torch.cos(y / 4) + 0.2 * ((x - 30).square() + (y - 30).square() < 90)
    return Frames(scene[None].float())


class NoRehearsal:
    def delivery(self, coding, uses, transmissions):
        return 1.0


def scheme(weights: str, kind: str = "hybrid", slices: int = 1, **options) -> dict:
    entry = {"name": kind, "kind": kind, "codec": {"kind": "task-aware", "weights": weights, "slices": slices}}
    return entry | {"coding": LDPC, "sensor": SENSOR, "reconstruction": {"kind": "initial"}} | options


def content(entry: dict, **changes) -> dict:
    found = {"name": "s", "source": {"kind": "scenes", "clips": 1, "size": [64, 64]}, "schemes": [entry]}
    return found | {"channel": {"kind": "awgn"}, "sweep": {"snr_db": 10, "budget": 0.015}} | changes


def link_of(folder: Path, entry: dict, channel: dict | None = None):
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(content(entry, channel=channel or {"kind": "awgn"})))
    scenario = load_scenario(path)
    return build_link(scenario.schemes[0], scenario.channel[0], scenario.waveform, streams=None, folder=folder)


def send(link, clip: Frames, snr_db: float = 10.0, budget: int | None = BUDGET, rate: float | None = None):
    agreed = link.transmitter.agree(clip.shape, Point(snr_db, budget, rate), NoRehearsal())
    return run_clip(link, clip, agreed, Seeds(1), budget=budget, audit=True)


def quality(outcome, clip: Frames) -> float:
    return float(-10 * (outcome.frames.pixels - clip.pixels).square().mean().log10())


def sent_by(link, clip: Frames, snr_db: float = 10.0):
    agreed = link.transmitter.agree(clip.shape, Point(snr_db, BUDGET), NoRehearsal())
    return agreed, link.transmitter.transmit(clip, agreed, Seeds(1))


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_it_costs_what_the_digital_scheme_costs_and_charges_both_layers(tmp_path, weights, share):
    """The chain compares antenna, ledger and power, and audits the receiver; here the sums."""
    clip = moving()
    hybrid = send(link_of(tmp_path, scheme(weights, analogue_share=share)), clip)
    digital = send(link_of(tmp_path, scheme(weights, "digital")), clip)
    assert hybrid.ledger.symbols == digital.ledger.symbols <= BUDGET
    uses, kept = digital.ledger.symbols, 1 - share
    assert hybrid.ledger.spent_on("side_info") == 0
    for purpose in ("parity", "crc", "header"):
        own = float(hybrid.ledger.spent_on(purpose))
        assert own == pytest.approx(float(digital.ledger.spent_on(purpose)) * kept, abs=1) and own > 0
    payload = float(digital.ledger.spent_on("payload")) * kept + share * float(uses)
    assert float(hybrid.ledger.spent_on("payload")) == pytest.approx(payload, abs=6)


def test_the_base_is_the_digital_scheme_below_an_analogue_layer_of_its_share(tmp_path, weights):
    clip, share = moving(), 0.1
    _, hybrid = sent_by(link_of(tmp_path, scheme(weights, analogue_share=share)), clip)
    _, digital = sent_by(link_of(tmp_path, scheme(weights, "digital")), clip)
    above = (hybrid.payload.iq - math.sqrt(1 - share) * digital.payload.iq) / math.sqrt(share)
    assert 0.5 < float(above.abs().square().mean()) <= 1 + 1e-5
    assert abs(float((above * digital.payload.iq.conj()).real.mean())) < 5 / math.sqrt(above.numel())
    assert 0.9 < float(hybrid.payload.iq.abs().square().mean()) < 1.01 + 0.1


def test_it_is_the_digital_scheme_where_noise_hides_the_layer_and_better_the_clearer_it_gets(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, analogue_share=0.1)), moving()
    base = quality(send(link_of(tmp_path, scheme(weights, "digital")), clip), clip)
    found = [quality(send(link, clip, snr_db=snr), clip) for snr in (5, 10, 15, 20, 30)]
    assert all(b > a - 0.02 for a, b in zip(found, found[1:])) and found[-1] > base + 0.3
    agreed, flow = sent_by(link, clip)
    hidden = Received(flow.payload.iq, torch.full(flow.payload.iq.shape, 0.1))
    silent = link.receiver.receive(hidden, type(agreed)(agreed.frames, agreed.point, agreed.terms.without_noise()))
    assert silent.lost == 0
    assert quality(silent, clip) == pytest.approx(base, abs=1e-3)


def test_a_lost_block_takes_its_bands_and_its_uses_of_the_layer(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, slices=4, analogue_share=0.2)), moving()
    agreed, flow = sent_by(link, clip)
    uses = flow.payload.iq.shape[1]
    coding = LdpcCoding(2, 0.5, block_bits=256)
    blocks = len(coding.block_sizes(uses))
    assert blocks >= 3
    edges = np.concatenate(([0], np.cumsum(coding.block_symbols(uses)))).astype(int)

    def heard(lost: range):
        noise = torch.full((1, uses), 1e-3)
        noise[:, edges[lost.start] : edges[lost.stop]] = torch.inf
        return link.receiver.receive(Received(flow.payload.iq, noise), agreed)

    whole, last, all_gone = heard(range(0)), heard(range(blocks - 1, blocks)), heard(range(blocks))
    assert (whole.lost, last.lost, all_gone.lost) == (0, 1, blocks)
    assert quality(whole, clip) > quality(last, clip) > quality(all_gone, clip)
    gone = lost_uses([b"", None, b""], coding_of_three(), 90)
    assert gone.nonzero()[0].tolist() == list(range(30, 60))


def coding_of_three():
    class Three:
        def block_symbols(self, uses):
            return [uses / 3] * 3

    return Three()


@pytest.mark.slow  # every run holds a receiver of its own process against this one; see test_boundary_ends.py
def test_a_receiver_elsewhere_delivers_the_same(tmp_path, weights):
    entry = scheme(weights, analogue_share=0.1)
    link, clip = link_of(tmp_path, entry), moving()
    agreed, flow = sent_by(link, clip)
    noisy = flow.payload.iq + 0.1 * torch.randn(flow.payload.iq.shape, dtype=torch.complex64)
    received = Received(noisy, torch.full(noisy.shape, 0.01))
    here, there = link.receiver.receive(received, agreed), received_elsewhere(tmp_path, entry, received, agreed)
    assert (here.lost, here.blocks) == (int(there["lost"]), int(there["blocks"]))
    assert np.abs(here.frames.pixels.numpy() - there["pixels"]).max() < 1e-3


def test_fading_with_pilots_reaches_the_layer_too(tmp_path, weights):
    """Blocks of fading at a mean of 25 dB: better than the digital scheme on the very same fades, or both are lost."""
    channel, clip = {"kind": "rayleigh", "coherence": 100}, moving()
    links = [
        link_of(tmp_path, entry, channel) for entry in (scheme(weights, analogue_share=0.1), scheme(weights, "digital"))
    ]
    ahead = []
    for trial in range(6):
        outcomes = []
        for link in links:
            agreed = link.transmitter.agree(clip.shape, Point(25.0, 700), NoRehearsal())
            outcomes.append(run_clip(link, clip, agreed, Seeds(2, (0,), trial), budget=BUDGET))
        hybrid, digital = outcomes
        if not (hybrid.lost or digital.lost):
            ahead.append(quality(hybrid, clip) - quality(digital, clip))
    assert len(ahead) >= 2 and np.mean(ahead) > 0.1


def test_the_best_mcs_reckons_with_the_layer(tmp_path, plain):
    """At 12 dB a tenth of the power leaves 7.4 dB: what is chosen arrives, and carries less than without a layer."""
    clip, told = moving(), []
    for share, snr_db in ((1e-6, 12.0), (0.1, 12.0)):
        link = link_of(tmp_path, scheme(plain, coding={"kind": "ldpc", "mcs": "best"}, analogue_share=share))
        calibration = LinkCalibration(link, [clip], 7, snr_db, Memo(64))
        agreed = link.transmitter.agree(clip.shape, Point(snr_db, 300), calibration)
        coding = link.transmitter.inner.digital.codings[agreed.terms.coding]
        told.append(coding.bits_per_symbol * coding.code_rate)
        sinr = (1 - share) / (10 ** (-snr_db / 10) + share)
        assert 0.5 * math.log2(1 + sinr) < told[-1] < math.log2(1 + sinr)
        outcome = run_clip(link, clip, agreed, Seeds(1), budget=300)
        assert outcome.lost == 0 and agreed.terms.share == share
    assert told[1] < told[0] - 0.5


def test_a_run_writes_rows_and_finds_them_again(tmp_path, weights):
    body = content(scheme(weights), trials={"min": 2, "max": 2}, sweep={"snr_db": [8, 16], "budget": 0.015})
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(body))
    job = Job(load_scenario(tmp_path / "s.yaml"), tmp_path / "out", tmp_path)
    rows = run(job).rows
    assert [row.snr_db for row in rows] == [8, 16] and all(row.channel_uses_per_pixel <= 0.015 for row in rows)
    assert rows[0].psnr_db < rows[1].psnr_db and not any(row.genie for row in rows)
    points = sorted(path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("points/*"))
    assert run(job).rows == rows
    assert points == sorted(path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("points/*"))


def test_own_rates_are_knobs_of_the_codec(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, rates=[0.1, 0.6])), moving()
    coarse, fine = (send(link, clip, budget=None, rate=rate) for rate in (0.1, 0.6))
    assert coarse.ledger.symbols < fine.ledger.symbols


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"analogue_share": 0}, "more than 0"),
        ({"analogue_share": 0.6}, "0.5 or less"),
        ({"analogue_shar": 0.1}, "did you mean 'analogue_share'"),
        ({"coding": LDPC | {"harq": {}}}, "hybrid is sent once"),
        ({"coding": {"kind": "ldpc", "mcs": "adaptive"}}, "hybrid is sent once"),
        ({"reconstruction": None}, "sensor and reconstruction go together"),
    ],
)
def test_bad_options_are_one_line(tmp_path, weights, changes, words):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(content(scheme(weights, **changes))))
    with pytest.raises(SemlinkError, match=words) as found:
        load_scenario(path)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"codec": {"kind": "h264"}}, "got h264.*allowed: task-aware with weights of tokens"),
        ({"coding": {"kind": "capacity"}}, "got the bound capacity"),
        ({"sensor": None, "reconstruction": None}, "takes the readings of a sensor"),
    ],
)
def test_what_cannot_be_refined_is_refused_when_it_is_built(tmp_path, weights, changes, words):
    with pytest.raises(ScenarioError, match=words):
        link_of(tmp_path, scheme(weights, **changes))


def test_the_usual_share_costs_every_coding_the_same():
    for coding in (LdpcCoding(2, 1 / 3), LdpcCoding(4, 2 / 3), LdpcCoding(6, 3 / 4)):
        share, needs = usual_share(coding), 10 ** (guessed(coding, 6144).middle_db / 10)
        cost_db = -10 * math.log10(((1 - share) / needs - share) * needs)
        assert cost_db == pytest.approx(USUAL_COST_DB, abs=0.25), "the coding's own curve is not that of the guess"
    assert usual_share(LdpcCoding(2, 1 / 3)) > 4 * usual_share(LdpcCoding(4, 2 / 3))


def test_without_a_share_the_usual_one_is_agreed_on_and_told(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    agreed, _ = sent_by(link, clip)
    assert (
        agreed.terms.share == usual_share(LdpcCoding(2, 0.5))
        and agreed.terms.note == f"analogue share {agreed.terms.share:g}"
    )
