"""Read the file `postmaster.pid`, in which a PostgreSQL server states its process id and whether it is ready."""

from pathlib import Path
from typing import NamedTuple

import psutil


class PidFile(NamedTuple):
    """The content of the file: the server's process id, the folder of its socket, and whether it accepts connections."""

    pid: int
    socket_folder: Path
    is_ready: bool

    @classmethod
    def read(cls, folder: Path) -> "PidFile | None":
        """Return the content of the file in a database folder, or None if there is none or it is not complete yet."""
        try:
            lines = (folder / "postmaster.pid").read_text().splitlines()
            return cls(int(lines[0]), Path(lines[4]), len(lines) > 7 and lines[7].strip() == "ready")
        except (OSError, ValueError, IndexError):
            return None

    def server(self, folder: Path) -> psutil.Process | None:
        """Return the process of the server that runs in the database folder, or None if it no longer runs.

        Another process may have got the process id of a server that was killed, so the working folder of the process is
        compared with `folder`.
        """
        try:
            process = psutil.Process(self.pid)
            return process if Path(process.cwd()) == folder.resolve() else None
        except (OSError, psutil.Error):
            return None
