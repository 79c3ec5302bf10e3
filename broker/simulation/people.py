"""
People who do not exist, with the names, numbers and addresses that real systems stumble over.

NHS numbers come from the range that is never issued (999), phones from the ranges that Ofcom keeps
for fiction, postcodes from an area that does not exist, and everything from one seeded generator.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

NO_FIXED_ABODE: Final = "ZZ99 3VZ"
"""The NHS postcode of a person without one."""

GIVEN: Final = (
    *("Aled", "Amara", "Angharad", "Bethan", "Callum", "Dafydd", "Devika", "Ewan", "Farah"),
    *("Gwenllian", "Hollie", "Iestyn", "Jerome", "Kezia", "Llŷr", "Maïa", "Nkechi", "Oisín"),
    *("Priya", "Rhŷs", "Siân", "Tomasz", "Una", "Wojciech", "Yusuf", "Zoë", "ليلى", "נועה"),
)
FAMILY: Final = (
    *("Abernathy-Cole", "Blackthornley", "Cŵmdare", "D'Argyleson", "Eastwickham", "Fennimere"),
    *("Glynŵr-Test", "Harrowgately", "Inglewhite", "Kestrelby", "Llanwŷddyn", "Marchbanksy"),
    *("Nettlefoldy", "O'Brannigan", "Pettigrewson", "Quillfeather", "Ŵyn-Hâfod", "Sandringley"),
    *("Thistlewick", "Underhay", "Vantongeren", "Wrexley", "الحلبيّ", "Zelenskýnová"),
)
STREETS: Final = (
    *("Foundry Lane", "Canal Street", "Heol y Bryn", "St Swithun's Road", "Mill Race Court"),
    *("Old Tannery Way", "Ffordd Ŵyddgrug", "Market Parade", "Rookery Close", "Station Approach"),
)
TOWNS: Final = ("Northvale", "Midshire Spa", "Castle Wharfe", "Little Ambleford", "Llandewi Vale")
DESCRIPTIONS: Final = (
    "white man, about 40, grey beard, red waterproof jacket, one shoe",
    "woman, about 25, shaved head, hospital band on left wrist, will not give a name",
    "young man, about 20, soaking wet, speaks only in song lyrics",
    "older man, about 70, dressing gown, calls himself the stationmaster",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    An invented person.

    Attributes:
        nhs_number: Ten digits of the 999 range; wrong check digit where `nhs_number_ok` is false.
        born: Date of birth.
    """

    given: str
    family: str
    nhs_number: str
    nhs_number_ok: bool
    born: date
    phone: str
    lines: tuple[str, ...]
    postcode: str
    latitude: float
    longitude: float


def invent_person(rng: Random, today: date) -> Person:
    """Invent an adult; about one NHS number in eight fails its check."""
    number, is_ok = nhs_number(rng, wrong=rng.random() < 0.125)
    street = f"{rng.randint(1, 240)} {rng.choice(STREETS)}"
    flat = (f"Flat {rng.randint(1, 40)}",) if rng.random() < 0.35 else ()
    return Person(
        given=rng.choice(GIVEN),
        family=rng.choice(FAMILY),
        nhs_number=number,
        nhs_number_ok=is_ok,
        born=today - timedelta(days=rng.randint(18 * 366, 90 * 365)),
        phone=phone(rng),
        lines=(*flat, street, rng.choice(TOWNS)),
        postcode=f"ZZ{rng.randint(1, 9)} {rng.randint(1, 9)}{rng.choice('ABDEFG')}{rng.choice('HJLNPQ')}",
        latitude=round(rng.uniform(52.4, 53.1), 5),
        longitude=round(rng.uniform(-2.4, -1.3), 5),
    )


def nhs_number(rng: Random, *, wrong: bool = False) -> tuple[str, bool]:
    """
    Make an NHS number that is never issued to anybody.

    Args:
        rng: Where chance comes from.
        wrong: Give it a check digit that does not fit.

    Returns:
        The ten digits, and whether the check digit fits.
    """
    check = 10
    while check == 10:  # a number whose check would be 10 does not exist
        digits = f"999{rng.randint(0, 999_999):06d}"
        total = sum(int(digit) * (10 - place) for place, digit in enumerate(digits))
        check = (11 - total % 11) % 11
    return f"{digits}{(check + wrong) % 10}", not wrong


def phone(rng: Random) -> str:
    """Make a telephone number from the ranges kept for fiction."""
    ranges = ("07700 900{:03d}", "01632 960{:03d}", "020 7946 0{:03d}")
    return rng.choice(ranges).format(rng.randint(0, 999))
