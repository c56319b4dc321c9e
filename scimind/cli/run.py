"""A run of a model: what `run_scimind.py` and the verbs `finetune` and `predict` have in common."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scimind.cli.continuation import command_to_continue
from scimind.cli.exit_status import PARTLY_DONE
from scimind.cli.run_options import overrides_of
from scimind.config import RunConfig, load_config
from scimind.errors import SciMindError
from scimind.runtime.run_folder import worker
from scimind.runtime.stopping import Stopped


def execute(args: argparse.Namespace, run_mode: str | None = None) -> int:
    """Runs a model as specified by a configuration and options.

    Args:
        args: Parsed options of `add_run_options`, `overrides`, and the `command` line, which starts with the program.
        run_mode: finetune, train, predict or eval; None takes the configuration's.

    Returns:
        The exit status.

    Raises:
        SciMindError: The configuration, or a file that it names, is wrong.
        Stopped: A signal ended a training early, after its last checkpoint.
    """
    if worker()[0] < 0:
        serve_as_scheduler()
        return 0
    overrides = overrides_of(args)
    if run_mode is not None:
        overrides.append(f"run_mode={run_mode}")
    config = load_config(args.config, overrides)
    if config.run_mode == "predict":
        return _predict(config, args)
    elif config.run_mode == "eval":
        from scimind.train import evaluate

        evaluate(config)
    elif config.run_mode in ("finetune", "train"):
        from scimind.train import finetune

        result = finetune(config)
        if result.is_interrupted and result.can_be_resumed:
            print(f"to continue: {command_to_continue(args.command)}", flush=True)
        if result.stop_signal is not None:
            raise Stopped(result.stop_signal)
    else:
        raise SciMindError(f"{args.config}: run_mode is missing; give --run_mode finetune, predict or eval")
    return 0


def serve_as_scheduler() -> None:
    """Serves as msrun's scheduler, which brings the workers together and waits for them to end.

    With a single worker there is nobody to bring together, so it returns at once.
    """
    if worker()[1] == 1:
        return
    import mindspore as ms
    from mindspore.communication import init

    ms.set_context(device_target="CPU")
    init()


def _predict(config: RunConfig, args: argparse.Namespace) -> int:
    """Answers the prompts of a file, after a check that input and output files were given; returns the exit status."""
    source, target = config.get("input_data"), config.get("save_file")
    if not source:
        raise SciMindError(
            "no prompts; give --predict_data FILE, a text file with one prompt per line or conversation JSON"
        )
    if not target:
        raise SciMindError("no output file; give --save_file FILE, such as predictions.jsonl or answers.txt")
    from scimind.data.content.fields import FieldOptions
    from scimind.data.formats.columns import parse_columns
    from scimind.data.tasks.registry import refuse_code
    from scimind.generate.predict import predict

    refuse_code(config.get("task") or "", args.config, allow_code=args.allow_code, named=args.task)
    summary = predict(
        config,
        Path(source),
        Path(target),
        task=config.get("task"),
        choices=config.get("choices"),
        columns=parse_columns(args.columns),
        options=FieldOptions(config["molecules"], ambiguous=config["ambiguous"], seed=config.generation["seed"]),
        overwrite=args.overwrite,
    )
    if not summary.failures:
        return 0
    print(summary.complaint(), file=sys.stderr)
    return PARTLY_DONE
