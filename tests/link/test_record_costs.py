"""What a row says of the budget that its point was given."""

from __future__ import annotations

import re

import toys
from small_runs import job

from semlink.link.sweep.run import run

SCHEMES = [
    {"name": "direct", "kind": f"{toys.__file__}:Direct"},
    {"name": "SoftCast", "kind": "softcast"},
]


def test_a_row_says_what_share_of_its_budget_it_spends_where_that_is_less_than_97_percent(tmp_path):
    """The toy scheme has one size, SoftCast any."""
    rows = run(job(tmp_path, sweep={"snr_db": 8, "budget": [0.04, 0.08]}, schemes=SCHEMES)).rows
    shares = []
    for row in rows:
        share = row.channel_uses_per_pixel / row.budget
        said = re.findall(r"spends (\d+) % of the budget", row.note)
        assert said == ([str(int(100 * share))] if share < 0.97 else [])
        shares.append(share)
    assert min(shares) < 0.97 <= max(shares) <= 1
