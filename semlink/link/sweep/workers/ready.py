"""What the server, from which workers are forked, imports after all else: its workers begin with what each would do.

None loads what numba needs for its first compiled loop, or looks for garbage in what was loaded before, which would
copy it page by page.
"""

from __future__ import annotations

import gc

from semlink.kernels.compiled import make_ready

make_ready()
gc.freeze()
