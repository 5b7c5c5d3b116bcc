"""What holds in every test: shapes and types are checked at run time, and torch computes on one thread.

The import hook must be in place before any module of the package is imported, hence at the head of this file.

One thread, because the tensors of the tests are tiny (more threads only wait for each other), and because a sum that is
split among a machine-dependent number of threads is a machine-dependent number.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # read by torch when it is imported, which must stay the choice of each test
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that wants the network is a test that fails on a train

import hypothesis  # noqa: E402
import jaxtyping  # noqa: E402

# The tower lets an integer stand for a float, as every type checker does.
jaxtyping.install_import_hook("interplay", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# The same examples in every run, and no limit on their time: a busy machine is no defect.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")
