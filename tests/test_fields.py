"""Test how the values of form fields are read and refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import fields
from portal.errors import Invalid
from portal.fields import Checked
from portal.mailboxes import for_mail
from portal.visible import visible


@pytest.mark.parametrize(
    "typed",
    """DE100000008 ATU10990695 BE0815712491 BG191239662 CY19234540O CZ47093013 DK39090775 EE501361594 EL895837291 ESA31807415 FI67379940
    FR34977981232 HR79039824701 HU27102325 IE1379574D IE0771263VA IT70622080433 LT595390014 LU09354405 LV88262695161 MT95260886
    NL371204033B01 PL1047827264 PT291104746 RO43343460 SE638583895501 SI19492847 SK1670120089 XI921513162 XIGD001 GB534159057 GBGD001
    CHE966487494 CHE648539080MWST NO948854171 NO747682674MVA US123456789""".split(),
)
def test_vat_ids_of_every_form_are_taken(typed: str) -> None:
    assert fields.vat_id(typed) == typed


@pytest.mark.parametrize(
    "typed",
    [
        " de 100.000-008 ",
        "DE\u00a0100\u202f000\u2011008",
        "\uff24\uff25\uff11\uff10\uff10000008",
        "DE1000\u200b00008\u202e",
    ],
)
def test_a_vat_id_has_one_spelling(typed: str) -> None:
    assert fields.vat_id(typed) == "DE100000008"


@pytest.mark.parametrize(
    "typed",
    ["de02 1203 0000 0000 2020 51", "DE02\u00a01203-0000-0000\u200b202051", "\uff24E02120300000000202051"],
)
def test_an_iban_has_one_spelling(typed: str) -> None:
    assert fields.iban(typed) == "DE02120300000000202051"


def test_a_name_has_one_spelling() -> None:
    """Names are stored in one Unicode normal form, so that names of customers that look equal are equal."""
    assert fields.line(" Bu\u0308ro  Nord ") == "B\u00fcro Nord"


def test_numbers_are_read_whichever_digits_and_dashes_were_pasted() -> None:
    assert fields.phone("\uff0b49\u00a040\u2011555 0148") == "+49 40-555 0148"
    assert fields.whole(1, 99)("\uff11\uff12") == 12
    assert fields.day("2026\u201011\u201020") == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("811907980", "country's letters first"),
        ("DE81190798", "begins with DE looks different"),
        ("DE100000007", "begins with DE looks different"),
        ("GR123456789", "begins with EL"),
        ("CH123456789", "begins with CHE"),
        ("DE", "country's letters first"),
        ("ATU1234567\u0668", "country's letters first"),
    ],
)
def test_other_vat_ids_are_refused(typed: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fields.vat_id(typed)


def test_an_iban_needs_the_right_check_digits() -> None:
    assert fields.iban("de02 1203 0000 0000 2020 51") == "DE02120300000000202051"
    assert fields.iban("GB82 WEST 1234 5698 7654 32") == "GB82WEST12345698765432"
    for wrong in ("DE02120300000000202052", "DE20120300000000202051", "DE03120300000000202051"):
        with pytest.raises(ValueError, match="typing error"):
            fields.iban(wrong)
    with pytest.raises(ValueError, match="country's letters first"):
        fields.iban("1203 0000")


@pytest.mark.parametrize("typed", ["BYLADEM1001", "byla de m1", "MARKDEFF"])
def test_a_bic_has_8_or_11_characters(typed: str) -> None:
    assert len(fields.bic(typed)) in (8, 11)


def test_what_is_no_bic_is_refused() -> None:
    with pytest.raises(ValueError, match="BIC"):
        fields.bic("BYLADEM100")


@pytest.mark.parametrize(
    ("typed", "stored", "mailed"),
    [
        (" ada@acme.example ", "ada@acme.example", "ada@acme.example"),
        ("Ada.B+c@Mail.ACME.example", "ada.b+c@mail.acme.example", "ada.b+c@mail.acme.example"),
        ("zoe@acme.example\u200b", "zoe@acme.example", "zoe@acme.example"),
        ("zoe@\u202eacme.example", "zoe@acme.example", "zoe@acme.example"),
        ("zo\u00ade@acme.example", "zoe@acme.example", "zoe@acme.example"),
        ("zoe\u0001@acme.example", "zoe@acme.example", "zoe@acme.example"),
        ("zoe@acme\uff0eexample", "zoe@acme.example", "zoe@acme.example"),
        ("zoe\uff20acme.example", "zoe@acme.example", "zoe@acme.example"),
        ("uwe@gr\u00fcn.example", "uwe@gr\u00fcn.example", "uwe@xn--grn-ioa.example"),
        ("uwe@GRU\u0308N.example", "uwe@gr\u00fcn.example", "uwe@xn--grn-ioa.example"),
        ("uwe@xn--grn-ioa.example", "uwe@gr\u00fcn.example", "uwe@xn--grn-ioa.example"),
        ("j\u00fcrgen@stra\u00dfe.example", "j\u00fcrgen@stra\u00dfe.example", "j\u00fcrgen@xn--strae-oqa.example"),
        ("ju\u0308rgen@acme.example", "j\u00fcrgen@acme.example", "j\u00fcrgen@acme.example"),
        ("ada@mail.local", "ada@mail.local", "ada@mail.local"),
    ],
)
def test_an_address_has_one_spelling(typed: str, stored: str, mailed: str) -> None:
    assert fields.email(typed) == stored
    assert for_mail(stored) == mailed
    assert fields.email(mailed) == stored


@given(st.text(max_size=12), st.sampled_from(["@", "\uff20"]), st.text(max_size=12))
def test_what_is_taken_is_its_own_spelling(name: str, at: str, host: str) -> None:
    """R51: a typed mail address is stored in its canonical spelling or refused with an error message."""
    checked = Checked()
    stored = checked("email", fields.email, f"{name}{at}{host}.example")
    if checked.errors:
        assert checked.errors == {"email": "Write one mail address, such as name@company.example."}
    else:
        assert fields.email(stored) == stored
        assert for_mail(stored).rpartition("@")[2].isascii()


@pytest.mark.parametrize(
    "typed",
    ["", "ada", "@acme.example", "ada@", "ada@@acme.example", "a b@acme.example", "Ada <ada@acme.example>", "a@b.example,c@d.example",
     "ada@acme.example\r\nBcc: x@y.example", "ada@acme\n.example",
     "a\u200db@acme.example", "a\u034fb@acme.example", "a@xn--zz.example", "ada@.example", "x" * 250 + "@acme.example"],
)  # fmt: skip
def test_what_is_not_one_mailbox_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="Write one mail address"):
        fields.email(typed)


def test_a_text_that_only_begins_with_an_address_is_no_address() -> None:
    with pytest.raises(ValueError, match="Write one mail address"):
        fields.email("ines@desk.example" + " " * 500 + "x")


def test_a_form_is_refused_with_all_that_is_wrong_at_once() -> None:
    checked = Checked()
    assert checked("name", fields.line, "  Halden \n IT ") == "Halden IT"
    checked("street", fields.line, "  ")
    checked("days", fields.whole(0, 365, "days"), "-1")
    checked("on", fields.day, "2026-02-30")
    checked("end", fields.optional(fields.day), "")
    with pytest.raises(Invalid) as refusal:
        checked.done()
    assert refusal.value.fields == {
        "street": "Fill this in.",
        "days": "Write a whole number from 0 to 365 days.",
        "on": "Write a date as year, month and day, such as 2026-11-20.",
    }


@pytest.mark.parametrize(
    "typed", ["1500", "000000000001500", "0000000000019999999", "1" * 400, "\u0661", "1.5", "", "-1"]
)
def test_what_is_no_whole_number_of_its_range_is_refused(typed: str) -> None:
    """R50: a number outside its range is refused, even if leading zeros make it longer than usual."""
    with pytest.raises(ValueError, match="from 0 to 365 days"):
        fields.whole(0, 365, "days")(typed)


def test_what_nobody_sees_is_no_part_of_a_text() -> None:
    """R51, R54: invisible characters are removed from typed texts.

    A bidirectional control character could make a line read differently from what is stored.
    """
    assert visible("re\u202ecod\u2066ed\x07\u200b\n\u2028a\u00a0b") == "recoded\n a b"
    assert fields.line(" Acme \u202e GmbH\x00\n\u2029Berlin ") == "Acme GmbH Berlin"
    with pytest.raises(ValueError, match="Fill this in"):
        fields.line("\u200b\u202e")
