"""A model with its tokenizer and settings, ready to be asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from scimind.api.results import ExpertUse, Prediction, Predictions, texts_of
from scimind.checkpoint.source import configuration_of
from scimind.config import RunConfig
from scimind.data.content.fields import FieldOptions
from scimind.embed.sequences import EmbeddingSettings, sequence_ids
from scimind.errors import ConfigError, DataError, SciMindError
from scimind.generate.settings import GenerationSettings
from scimind.runtime.console import Console, quiet_console
from scimind.runtime.private_folder import private_folder

if TYPE_CHECKING:
    from scimind.data.tasks.task import Task
    from scimind.generate.decoders.protocols import Decoder
    from scimind.generate.validity.rule import AnswerRule


def load(source: str | Path, settings: Mapping[str, Any] | None = None) -> Model:
    """Returns the model of a path, with its weights.

    Args:
        source: A run's output folder such as `output/nano`, a checkpoint's folder, a folder of `scimind convert`, a
            file of weights, a YAML file, or the name of a shipped configuration. Folders may have been moved.
        settings: Settings that replace those of the configuration, by dotted name, such as
            `{"generation.max_new_tokens": 64}`.

    Raises:
        SciMindError: There is no model at the path, its files do not belong together, or a setting is wrong.
    """
    import json

    overrides = [f"{name}={json.dumps(value, default=str)}" for name, value in (settings or {}).items()]
    config = configuration_of(source, overrides)
    if not config.get("load_checkpoint"):
        warnings.warn(f"{source} names no weights: the model has random ones", stacklevel=2)
    return Model(config)


class Model:
    """A model that answers prompts, scores answers and embeds sequences; made by `scimind.load`.

    Args:
        config: The checked configuration.

    Attributes:
        config: The configuration.
        codec: The tokenizer.

    Raises:
        SciMindError: The weights do not belong to the configuration's model.
    """

    def __init__(self, config: RunConfig) -> None:
        from scimind.generate.predict import codec_of, load_decoder

        self.config, self.codec = config, codec_of(config)
        self._settings = GenerationSettings.from_config(config)
        with quiet() as console:
            self._decoder: Decoder = load_decoder(config, self._settings, console)

    @cached_property
    def network(self) -> Any:
        """The SciMindForCausalLM."""
        return self._decoder.model  # type: ignore[attr-defined]

    @property
    def num_parameters(self) -> int:
        """Number of parameters."""
        from scimind.checkpoint.weights import is_weight

        return sum(int(np.prod(item.shape)) for item in self.network.get_parameters() if is_weight(item.name))

    def __repr__(self) -> str:
        """Returns what the model is."""
        weights = self.config.get("load_checkpoint") or "random weights"
        return f"<scimind.Model of {self.num_parameters:,} parameters, {weights}>"

    @overload
    def ask(self, question: str, *, n: None = None, task: str | Path | Task | None = None, **settings: Any) -> str: ...

    @overload
    def ask(self, question: str, *, n: int, task: str | Path | Task | None = None, **settings: Any) -> list[str]: ...

    def ask(
        self, question: str, *, n: int | None = None, task: str | Path | Task | None = None, **settings: Any
    ) -> str | list[str]:
        """Returns the model's answer to a question, or a list of its `n` best answers if `n` is given.

        Args:
            question: A question, with molecules and sequences between tags such as `<smiles>CCO</smiles>`; with a task
                what it asks about, such as `CCO`.
            n: Number of different answers; there may be fewer.
            task: See `predict`.
            **settings: See `predict`.

        Raises:
            SciMindError: The question cannot be asked, no answer fulfils the conditions, or a setting is wrong.
        """
        try:
            (found,) = self._predict(task, [question], n, settings)
        except DataError as error:  # without the place among the records, of which there is one
            raise DataError(error.reason, text=error.text) from error
        if not found.answers:
            raise SciMindError(found.message)
        return found.answer if n is None else [one.text for one in found.answers]

    def predict(
        self,
        task: str | Path | Task | None,
        records: Any,
        *,
        n: int | None = None,
        choices: Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        molecules: str = "checked",
        ambiguous: str = "drop",
        rule: AnswerRule | None = None,
        **settings: Any,
    ) -> Any:
        """Returns predictions for records, in their order: what `scimind predict` writes for a file of them.

        A record that cannot be asked or answered has a `message` and no answers; a warning says how many there are.

        Args:
            task: A task's name, its file, or a task, see `scimind.data.find_task`; None for prompts or questions.
            records: A list of texts, of dictionaries by column, or a DataFrame.
            n: Number of different answers to each; there may be fewer.
            choices: Answers to choose from, instead of those of the task.
            columns: The column of each field that is not found by its name.
            molecules: `checked` refuses molecules that RDKit cannot parse, `as-is` asks about them with a warning.
            ambiguous: What is done with letters of sequences that stand for several: `drop`, `split` or `mask`.
            rule: A rule of your own about answers.
            **settings: Further settings of `scimind.generate.settings.GenerationSettings`, such as valid, where,
                prefix, seed, do_sample, temperature, max_new_tokens or batch_size.

        Returns:
            `Predictions`, a list of `Prediction`; for a DataFrame a DataFrame with the same index, see
            `Predictions.to_frame`.

        Raises:
            SciMindError: A setting is wrong, records are not what the task asks about, or none can be asked.
        """
        is_frame = hasattr(records, "to_dict") and hasattr(records, "index")
        rows = records.to_dict("records") if is_frame else [records] if isinstance(records, str) else list(records)
        more = {"choices": choices, "columns": columns, "rule": rule}
        found = self._predict(task, rows, n, settings, options=FieldOptions(molecules, ambiguous=ambiguous), **more)
        failed = [one for one in found if one.row["finish_reason"] == "error"]
        if failed:
            first = f"{failed[0].id}: {failed[0].message}"
            warnings.warn(f"{len(failed)} of {len(found)} records could not be answered: {first}", stacklevel=2)
        return found.to_frame(records.index) if is_frame else found

    def score(self, prompts: Sequence[str] | str, answers: Sequence[str] | str) -> NDArray[np.float64]:
        """Returns the log-likelihood of each answer, with its end, after its prompt, in nats, float64 [n].

        Args:
            prompts: Questions, or prompts with their marks; a single one is used for all answers.
            answers: The answers, with molecules and sequences between tags.

        Raises:
            SciMindError: A text has a character without a token, or prompt and answer are too long.
        """
        from scimind.generate.prompts import encode_prompts, line_prompt
        from scimind.generate.scoring import score_answers

        wanted = texts_of(answers, "answer")
        asked = [prompts] * len(wanted) if isinstance(prompts, str) else texts_of(prompts, "prompt")
        if len(asked) != len(wanted):
            raise SciMindError(f"{len(asked)} prompts and {len(wanted)} answers; give as many of each")
        encoded = encode_prompts(self.codec, [line_prompt(text, number) for number, text in enumerate(asked)])
        for number, prompt in enumerate(encoded):
            if prompt.fault:
                raise SciMindError(f"prompt {number}: {prompt.fault.removeprefix(f'line {number}: ')}")
        ids = []
        for number, text in enumerate(wanted):
            try:
                ids.append(self.codec.encode(text.strip(), bos=False, eos=True))
            except SciMindError as error:
                raise SciMindError(f"answer {number}: {error}") from error
        with quiet():
            return score_answers(
                self._decoder,
                [prompt.ids for prompt in encoded],
                ids,
                vocab_size=self.codec.vocab_size,
                batch_size=self._settings.batch_size,
            )

    def embed(
        self,
        sequences: Sequence[str] | str,
        modality: str = "smiles",
        pooling: str = "mean",
        layer: int = -1,
        **settings: Any,
    ) -> NDArray[np.float32]:
        """Returns a vector for each sequence, pooled from the model's hidden states, float32 [n, d].

        Args:
            sequences: Molecules, proteins, DNA, RNA or texts, without tags.
            modality: What they are: smiles, protein, dna, rna or text.
            pooling: `mean` of a sequence's tokens, or its `last` token, which has read all others.
            layer: Whose output: 0 for the embeddings, n for the n-th layer, -1 for the last one, normalised.
            **settings: Further settings of `scimind.embed.sequences.EmbeddingSettings`.

        Raises:
            SciMindError: A sequence cannot be read, which is named, or a setting is wrong.
        """
        chosen = _checked(EmbeddingSettings, modality=modality, pooling=pooling, layer=layer, **settings)
        from scimind.embed.embedding import Embedder

        embedder = Embedder(self.network, chosen)
        ids = []
        for number, text in enumerate(texts_of(sequences, "sequence")):
            try:
                ids.append(sequence_ids(self.codec, text, chosen, embedder.max_length))
            except DataError as error:
                raise DataError(f"sequence {number}: {error.reason}", text=error.text) from error
        with quiet() as console:
            return embedder.embed(ids, console)

    def experts(self, prompt: str) -> ExpertUse:
        """Returns which experts each token of a prompt uses in each layer.

        Args:
            prompt: A question, with molecules and sequences between tags, or a prompt with its marks.

        Raises:
            SciMindError: The prompt has a character without a token, or is too long.
        """
        from scimind.experts.use import experts_used
        from scimind.generate.prompts import encode_prompts, line_prompt
        from scimind.modality import MODALITY_NAMES, modality_table

        (encoded,) = encode_prompts(self.codec, [line_prompt(prompt, 1)])
        if encoded.fault:
            raise SciMindError(encoded.fault.removeprefix("line 1: "))
        if len(encoded.ids) > self.config.seq_length:
            raise SciMindError(
                f"the prompt has {len(encoded.ids)} tokens, and the model's seq_length is {self.config.seq_length}; "
                "shorten it"
            )
        with quiet():
            active = experts_used(self.network, encoded.ids)
        table = modality_table(int(self.network.config.vocab_size), self.codec.modality_ranges)
        names = tuple(MODALITY_NAMES[table[token]] for token in encoded.ids)
        return ExpertUse(tuple(map(self.codec.token, encoded.ids)), names, active)

    def _predict(
        self,
        task: str | Path | Task | None,
        records: Sequence[Any],
        n: int | None,
        settings: Mapping[str, Any],
        **more: Any,
    ) -> Predictions:
        """Returns the predictions of records."""
        from scimind.generate.in_memory import answer_records

        given = dict(settings) if n is None else {**settings, "num_return_sequences": n}
        chosen = GenerationSettings.from_config({"generation": {**self.config.generation, **given}})
        with quiet() as console:
            rows = answer_records(self._decoder, self.codec, chosen, records, task, console=console, **more)
        return Predictions(map(Prediction.of_row, rows))


def _checked(kind: Any, **settings: Any) -> Any:
    """Returns settings of a kind.

    Raises:
        ConfigError: One of them does not exist.
    """
    known = list(kind.__dataclass_fields__)
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}; there are {', '.join(known)}")
    return kind(**settings)


@contextmanager
def quiet() -> Iterator[Console]:
    """Keeps what MindSpore and MindFormers print away; yields a console that shows progress bars where it can."""
    with quiet_console(private_folder("log") / "scimind.log", only_bars=True, on_stderr=True) as console:
        yield console
