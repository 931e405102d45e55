"""The one program, `chargeledger`, and the only place that puts the parts together."""

import sys


def main() -> None:
    # Imported here so that a part of ours that cannot be imported is told, too; each command
    # imports what it needs when it runs, which keeps --help and the light commands quick.
    from infra.cli.failures import told
    from infra.cli.program import app

    try:
        app()
    except Exception as error:
        text = told(error)
        if text is None:
            raise
        sys.stderr.write(f"chargeledger: {text}\n")
        sys.exit(1)
