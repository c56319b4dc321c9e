"""From raw records to conversations, token ids and MindRecord files."""

from scimind.data.content.conversations import read_conversations
from scimind.data.conversation import Conversation, Round, parse_conversation
from scimind.data.encode.rendering import encode_conversation, encode_prompt, render_prompt
from scimind.data.prepare.options import PrepareOptions
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.prepare.task_files import prepare, prepare_table
from scimind.data.tasks.reading import read_records
from scimind.data.tasks.registry import TASKS, find_task
from scimind.data.tasks.tables import TableQuestion
from scimind.data.tasks.task import Sample, Task

__all__ = [
    "TASKS",
    "Conversation",
    "PrepareOptions",
    "PrepareSummary",
    "Round",
    "Sample",
    "TableQuestion",
    "Task",
    "encode_conversation",
    "encode_prompt",
    "find_task",
    "parse_conversation",
    "prepare",
    "prepare_table",
    "read_conversations",
    "read_records",
    "render_prompt",
]
