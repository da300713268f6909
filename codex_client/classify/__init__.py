"""From what a server says about a failure to the error that means it.

`parse_failure` reads a JSON value of any shape; `in_stream_error` and `status_error` make the error, by one table
(`table.py`), and `date_failure` adds to it what needs the time. Pure: no clock, no network. Nothing here raises for
what a server may send.
"""

from codex_client.classify.failure import ServerFailure, parse_failure
from codex_client.classify.in_stream import date_failure, in_stream_error
from codex_client.classify.status import status_error

__all__ = ["ServerFailure", "date_failure", "in_stream_error", "parse_failure", "status_error"]
