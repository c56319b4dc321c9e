"""Predictions in memory and on a stream come in the input's order, whatever the order of the batches."""

from __future__ import annotations

import io
import json

from scimind.generate.row_collector import RowCollector

ROWS = [{"id": str(n), "finish_reason": "error" if n == 1 else "stop", "message": f"é{n}"} for n in range(3)]


def test_rows_arrive_in_any_order_and_leave_in_the_inputs() -> None:
    stream = io.StringIO()
    kept, streamed = RowCollector(), RowCollector(stream)
    for rows in (kept, streamed):
        rows.add(2, ROWS[2])
        rows.add(1, ROWS[1])
        rows.flush()
        assert rows.written == 0 and rows.rows == []
        rows.add(0, ROWS[0])
        rows.flush()
        assert rows.written == 3 and rows.failures == ["prompt 1: é1"]
    assert kept.rows == ROWS and streamed.rows == []
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == ROWS
