"""Kills every command at random moments, starts it again, and compares with an uninterrupted run.

    python scripts/kill_commands.py --model output/nano
    python scripts/kill_commands.py --model output/nano --commands prepare convert --moments 3 --signals SIGKILL SIGTERM

A trial starts a command in a new folder, sends it a signal at a random moment of its run, and starts it again. The
signal must end it with 128 + its number and one line; the second run must end with 0 and write the bytes of the
uninterrupted run, times and rates aside; nothing else may be left in the folder, nor in the temporary folder. Trials
that are done are in `trials.jsonl` of the work folder and are not repeated. Prints a table, and ends with 1 if a trial
failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
LEFTOVERS = (".partial", ".lock", ".tmp", ".parts", ".test", ".old", ".part.jsonl")
# What differs between uninterrupted runs, or between one and one that was resumed: logs, drawings and what a run says
# of itself; columns and keys of times, rates and memory.
UNSTABLE_FILES = re.compile(r"(^|/)(log/|loss\.png$|(result|training|resolved_config|versions)\.(json|yaml)$|earlier/)")
UNSTABLE_VALUES = re.compile(
    r'"(seconds|started|ended|created|time|date|[a-z_]*per_second|(peak|memory)[a-z_]*)": ("[^"]*"|[-\d.e+]+|null)'
)
ON_PATH = "out"
MOST_SECONDS = 300


@dataclass(frozen=True)
class Command:
    """A command to kill.

    Args:
        arguments: Arguments of `scimind`; relative paths are those of the work folder.
        again: Arguments added when it is started again after a signal; those that its page names.
        over: Arguments added if the first run had finished nevertheless, so that its results exist.
    """

    arguments: tuple[str, ...]
    again: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@dataclass
class Trial:
    """One trial; `faults` is empty if it went as it should."""

    command: str
    signal: str
    moment: float
    status: int = 0
    kind: str = ""
    faults: list[str] = field(default_factory=list)


def commands() -> dict[str, Command]:
    """Returns the commands, by name; they use the files that `write_inputs` writes."""
    data = ("--data", "data/train.mindrecord", "--max-tokens", "2000", "--output_dir", "out/run")
    experts = ("--config", "scimind_nano_predict", "--load_checkpoint", "model")
    finetune = ("--train_dataset", "data/train.mindrecord", "--eval_dataset", "data/train.mindrecord", "--epochs", "1")
    saves = ("--callbacks", "[{type: MFLossMonitor, per_print_times: 1}, "
             "{type: CheckpointMonitor, save_checkpoint_steps: 4, keep_checkpoint_max: 2}]")  # fmt: skip
    score = ("--task", "text2smiles", "--predictions", "answers.jsonl", "--workers", "2")
    search = ("predict", "--config", "scimind_nano_predict", "--load_checkpoint", "model", "--task", "text2smiles",
              "--input", "table.jsonl", "--output", "out/answers.jsonl", "--output_dir", "out/run",
              "--predict_batch_size", "2", "--max_new_tokens", "24")  # fmt: skip
    return {
        "prepare": Command(
            ("prepare", "--task", "smiles2text", "--input", "table.tsv", "--output", "out", "--seq_length", "160",
             "--eval_fraction", "0.1", "--workers", "2"), over=("--overwrite",),
        ),
        "convert": Command(("convert", "--input", "model", "--output", "out/hf", "--to", "hf", "--allow-loss"),
                           over=("--overwrite",)),
        "evaluate": Command(("evaluate", *score, "--output", "out/scores.json", "--items", "out/items.jsonl")),
        "report": Command(("report", *score, "--output", "out/report.html")),
        "check": Command(("check", "--config", "scimind_nano_finetune")),
        "predict": Command(
            ("predict", "--config", "scimind_nano_predict", "--load_checkpoint", "model", "--input", "prompts.txt",
             "--output", "out/answers.jsonl", "--output_dir", "out/run", "--predict_batch_size", "4",
             "--max_new_tokens", "24"),
        ),
        "predict.txt": Command(
            ("predict", "--config", "scimind_nano_predict", "--load_checkpoint", "model", "--input", "prompts.txt",
             "--output", "out/answers.txt", "--output_dir", "out/run", "--predict_batch_size", "4",
             "--max_new_tokens", "24"),
        ),
        "predict beams": Command((*search, "--num_return_sequences", "3", "--num_beams", "4")),
        "predict samples": Command(
            (*search, "--num_return_sequences", "3", "--do_sample", "True", "--samples_per_prompt", "8")
        ),
        "finetune": Command(
            ("finetune", "--config", "scimind_nano_finetune", "--output_dir", "out", *finetune, *saves),
            again=("--resume_training", "True"),
        ),
        "experts build": Command(
            ("experts", "build", *experts, *data, "--method", "coactivation", "--output", "out/partition")
        ),
        "experts assign": Command(
            ("experts", "assign", *experts, *data, "--partition", "partition", "--experts-per-modality",
             "text=8,smiles=8", "--output", "out/partition")
        ),
        "experts report": Command(
            ("experts", "report", *experts, *data, "--partition", "partition", "--output", "out/report.json")
        ),
        "experts tune": Command(
            ("experts", "tune", *experts, "--data", "data/train.mindrecord", "--steps", "12", "--output", "out")
        ),
    }  # fmt: skip


def write_inputs(folder: Path, model: Path, *, rows: int = 3000) -> None:
    """Writes the inputs of all commands: a table of that many rows, an eighth as many answers, and prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    if not (folder / "model").exists():
        (folder / "model").symlink_to(model.resolve())
    lines = [f"{'C' * (1 + i % 30)}{'O' * (i % 3)}\tA chain with number {i}." for i in range(rows)]
    (folder / "table.tsv").write_text("molecule\tcaption\n" + "\n".join(lines) + "\n")
    prompts = [f"Please describe the molecule: <smiles>{'C' * (1 + i)}O</smiles>" for i in range(40)]
    (folder / "prompts.txt").write_text("\n".join(prompts) + "\n")
    wanted = [{"description": f"A chain of {i} atoms.", "molecule": "C"} for i in range(40)]
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in wanted))
    answers = [
        {"id": str(i), "output": "C" * (1 + i % 20) + "O" * (i % 2), "reference": "C" * (1 + i % 18) + "N"}
        for i in range(rows // 8)
    ]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))


