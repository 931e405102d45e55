"""The one program, `chargeledger`, and the only place that puts the parts together."""

import os
import sys


def main() -> None:
    # Imported here so that a part of ours that cannot be imported is told, too; each command
    # imports what it needs when it runs, which keeps --help and the light commands quick.
    from infra.cli.failures import told
    from infra.cli.program import app

    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has seen enough (`chargeledger replay … | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        text = told(error)
        if text is None:
            raise
        sys.stderr.write(f"chargeledger: {text}\n")
        sys.exit(1)
