"""The one Piccolo app: its migrations, and the tables that stand beside their nouns."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

_here = Path(__file__).parent
_migrations = _here / "migrations"

APP_CONFIG = AppConfig(
    app_name="portal",
    # In the wheel the folder lies inside of the package, in the repository beside it.
    migrations_folder_path=str(_migrations if _migrations.is_dir() else _here.parent / "migrations"),
    table_classes=[],
    migration_dependencies=[],
    commands=[],
)
