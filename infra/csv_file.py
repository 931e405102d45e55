"""CSV files of people: UTF-8 with a header that names each column once."""

import csv
import io
from pathlib import Path

BOM = "\ufeff"


class UnreadableCsv(Exception):
    """The file is not such a file; the message names it and the line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


def read_csv(path: Path) -> "csv.DictReader[str]":
    """Return the rows. Going through them raises csv.Error where one is malformed.

    Raises:
        UnreadableCsv
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableCsv(path, 1, f"cannot be read: {error.strerror}") from error
    try:
        text = content.decode().removeprefix(BOM)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8 (byte 0x{content[error.start]:02x}); save the file as UTF-8"
        raise UnreadableCsv(path, line, reason) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
    except csv.Error as error:
        raise UnreadableCsv(path, 1, str(error)) from error
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnreadableCsv(path, 1, f"the header names the column {twice[0]!r} twice")
    return reader
