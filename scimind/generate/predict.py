"""From a file of prompts to a file of predictions, with the model of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scimind.config import RunConfig
from scimind.data.content.fields import FieldOptions
from scimind.data.formats.notes import FileNotes
from scimind.data.prepare.definitions import definition_next_to
from scimind.data.tasks.registry import TASKS
from scimind.data.tasks.task import Task
from scimind.errors import ConfigError
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.prediction_file import check_output, files_next_to
from scimind.generate.predictor import Predictor, PredictSummary
from scimind.generate.prompt_files import check_prompts
from scimind.generate.provenance import run_notes
from scimind.generate.questions import read_questions
from scimind.generate.row_collector import RowCollector
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.rule import AnswerRule
from scimind.generate.wanted_answers import validity
from scimind.locking import output_lock, refuse_inputs
from scimind.runtime.console import Console, kept_stdout, quiet_console
from scimind.runtime.run_folder import RunFolder
from scimind.tokenizer import TokenCodec

STDOUT = "-"  # as an output path


def predict(
    config: Mapping[str, Any],
    input_path: str | Path,
    output_path: str | Path,
    task: str | Path | Task | None = None,
    *,
    choices: str | Path | None = None,
    options: FieldOptions | None = None,
    columns: Mapping[str, str] | None = None,
    overwrite: bool = False,
    rule: AnswerRule | None = None,
) -> PredictSummary:
    """Answers every prompt of a file with the model of a configuration.

    A prompt that cannot be read or answered gets a row with finish reason `error` and a message; the others are
    answered.

    Args:
        config: The run configuration; its `generation` section holds the settings, `load_checkpoint` the weights.
        input_path: The prompts; see `read_prompts`.
        output_path: `.jsonl`, `.txt` or `.csv`; see `PredictionWriter`. Starting an interrupted run again continues it.
            `-` is standard output, which gets the lines of a `.jsonl`; the console is then standard error.
        task: The task; see `find_task`. With a task, the file may hold bare molecules, sequences or raw records, and
            answers are read as the task defines them. If the task has choices, the most likely one is taken and
            probabilities are reported. None takes the task file next to prepared data, if there is one.
        choices: A file of answers, one per line; each prompt gets the most likely one.
        options: With a task, how its fields are read. A molecule that RDKit cannot parse is an error if `molecules` is
            `checked`, and asked about with a warning in its row if it is `as-is`.
        columns: The column of each field that is not found by its name, see `read_prompts`.
        overwrite: Start over instead of continuing.
        rule: A rule of your own about answers, in the place of that for the task's kind of answer.

    Returns:
        Counts of the run, which are also printed, and the prompts without an answer.

    Raises:
        SciMindError: Settings, checkpoint or the prediction file are faulty, the file of prompts cannot be read, two
            prompts have the same id, or none can be asked.
    """
    # Check everything that does not need the model first, because loading it takes time.
    config = RunConfig.of(config)
    settings = GenerationSettings.from_config(config)
    codec = codec_of(config)
    if task is None and choices is None:
        task = definition_next_to(Path(input_path))
    notes, options = FileNotes(), options or FieldOptions()
    asked = read_questions(
        input_path, codec, settings, task, choices=choices, options=options, columns=columns, notes=notes, rule=rule
    )
    found, prompts, rules = asked.found, asked.prompts, asked.rules
    check_prompts(prompts, input_path)
    task_file = None if isinstance(task, Task) else task
    read = (input_path, choices, config.get("load_checkpoint"), config.source, task_file)
    with ExitStack() as stack:
        stream = stack.enter_context(kept_stdout()) if str(output_path) == STDOUT else None
        if stream is None:
            for file in files_next_to(output_path):
                refuse_inputs(file, read, advice="choose another --save_file")
            stack.enter_context(output_lock(output_path, read, advice="choose another --save_file"))
            check_output(output_path)
        run = run_notes(settings, codec.fingerprint(), config.get("load_checkpoint"), rules, options)
        run["valid"] = validity(settings, rules, rule)
        run["task_file"] = None if task_file is None or task in TASKS else str(Path(task_file).resolve())
        run["rule"] = None if rule is None else type(rule).__qualname__
        folder = RunFolder.create(config.output_dir, "predict")
        console = stack.enter_context(quiet_console(folder.log_file, on_stderr=stream is not None))
        console.print(f"{input_path}: {notes.description()}")
        if run["task_file"]:
            console.print(f"task: {run['task_file']}")
        predictor = Predictor(load_decoder(config, settings, console), codec, settings, rules, console, asked.search)
        whole = sum(prompt.is_whole for prompt in found)
        if task is not None and whole:
            console.print(f"note: {whole} of {len(found)} inputs are whole questions and were not put into one again")
        doubtful = sum(bool(prompt.warning) for prompt in prompts)
        if doubtful:
            console.print(f"note: RDKit cannot parse the molecules of {doubtful} prompts; they are asked as they are")
        for reading, count in sorted(sum((Counter(prompt.readings) for prompt in found), Counter[str]()).items()):
            console.print(f"{reading}: {count:,}")
        if stream is None:
            summary = predictor.predict_file(prompts, output_path, run, overwrite=overwrite)
        else:
            rows = RowCollector(stream)
            summary = predictor.predict_prompts(prompts, rows)
            summary.failures = rows.failures
        console.print(str(summary))
    return summary


def codec_of(config: Mapping[str, Any]) -> TokenCodec:
    """Returns the tokenizer that a configuration names.

    Raises:
        ConfigError: The configuration does not name a tokenizer.
    """
    tokenizer = (config.get("processor") or {}).get("tokenizer")
    if not tokenizer:
        raise ConfigError("processor.tokenizer is missing; add it, since prompts cannot be read without a tokenizer")
    return TokenCodec(tokenizer.get("vocab_file"), extension=tokenizer.get("extension", True))


def load_decoder(config: RunConfig, settings: GenerationSettings, console: Console | None = None) -> Decoder:
    """Returns the decoder that a configuration describes, with its weights loaded.

    Args:
        config: A run's configuration; `model_config.use_past` chooses the decoder, `load_checkpoint` names the weights.
        settings: How to generate; its `batch_size` is the model's.
        console: Shows what was built.

    Raises:
        SciMindError: The configuration is faulty, or the weights belong to another model.
    """
    from scimind.generate.decoders.choosing import decoder_of
    from scimind.generate.decoders.full import FullDecoder
    from scimind.model.loading import load_model

    use_past = bool(config.model_config["use_past"])
    model = load_model(config, use_past=use_past, batch_size=settings.batch_size, console=console)
    return decoder_of(model) if use_past else FullDecoder(model)
