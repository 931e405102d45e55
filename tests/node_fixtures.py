"""Fixtures for tests that need Node.js and the stations of tests/npm.

`make install` installs them where npm is. `CHARGELEDGER_REQUIRE_NODE=1` (CI) makes the lack of one
a failure.
"""

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "CHARGELEDGER_REQUIRE_NODE"
PACKAGES = Path(__file__).with_name("npm")


def why_not() -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    if not (PACKAGES / "node_modules").is_dir():
        return "the packages of tests/npm are not installed (`make install`, or `npm ci` there)"
    return ""


@pytest.fixture(scope="session")
def npm() -> Path:
    """Return the directory of our scripts, with their packages installed."""
    reason = why_not()
    if reason and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, and {reason}")
    if reason:
        pytest.skip(reason)
    return PACKAGES
