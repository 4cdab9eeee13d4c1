"""Sessions of any store in an encrypted file, and from there into any store.

`coatcheck export` and `coatcheck import` do it from the command line.
"""

from coatcheck.backup.exporting import export_sessions
from coatcheck.backup.importing import import_sessions
from coatcheck.backup.report import Exported, Imported

__all__ = ["Exported", "Imported", "export_sessions", "import_sessions"]
