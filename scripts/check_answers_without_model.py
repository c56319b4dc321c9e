"""Searches for molecules with random log-probabilities instead of a model: every answer must be one.

    python scripts/check_answers_without_model.py --answers 10000

The worst model that there can be: every prefix has its own log-probabilities, drawn at random, often with a strong
preference. Prints the share of answers that RDKit accepts, how they came about, and the work. Ends with status 1 if an
answer is empty, too long or not a molecule.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import Draft, Drafted, Prefix, Problem, run
from scimind.generate.validity.molecules import MoleculeRule
from scimind.generate.validity.tokens import SequenceTokens
from scimind.tokenizer.alphabet import BASE_MODALITIES

EOS, TEXT_TOKENS = 2, 40
CHARACTERS = dict(enumerate(BASE_MODALITIES["smiles"], TEXT_TOKENS))


def random_model(seed: int, sharpness: float) -> Callable[[Prefix], NDArray[np.float64]]:
    """Returns a model whose log-probabilities are a random function of the whole prefix.

    Args:
        seed: Its number.
        sharpness: The standard deviation of the logits: 0 for no preference, 10 for near certainty.
    """

    def next_log_probs(ids: Prefix) -> NDArray[np.float64]:
        digest = zlib.crc32(np.array(ids, np.int32).tobytes(), seed)
        logits = sharpness * np.random.default_rng([digest, seed]).normal(size=TEXT_TOKENS + len(CHARACTERS))
        return logits - np.logaddexp.reduce(logits)

    return next_log_probs


def no_draft(asked: Draft) -> list[Drafted]:
    """Returns no draft, as a decoder does that cannot draft."""
    return []


def drafter(model: Callable[[Prefix], NDArray[np.float64]], problem: Problem) -> Callable[[Draft], list[Drafted]]:
    """Returns a function that drafts with a model: each token is the most likely one of the rule."""

    def draft(asked: Draft) -> list[Drafted]:
        ids, made = asked.prefix, list[Drafted]()
        while len(made) < asked.most and (not made or made[-1].token != problem.eos_id):
            log_probs = model(ids)
            tokens = problem.tokens(len(log_probs))
            token = int(tokens[np.argmax(log_probs[tokens])])
            made.append(Drafted(token, float(log_probs[token]), log_probs[tokens]))
            ids = (*ids, token)
        return made

    return draft


def main() -> None:
    """Reads the arguments, prints the result, and ends with status 1 if an answer is not a molecule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10000, help="number of answers")
    parser.add_argument("--seed", type=int, default=0, help="number of the first answer")
    options = parser.parse_args()
    rule = SequenceTokens(MoleculeRule(), CHARACTERS)
    reasons: Counter[str] = Counter()
    bad, steps, lengths, begin = 0, 0, 0, time.process_time()
    with rdBase.BlockLogs():
        for seed in range(options.seed, options.seed + options.answers):
            limit = (1, 2, 4, 8, 16, 32, 64)[seed % 7]
            model = random_model(seed, (0.0, 1.0, 3.0, 10.0)[seed % 4])
            problem = Problem(rule, EOS, limit)
            answers = run(greedy_search(problem), model, drafter(model, problem) if seed % 3 else no_draft)
            found = answers[0] if answers else None
            text = "" if found is None else "".join(CHARACTERS[token] for token in found.ids)
            molecule = Chem.MolFromSmiles(text)
            if not 0 < len(text) <= limit or molecule is None or not molecule.GetNumAtoms():
                bad += 1
                print(f"answer {seed}: {text!r} of at most {limit} characters is not a molecule")
            reasons["none" if found is None else found.finish_reason] += 1
            steps, lengths = steps + problem.steps, lengths + len(text)
    seconds = time.process_time() - begin
    print(f"{options.answers} answers, {options.answers - bad} molecules, {lengths / options.answers:.1f} characters")
    print(f"finished: {dict(reasons)}; {steps / max(1, lengths):.2f} steps for each character; {seconds:.1f} s of CPU")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
