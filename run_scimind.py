"""Finetunes SciMind, evaluates it, or predicts with it, from a MindFormers YAML; `--help` tells the options."""

import sys

from scimind.cli.run_scimind import main

if __name__ == "__main__":
    sys.exit(main())
