"""Log to standard error as JSON lines with ids, names and figures, but without content, secrets or bodies (R91, R92).

The text of an exception is left out, because it may quote what somebody typed. Logged instead are its class, its place
in the code and, for database errors, the name of the violated constraint.
"""

import logging
import sys
import traceback
from typing import Any

import asyncpg
import msgspec
import structlog

LEVELS = ("debug", "info", "warning", "error")

_FRAMES = 30
"""The maximum number of innermost frames of a traceback that are logged; deeper recursion repeats itself."""


def set_up(level: str) -> None:
    """Set up logging from `level` upwards for this process and its libraries: JSON lines, or plain text on a terminal.

    Messages of libraries below the level `warning` are never logged.
    """
    number = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_words,
    ]
    written: Any = structlog.dev.ConsoleRenderer(colors=False) if sys.stderr.isatty() else _line
    structlog.configure(
        processors=[*shared, written],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, written],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    for name in ("pgqueuer", "_granian"):  # These libraries install their own handlers.
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


def _line(_: Any, __: str, event: Any) -> str:
    """Return an event as one JSON line. JSON escapes line ends, so that no text can forge another line (R91)."""
    return msgspec.json.encode(event, enc_hook=str).decode()


def _without_words(_: Any, __: str, event: Any) -> Any:
    """Replace the exception in an event by fields that do not contain its text."""
    error = event.pop("exc_info", None)
    if error is True or isinstance(error, tuple):
        error = error[1] if isinstance(error, tuple) else sys.exc_info()[1]
    if isinstance(error, BaseException):
        event |= described(error)
    event.pop("stack_info", None)
    return event


def described(error: BaseException) -> dict[str, Any]:
    """Return an exception as log fields: its class, and its traceback as `file:line function`.

    An error of the database also has the fields SQLSTATE, table and constraint. If another exception caused the
    exception, the field `cause` describes that one in the same way.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told: dict[str, Any] = {
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, asyncpg.PostgresError):
        told |= {"sqlstate": error.sqlstate, "table": error.table_name, "constraint": error.constraint_name}
    if error.__cause__ is not None:
        told["cause"] = described(error.__cause__)
    return told
