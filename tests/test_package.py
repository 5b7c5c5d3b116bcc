"""Promises of the package as a whole."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, interplay; print(interplay.__version__); sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count(".") == 2
