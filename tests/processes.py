"""Code that needs a process of its own."""

import os
import subprocess
import sys


def run(code, **environment):
    """Run Python code in a process of its own; return what it wrote."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result
