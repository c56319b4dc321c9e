"""The tokenizer as a MindFormers tokenizer. Importing this module loads MindFormers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scimind.errors import SciMindError
from scimind.runtime import mindformers_log
from scimind.small_files import read_small_json
from scimind.tokenizer.codec import TokenCodec
from scimind.tokenizer.storage import MODEL_NAME, SETTINGS_NAME

mindformers_log.use_temporary_folder()

from mindformers.models.llama.llama_tokenizer import LlamaTokenizer  # noqa: E402
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister  # noqa: E402

_CONFIG_NAME = "tokenizer_config.json"
_SAVED_ARGUMENTS = ("add_bos_token", "add_eos_token", "padding_side", "truncation_side", "model_max_length")


@MindFormerRegister.register(MindFormerModuleType.TOKENIZER)
class SciMindTokenizer(LlamaTokenizer):
    """A MindFormers tokenizer whose ids and texts are those of a `TokenCodec`.

    MindFormers adds everything else: truncation, padding, tensors, batches. Unlike Llama's own tokenizer, this one does
    not recognise `<s>` inside a text: special tokens come from `add_bos_token` and `add_eos_token` only.

    Args:
        vocab_file: A SentencePiece model; None takes the small one that comes with the package.
        extension: Whether the SMILES characters missing from the published tokenizer get tokens; None takes the value
            in the settings next to `vocab_file`, or True without such settings.
        add_bos_token: Whether ids begin with BOS.
        add_eos_token: Whether ids end in EOS.
        **kwargs: Arguments of MindFormers' tokenizers: padding_side, truncation_side, model_max_length, chat_template
            and so on.

    Raises:
        SciMindError: The model file cannot be used, or a special token is not Llama's.
    """

    def __init__(
        self,
        vocab_file: str | Path | None = None,
        *,
        extension: bool | None = None,
        add_bos_token: bool = True,
        add_eos_token: bool = False,
        **kwargs: Any,
    ) -> None:
        self.codec = _build_codec(vocab_file, extension)
        super().__init__(str(self.codec.model_file), add_bos_token=add_bos_token, add_eos_token=add_eos_token, **kwargs)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the added ones, without padding rows."""
        return self.codec.vocab_size

    def __len__(self) -> int:
        """Returns `vocab_size`: unlike in other tokenizers of MindFormers, it includes every token."""
        return self.codec.vocab_size

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any
    ) -> list[str]:
        """Returns the pieces and forms of `text`, as by `TokenCodec.encode`; the other arguments have no effect."""
        return [self.codec.token(index) for index in self.codec.encode(text, bos=False)]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Returns the text of pieces and forms, including special tokens."""
        return self.codec.decode([self.codec.token_id(token) for token in tokens], skip_special=False)

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, str]:
        """Writes the files of `TokenCodec.save` and returns their two paths; a name prefix is not supported."""
        if filename_prefix:
            raise SciMindError(f"filename_prefix ({filename_prefix!r}) is not supported; save into a separate folder")
        self.codec.save(save_directory)
        return str(Path(save_directory, MODEL_NAME)), str(Path(save_directory, SETTINGS_NAME))

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """Writes the codec's files and MindFormers' `tokenizer_config.json`, and returns the paths.

        Args:
            save_directory: A folder, created if necessary.
            *args: Accepted for MindFormers' callers, which name a file and a format; the format here is always JSON.
            **kwargs: Accepted likewise, without effect.

        Raises:
            SciMindError: The folder cannot be written.
        """
        paths = self.save_vocabulary(save_directory)
        config = {"tokenizer_class": type(self).__name__, **{name: getattr(self, name) for name in _SAVED_ARGUMENTS}}
        path = Path(save_directory, _CONFIG_NAME)
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        return *paths, str(path)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *args: Any, **kwargs: Any) -> SciMindTokenizer:
        """Returns the tokenizer that `save_pretrained` or `TokenCodec.save` wrote.

        Args:
            name_or_path: The folder.
            *args: Accepted for MindFormers' callers, without effect.
            **kwargs: Arguments of the constructor, which override the saved ones.

        Raises:
            SciMindError: The folder does not exist, or has files that were not saved by this class.
            CheckpointError: The model file is not the one that was saved.
        """
        folder = Path(kwargs.pop("pretrained_model_name_or_path", None) or name_or_path)
        codec = TokenCodec.load(folder)
        config: dict[str, Any] = {}
        source = folder / _CONFIG_NAME
        if source.is_file():
            try:
                config = read_small_json(source)
            except ValueError as error:
                raise SciMindError(f"tokenizer {source} {error}; save the tokenizer again") from error
        arguments = {name: config[name] for name in _SAVED_ARGUMENTS if name in config}
        return cls(**{"vocab_file": codec.model_file, "extension": codec.extension, **arguments, **kwargs})

    def _add_tokens(self, new_tokens: Sequence[Any] | None, special_tokens: bool = False) -> int:
        """Marks tokens as special; all of them must be in the vocabulary."""
        for token in map(str, new_tokens or ()):
            if self.codec.token_id(token) == self.codec.unk_id and token != self.codec.token(self.codec.unk_id):
                raise SciMindError(f"token {token!r} is not in the vocabulary, which is fixed; use an existing token")
        added: int = super()._add_tokens(new_tokens, special_tokens=special_tokens)
        return added

    def _convert_token_to_id(self, token: str) -> int:
        return self.codec.token_id(token)

    def _convert_id_to_token(self, index: int) -> str:
        return self.codec.token(index)

    def decode(
        self,
        token_ids: int | Sequence[int] | Sequence[Sequence[int]] | Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> str | list[str]:
        """Returns the text of an id or of a sequence of ids, or the texts of several; also takes arrays and tensors.

        Args:
            token_ids: The ids, each in [0, vocab_size).
            skip_special_tokens: Whether `<s>`, `</s>` and padding are left out.
            clean_up_tokenization_spaces: Has no effect, since cleaning up spaces would change molecules.
            **kwargs: `tags=True` keeps sequences in their tags, as in `TokenCodec.decode`, which also lists the errors.
        """
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        text: str | list[str] = super().decode(ids, skip_special_tokens, clean_up_tokenization_spaces, **kwargs)
        return text

    def _decode(
        self,
        token_ids: Sequence[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        *,
        tags: bool = False,
        **kwargs: Any,
    ) -> str:
        return self.codec.decode(token_ids, tags=tags, skip_special=skip_special_tokens)


def _build_codec(vocab_file: str | Path | None, extension: bool | None) -> TokenCodec:
    """Returns the codec; without `extension`, the settings saved next to the model are checked and used."""
    if extension is None and vocab_file is not None and Path(vocab_file).with_name(SETTINGS_NAME).is_file():
        folder = Path(vocab_file).parent
        if Path(vocab_file).name == MODEL_NAME:
            return TokenCodec.load(folder)
    return TokenCodec(vocab_file, extension=extension is None or extension)
