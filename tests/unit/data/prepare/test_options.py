"""The command and Python share one set of settings, and each value is given in one place."""

import argparse
import dataclasses

import pytest

from scimind.cli import prepare as verb
from scimind.data.prepare.options import PrepareOptions
from scimind.errors import SciMindError


def test_the_commands_defaults_are_pythons():
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    defaults = vars(parser.parse_args(["--task", "moa", "--output", "out"]))
    for field in dataclasses.fields(PrepareOptions):
        if field.name != "progress":  # which the command always shows
            assert defaults[field.name] == field.default, field.name


def test_seed_and_split_are_given_once():
    options = PrepareOptions(seed=7, split="scaffold", eval_fraction=0.1, test_fraction=0.2, molecules="canonical")
    split, fields = options.splitting, options.fields
    assert (split.by, split.seed, split.evaluation, split.test) == ("scaffold", 7, 0.1, 0.2)
    assert (fields.seed, fields.scaffolds, fields.molecules) == (7, True, "canonical")
    assert not PrepareOptions(split="cluster").fields.scaffolds


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"split": "stratified"}, "split .'stratified'. must be one of random, scaffold, cluster"),
        ({"eval_fraction": 1.0}, r"eval_fraction \(1.0\) must be at least 0 and less than 1"),
        ({"molecules": "as-is", "randomised": 2}, "randomised needs RDKit to read molecules"),
        ({"randomised": -1}, r"randomised \(-1\) must be at least 0"),
        ({"on_conflict": "mean"}, "on_conflict .'mean'. must be one of keep, list, first, drop"),
        ({"ambiguous": "guess"}, "ambiguous .'guess'. must be one of drop, split, mask"),
        ({"duplicates": "some"}, "duplicates .'some'. must be one of drop, keep"),
    ],
)
def test_faulty_settings_are_refused_when_they_are_made(settings, reason):
    with pytest.raises(SciMindError, match=reason):
        PrepareOptions(**settings)
