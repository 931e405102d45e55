"""What is worth a warning before any command runs."""

import os
import sys


def warn_of_unknown_variables() -> None:
    """Name variables CHARGELEDGER_* that mean nothing. Reads no settings where there are none."""
    if not any(name.upper().startswith("CHARGELEDGER_") for name in os.environ):
        return
    from infra.settings import unknown_variables

    for name in unknown_variables(os.environ):
        sys.stderr.write(f"chargeledger: warning: {name} is no setting (see docs/settings.md)\n")