def prepare_data(folder: Path) -> None:
    """Prepares the records, and a partition of the model's neurons, unless they are there."""
    if not (folder / "data").exists():
        lines = (folder / "table.tsv").read_text().splitlines()[:193]
        (folder / "few.tsv").write_text("\n".join(lines) + "\n")
        make = ("prepare", "--task", "smiles2text", "--input", "few.tsv", "--name", "train", "--output", "data")
        _must(folder, (*make, "--seq_length", "160", "--no-card"))
    if not (folder / "partition").exists():
        experts = ("--config", "scimind_nano_predict", "--load_checkpoint", "model", "--output_dir", "run")
        _must(folder, ("experts", "build", *experts, "--method", "contiguous", "--output", "partition"))


def start(folder: Path, arguments: Iterable[str]) -> subprocess.Popen[str]:
    """Starts `scimind` in a folder, in its own session, with signals as in a terminal."""
    code = "import sys; from scimind.cli import main; sys.exit(main())"
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str((folder / "tmp").resolve())}

    def as_in_a_terminal() -> None:  # a job in the background of a shell ignores Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )


def run(folder: Path, arguments: Iterable[str]) -> tuple[int, str]:
    """Returns the exit status and standard error of a command that nobody stops."""
    process = start(folder, arguments)
    errors = process.communicate(timeout=MOST_SECONDS)[1]
    return process.returncode, errors


def _must(folder: Path, arguments: tuple[str, ...]) -> None:
    status, errors = run(folder, arguments)
    if status:
        raise SystemExit(f"scimind {' '.join(arguments)} ended with {status}:\n{errors}")


