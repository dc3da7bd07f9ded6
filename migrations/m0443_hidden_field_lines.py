"""Hide log lines of custom fields that were hidden after the line was written."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-12-01T0443"
VERSION = "1.38.0"
DESCRIPTION = "log lines of hidden fields"

SQL = """
-- Lines that were written before name the field only; one of a field that was renamed since stays without its id.
alter table case_event disable trigger append_only;
update case_event e set details = e.details || jsonb_build_object('field_id', f.id)
from case_field f where e.kind in ('field', 'field_taken', 'field_left') and f.name = e.details ->> 'field';
alter table case_event enable trigger append_only;

-- The policies of case_field show contacts the fields for them. A deleted field is not found either, because it may have been hidden.
create policy of_shown_fields on case_event as restrictive for select to portal_contact
  using (kind not in ('field', 'field_taken', 'field_left')
    or exists (select from case_field f where f.id = (details ->> 'field_id')::bigint and f.for_contacts));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
