"""Validation can fail: one number falsified in a copy of the package, and `--quick` names what differs.

Each line of the table edits one file of a copy as a text editor would, runs the command there, and asks for the
names that must differ. `--only` saves time: entries have chance of their own, so the whole table finds the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "semlink"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in `file`; among the points that `only` names, `differs` do, and it may be more."""

    what: str
    file: str
    old: str
    new: str
    only: str
    differs: str

    def __str__(self) -> str:
        return self.what.replace(" ", "-")


MUTANTS = (
    Mutant("noise 3 dB too strong", "phy/channels/awgn.py", "* noise_var**0.5", "* (2 * noise_var) ** 0.5",
           "channels/noise", "channels/noise/10db"),
    Mutant("noise half a dB too weak", "units.py", "return from_db(-snr_db)", "return from_db(-snr_db - 0.5)",
           "modulation/awgn", "modulation/awgn/qpsk-3.4db"),
    Mutant("noise half a dB too weak for AFF3CT", "units.py", "from_db(-snr_db)", "from_db(-snr_db - 0.5)",
           "modulation/aff3ct-awgn", "modulation/aff3ct-awgn/16-qam-10.02db"),
    Mutant("noise half a dB too weak for a vendor", "units.py", "from_db(-snr_db)", "from_db(-snr_db - 0.5)",
           "ldpc/threshold/normalised", "ldpc/threshold/normalised/bg1-z384-p10"),
    Mutant("all noise in the real part", "seeds.py", "torch.view_as_complex(pairs)",
           "torch.view_as_complex(pairs * torch.tensor([2**0.5, 0.0]))", "channels/noise", "channels/noise/real-part"),
    Mutant("a lifting shift", "phy/ldpc/base_graphs.csv", "1,0,0,250,", "1,0,0,251,", "ldpc/table", "ldpc/table/bg1"),
    Mutant("a lifting shift on the wire", "phy/ldpc/base_graphs.csv", "1,0,0,250,307,", "1,0,0,250,308,",
           "ldpc/words", "ldpc/words/bg1-k8448-n25344"),
    Mutant("the order of lifting sets", "phy/ldpc/base_graph.py", "11, 13, 15)", "11, 15, 13)", "ldpc/words",
           "ldpc/words/bg1-k4576-n13728"),
    Mutant("information columns of graph 2", "phy/ldpc/base_graph.py", "(9, 560)", "(9, 600)", "ldpc/words",
           "ldpc/words/bg2-k600-n1500"),
    Mutant("the normalised rule", "phy/ldpc/simd_lanes.py", "self.builder.fmul(a, self.all(0.75))",
           "self.builder.fmul(a, self.all(0.4))", "ldpc/threshold/normalised",
           "ldpc/threshold/normalised/bg2-z384-p12"),
    Mutant("box-plus without its correction", "phy/ldpc/check_rules.py", "FLOAT_STEP, FLOAT_KEPT = 0.6, 0.5",
           "FLOAT_STEP, FLOAT_KEPT = 0.0, 1.0", "ldpc/threshold/box-plus", "ldpc/threshold/box-plus/bg2-z384-p12"),
    Mutant("the start of a redundancy version", "phy/coding/rate_matching.py", "(0, 17, 33, 56)", "(0, 17, 34, 56)",
           "standard/redundancy-version", "standard/redundancy-version/bg1"),
    Mutant("the interleaver", "phy/coding/rate_matching.py", "read.reshape(bits_per_symbol, -1).T",
           "read.reshape(-1, bits_per_symbol)", "standard/transport-block", "standard/transport-block/320-480"),
    Mutant("the scrambler", "phy/coding/scrambling.py", "_SKIP = 1600", "_SKIP = 1601", "standard/transport-block",
           "standard/transport-block/24-200"),
    Mutant("a row of an MCS table", "phy/coding/mcs_tables.py", "378, 434, 490", "378, 435, 490", "standard/mcs",
           "standard/mcs/table-1"),
    Mutant("a QAM level", "phy/qam.py", "(2**j - level)", "(2**j - 0.93 * level)", "modulation/awgn",
           "modulation/awgn/64-qam-12.2db"),
    Mutant("another Gray mapping", "phy/qam.py", "(2**j - level)", "(2**j + level)", "modulation/points",
           "modulation/points/16-qam"),
    Mutant("LLRs twice as large", "phy/qam.py", "np.float32(1) / np.maximum", "np.float32(2) / np.maximum",
           "modulation/llr", "modulation/llr/16-qam-3"),
    Mutant("Rayleigh power", "phy/channels/fading.py", "return gain.repeat_interleave",
           "return 1.1 * gain.repeat_interleave",
           "channels/rayleigh", "channels/rayleigh/power"),
    Mutant("Rayleigh errors", "phy/channels/fading.py", 'seeds.complex_normal("phy/fading", blocks)',
           'seeds.complex_normal("phy/fading", blocks).abs().sqrt().to(torch.complex64)', "modulation/rayleigh",
           "modulation/rayleigh/qpsk-20db"),
    Mutant("Rician share", "phy/channels/fading.py", "math.sqrt(1 / (self.k_factor + 1))",
           "math.sqrt(1 / (self.k_factor + 2))", "channels/rician", "channels/rician/power"),
    Mutant("Doppler a tenth too high", "phy/channels/fading.py", "2j * np.pi * doppler", "2.2j * np.pi * doppler",
           "channels/clarke", "channels/clarke/crossings"),
    Mutant("a TDL delay", "phy/channels/multipath_38901.py", '"A": 9.6586', '"A": 9.5686', "channels/tdl-a",
           "channels/tdl-a/last-delay"),
    Mutant("echoes too late", "phy/channels/tapped_delay_line.py", "torch.sinc(lags[:, None] - delays)",
           "torch.sinc(lags[:, None] - 1.2 * delays)", "channels/tdl-a", "channels/tdl-a/heard-delay"),
    Mutant("echoes too strong", "phy/channels/tapped_delay_line.py", "return taps / taps.square().sum(0).sqrt()",
           "return 1.2 * taps / taps.square().sum(0).sqrt()", "channels/tdl-a", "channels/tdl-a/heard-power"),
    Mutant("capacity of noise", "phy/capacity.py", "return math.log2(1 + snr)", "return math.log2(1 + snr / 1.01)",
           "capacity", "capacity/awgn-10db"),
    Mutant("capacity of QAM", "phy/capacity.py", "def shannon", "_HERMITE_NODES = 2\n\n\ndef shannon", "capacity",
           "capacity/16qam-10db"),
    Mutant("a generator of the K = 7 code", "phy/coding/convolutional.py", "(0o133, 0o171)", "(0o133, 0o165)", "coding",
           "coding/free-distance/1-2"),
    Mutant("a puncturing pattern", "phy/coding/convolutional.py", "((1, 1, 0), (1, 0, 1))", "((1, 0, 1), (1, 1, 0))",
           "coding", "coding/free-distance/3-4"),
    Mutant("a CRC polynomial", "phy/coding/crc.py", "0x864CFB", "0x864CFD", "coding/crc", "coding/crc/24a"),
    Mutant("SSIM's K2", "link/metrics/gaussian_window.py", "0.03**2", "0.04**2", "quality", "quality/ssim/256x255"),
    Mutant("SSIM's window", "link/metrics/gaussian_window.py", "(0.0, 1.5, 1.5)", "(0.0, 1.6, 1.6)", "quality",
           "quality/scikit-image/ssim"),
    Mutant("a weight of MS-SSIM", "link/metrics/ms_ssim.py", "0.2856", "0.2865", "quality", "quality/ms_ssim/191x353"),
    Mutant("PSNR", "link/metrics/psnr_ssim.py", "-10.0 * float", "-10.1 * float", "quality", "quality/psnr/offset"),
    Mutant("the sign of BD-rate", "link/compare/bd_rate.py", "return Average(float(found), *shared, note=f",
           "return Average(-float(found), *shared, note=f", "comparison", "comparison/bd-rate/one-percent"),
    Mutant("interpolation between points of a curve", "link/compare/bd_rate.py", '"pchip"', '"akima"', "comparison",
           "comparison/bd-rate/monotone"),
    Mutant("SoftCast's exponent", "codecs/analogue/power_allocation.py",
           "return roots * total / np.sum(counts * roots)",
           "return variances * total / np.sum(counts * variances)", "softcast", "softcast/error/10db"),
    Mutant("the best power", "codecs/analogue/power_allocation.py", "levels[last] * roots - noise_var",
           "1.1 * (levels[last] * roots - noise_var)", "softcast", "softcast/least-error/0db"),
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The package where it may be spoilt, its compiled kernels with it."""
    root = tmp_path_factory.mktemp("falsified")
    shutil.copytree(PACKAGE, root / "semlink", ignore=shutil.ignore_patterns("*.packed"))
    return root


def differing(root: Path, only: str) -> list[str]:
    """Names of what differs there; the exit code says the same."""
    env = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "semlink.cli", "validate", "--quick", "--only", only, "--json", "told.json"]
    done = subprocess.run(words, env=env, cwd=root, capture_output=True, text=True, check=False)
    told = json.loads((root / "told.json").read_text()) if done.returncode in (0, 1) else {"rows": []}
    names = [row["name"] for row in told["rows"] if row["verdict"] == "differs"]
    assert done.returncode == bool(names), done.stderr
    assert all(f"DIFFERS: {name}: " in done.stdout for name in names)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_falsified_number_is_named(mutant, copy):
    path = copy / "semlink" / mutant.file
    whole = path.read_text()
    assert whole.count(mutant.old) >= 1, "the code has moved on: find its line again"
    path.write_text(whole.replace(mutant.old, mutant.new))
    try:
        assert mutant.differs in differing(copy, mutant.only)
    finally:
        path.write_text(whole)


@pytest.mark.slow
@pytest.mark.parametrize("only", sorted({mutant.only for mutant in MUTANTS}))
def test_and_without_it_nothing_is(only, copy):
    assert differing(copy, only) == []