def digests(folder: Path) -> dict[str, str]:
    """Returns the digest of each file of the results, without times, rates and memory."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not UNSTABLE_FILES.search(name):
            found[name] = hashlib.sha256(_stable(path)).hexdigest()
    return found


def _stable(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name == "loss.csv":
        header, *lines = content.decode().splitlines()
        kept = [i for i, name in enumerate(header.split(",")) if not re.search("second|time|memory|_ms|_mib", name)]
        return "\n".join(",".join(line.split(",")[i] for i in kept) for line in [header, *lines]).encode()
    if path.name in ("checksums.json", "state.npz"):
        return b""  # of files that hold times
    if path.suffix in (".json", ".jsonl"):
        return UNSTABLE_VALUES.sub("", content.decode("utf-8", "replace")).encode()
    return content


def leftovers(folder: Path) -> list[str]:
    """Returns what a run should have removed, in its output and in the temporary folder."""
    found = [path for path in (folder / ON_PATH).rglob("*") if path.name.endswith(LEFTOVERS)]
    return [str(path.relative_to(folder)) for path in (*found, *(folder / "tmp").iterdir())]


def clear(folder: Path) -> None:
    """Empties the output and temporary folders."""
    shutil.rmtree(folder / ON_PATH, ignore_errors=True)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    (folder / "tmp").mkdir()


def judge_stop(status: int, errors: str, number: int) -> tuple[str, list[str]]:
    """Returns how a run ended after a signal (stopped, done, before start, killed), and what is wrong with that."""
    if status == 0:
        return "done", []
    if number == signal.SIGKILL:
        return "killed", [] if status == -number else [f"status {status}"]
    if status == -number and "scimind" not in errors.replace("scimind.cli", ""):
        return "before start", []  # Python has not run a line of ours
    faults = [] if status == 128 + number else [f"status {status}"]
    said = [line for line in errors.splitlines() if line.startswith("scimind: stopped")]
    faults += [] if len(said) == 1 else [f"{len(said)} lines that begin with 'scimind: stopped'"]
    faults += ["a traceback"] if "Traceback" in errors or "Exception ignored" in errors else []
    return "stopped", faults


def attempt(
    folder: Path, command: Command, number: int, moment: float, wanted: Mapping[str, str]
) -> tuple[int, str, list[str]]:
    """Kills a command at a moment, in seconds after its start, and starts it again; returns status, kind and faults."""
    clear(folder)
    process = start(folder, command.arguments)
    try:
        errors = process.communicate(timeout=moment)[1]
    except subprocess.TimeoutExpired:
        os.kill(process.pid, number)
        try:
            errors = process.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return process.returncode, "hung", ["still running 60 seconds after the signal"]
    status = process.returncode
    kind, faults = judge_stop(status, errors, number)
    if faults:
        faults.append(errors[-600:])
    if kind not in ("done", "killed") and (left := [name for name in leftovers(folder) if _is_temporary(name)]):
        faults.append(f"left after the signal: {', '.join(left)}")
    faults += _again(folder, command, wanted, is_done=kind == "done")
    return status, kind, faults


def _is_temporary(name: str) -> bool:
    """Returns whether a stopped run should have removed a leftover; what it needs to continue stays."""
    return not name.endswith((".parts", ".part.jsonl", ".old"))


def _again(folder: Path, command: Command, wanted: Mapping[str, str], *, is_done: bool) -> list[str]:
    """Starts a command again; returns what is wrong with its results."""
    faults = []
    is_whole = digests(folder / ON_PATH) == wanted
    status, errors = run(folder, (*command.arguments, *(command.over if is_done or is_whole else command.again)))
    if status and not is_whole and re.search("exists|not empty|is no checkpoint|no checkpoint", errors):
        extra = command.over if "exists" in errors or "not empty" in errors else ()
        faults += [f"could not be continued: {errors.strip()}"] if extra else []
        status, errors = run(folder, (*command.arguments, *extra))
    if status:
        faults.append(f"the second run ended with {status}: {errors[-600:]}")
    found = digests(folder / ON_PATH)
    differing = [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
    faults += [f"other results: {', '.join(differing)}"] if differing else []
    left = leftovers(folder)
    return faults + ([f"left over: {', '.join(left)}"] if left else [])


def reference(folder: Path, command: Command, *, runs: int = 2) -> tuple[float, dict[str, str]]:
    """Returns seconds and digests of an uninterrupted run, after all of several have given the same digests."""
    found: list[dict[str, str]] = []
    seconds = 0.0
    for _ in range(runs):
        clear(folder)
        began = time.monotonic()
        _must(folder, command.arguments)
        seconds = time.monotonic() - began
        found.append(digests(folder / ON_PATH))
    if found[0] != found[-1]:
        names = [name for name in sorted({*found[0], *found[-1]}) if found[0].get(name) != found[-1].get(name)]
        raise SystemExit(f"{command.arguments}: two uninterrupted runs differ in {', '.join(names)}")
    if left := leftovers(folder):
        raise SystemExit(f"{command.arguments}: an uninterrupted run leaves {', '.join(left)}")
    return seconds, found[0]


def table(trials: list[Trial]) -> str:
    """Returns a table: a row per command, for each signal the trials that went as they should, of all."""
    names = list(dict.fromkeys(trial.command for trial in trials))
    signals = [name for name in SIGNALS if any(trial.signal == name for trial in trials)]
    lines = [f"| command | {' | '.join(signals)} | ended by |", f"|{'---|' * (len(signals) + 2)}"]
    for name in names:
        of_command = [trial for trial in trials if trial.command == name]
        cells = []
        for sent in signals:
            of_signal = [trial for trial in of_command if trial.signal == sent]
            cells.append(f"{sum(not trial.faults for trial in of_signal)}/{len(of_signal)}")
        kinds = sorted({trial.kind for trial in of_command})
        counts = [f"{sum(trial.kind == kind for trial in of_command)} {kind}" for kind in kinds]
        lines.append(f"| {name} | {' | '.join(cells)} | {', '.join(counts)} |")
    return "\n".join(lines)


def main() -> int:
    """Runs the trials that are not done yet; returns the exit status."""
    known = commands()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "output/nano", help="run of the nano model")
    parser.add_argument("--work", type=Path, default=ROOT / "output/kills", help="folder for inputs, runs and results")
    parser.add_argument("--commands", nargs="+", choices=known, default=list(known), metavar="COMMAND")
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=list(SIGNALS), metavar="SIGNAL")
    parser.add_argument("--moments", type=int, default=10, help="trials of each command and signal (default: 10)")
    args = parser.parse_args()
    folder = args.work.resolve()
    write_inputs(folder, args.model)
    prepare_data(folder)
    journal = folder / "trials.jsonl"
    done = [Trial(**json.loads(line)) for line in journal.read_text().splitlines()] if journal.exists() else []
    for name in args.commands:
        planned = [
            (sent, random.Random(f"{name} {sent} {number}").random())
            for sent in args.signals
            for number in range(args.moments)
        ]
        left = [pair for pair in planned if pair not in {(t.signal, t.moment) for t in done if t.command == name}]
        if not left:
            continue
        seconds, wanted = reference(folder, known[name])
        for sent, moment in left:
            number = getattr(signal, sent)
            status, kind, faults = attempt(folder, known[name], number, moment * seconds, wanted)
            trial = Trial(name, sent, moment, status, kind, faults)
            done.append(trial)
            with journal.open("a") as file:
                file.write(json.dumps(vars(trial)) + "\n")
            print(f"{name} {sent} at {moment * seconds:.2f} of {seconds:.2f} s: {kind}; {faults or 'good'}", flush=True)
    print(table(done))
    return 1 if any(trial.faults for trial in done) else 0


if __name__ == "__main__":
    sys.exit(main())
