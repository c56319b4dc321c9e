"""Every reader of SciMind, with the strategy for its files and with the commands that read them."""

from __future__ import annotations

from tests.hostile.data_readers import data_readers
from tests.hostile.model_readers import model_readers
from tests.hostile.reader import Reader
from tests.hostile.record_readers import configuration_readers, record_readers


def all_readers() -> list[Reader]:
    """Returns the readers of files, in the order of the data's path."""
    return [*configuration_readers(), *data_readers(), *model_readers(), *record_readers()]
