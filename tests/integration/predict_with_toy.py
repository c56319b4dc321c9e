"""Predicts with a toy decoder in a separate process: INPUT OUTPUT TASK [batches after which it kills itself]."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scimind.errors import SciMindError
from scimind.generate.predictor import Predictor
from scimind.generate.prompt_files import check_prompts, read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.generate.provenance import run_notes
from scimind.generate.settings import GenerationSettings
from scimind.tokenizer import TokenCodec
from tests.support.toys import CachedToy


class Mortal(CachedToy):
    """Ends its process in the middle of a batch, without a chance to clean up."""

    batches_left = -1

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        if self.batches_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(ids, positions)

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.batches_left -= 1
        return super().prefill(ids, lengths)


def main(arguments: list[str]) -> int:
    source, output, task, *after = arguments
    codec = TokenCodec()
    settings = GenerationSettings(max_new_tokens=16, batch_size=4, do_sample=True, seed=5)
    decoder = Mortal(codec.vocab_size, max_length=128)
    if after:
        decoder.batches_left = int(after[0])
    try:
        notes = run_notes(settings, codec.fingerprint(), None)
        predictor = Predictor(decoder, codec, settings)
        prompts = encode_prompts(codec, read_prompts(source, task))
        check_prompts(prompts, source)
        print(predictor.predict_file(prompts, output, notes))
    except SciMindError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
