"""References and outputs are read by the labels of the task that is evaluated."""

import pytest

from scimind.errors import DataError
from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.resampling import Resampling


def score(folder, task, outputs, references, **options):
    for name, lines in (("outputs", outputs), ("references", references)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = (folder / "outputs.txt", folder / "references.txt")
    return evaluate(EvaluateOptions(task, *files, resampling=Resampling(samples=0), **options))


@pytest.mark.parametrize("references", [["1", "0", "1"], ["1.0", "0.0", "1.0"], ["True", "FALSE", "Promoter"]])
def test_references_in_the_spellings_of_the_task(tmp_path, references):
    found = score(tmp_path, "promoter", ["Yes.", "0", "perhaps"], references)
    assert found.metrics["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found.metrics["counts"]["other_outputs"] == 1 and found.metrics["settings"]["positive"] == "yes"
    assert [(row["reference"], row["output"]) for row in found.rows] == [
        ("yes", "Yes."),
        ("no", "0"),
        ("yes", "perhaps"),
    ]
    assert (
        score(tmp_path, "promoter", ["no", "no", "no"], references, positive_label="1").metrics["settings"]["positive"]
        == "yes"
    )


def test_a_group_of_metrics_has_no_spellings(tmp_path):
    found = score(tmp_path, "classification", ["yes", "no"], ["1", "0"])
    assert found.metrics["metrics"]["accuracy"]["value"] == 0


@pytest.mark.parametrize(
    ("task", "reference", "reason"),
    [
        ("promoter", "2", r"the reference of item 2 \('2'\) must be one of the task's labels, yes, no; correct it"),
        ("promoter", "NA", "must be one of the task's labels"),
        ("moa", "NA", r"the reference of item 2 \('NA'\) counts as empty"),
    ],
)
def test_a_reference_that_is_not_a_label_is_refused(tmp_path, task, reference, reason):
    with pytest.raises(DataError, match=reason):
        score(tmp_path, task, ["yes", "no"], ["yes", reference])
