"""Refuse mail addresses in other than canonical spelling (portal/mailboxes.py): two accounts never share a mailbox."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0031"
VERSION = "1.38.0"
DESCRIPTION = "mailboxes"

# Small letters, NFC, nothing invisible, and a domain that is not encoded.
CANONICAL = r"""email = lower(email) and email is nfc normalized and email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
  and email !~ '[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\uff0e\u3002]' and email !~ '@(.*\.)?xn--'"""

SQL = f"""
update credential set email = lower(email) where email <> lower(email);
update company set email = lower(email) where email <> lower(email);
alter table credential add constraint credential_email_canonical check ({CANONICAL});
alter table company add constraint company_email_canonical check ({CANONICAL});
drop index credential_email;
create unique index credential_email on credential (email);
"""  # noqa: S608 (our own condition)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
