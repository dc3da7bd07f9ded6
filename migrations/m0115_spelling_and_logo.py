"""Check the stored spelling of VAT ids, IBANs and BICs, and record changes of the logo in the audit."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from portal.database import run_script

ID = "2026-11-29T0115"
VERSION = "1.38.0"
DESCRIPTION = "spelling of bank and tax numbers, logo in the audit"

VAT_ID = "vat_id ~ '^[A-Z]{2}[A-Z0-9+*]{2,18}$'"
IBAN = "iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'"
BIC = "bic ~ '^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$'"

SQL = f"""
-- The check digits are checked by the forms (portal/fields.py); the database makes sure that one number has one spelling.
update customer set vat_id = upper(regexp_replace(vat_id, '[ .,/-]', '', 'g')) where not {VAT_ID};
update company set vat_id = upper(regexp_replace(vat_id, '[ .,/-]', '', 'g')) where not {VAT_ID};
update company set iban = upper(regexp_replace(iban, '[ -]', '', 'g')) where not {IBAN};
update company set bic = upper(regexp_replace(bic, '[ -]', '', 'g')) where not {BIC};
alter table customer add constraint customer_vat_id_canonical check ({VAT_ID});
alter table company add constraint company_vat_id_canonical check ({VAT_ID});
alter table company add constraint company_iban_canonical check ({IBAN});
alter table company add constraint company_bic_canonical check ({BIC});

-- The audit records the hash of the logo, not the picture.
create function record_logo() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.sha256 = new.sha256 then
    return null;
  end if;
  insert into audit (credential_id, address, request, what, subject_id, changes) values (
    nullif(nullif(current_setting('app.credential', true), ''), '0')::bigint,
    coalesce(current_setting('app.address', true), ''), coalesce(current_setting('app.request', true), ''),
    'logo.' || lower(tg_op), 1, jsonb_build_object('sha256', jsonb_build_array(
      case when tg_op <> 'INSERT' then encode(old.sha256, 'hex') end, case when tg_op <> 'DELETE' then encode(new.sha256, 'hex') end)));
  return null;
end $$;
create trigger recorded after insert or update or delete on logo for each row execute function record_logo();
"""  # noqa: S608 (our own conditions)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="portal", description=DESCRIPTION)
    manager.add_raw(run_script(SQL))
    return manager
