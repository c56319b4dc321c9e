"""Finetunes or evaluates SciMind, or predicts with it, from a MindFormers YAML; `--help` shows the options."""

import sys

from scimind.cli.run_scimind import main

if __name__ == "__main__":
    sys.exit(main())
