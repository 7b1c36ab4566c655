"""What secrets and people's data look like in text, Russian and English.

Each shape asks for enough of itself that ids, times, versions and numbers of tickets are let pass:
what was masked wrongly cannot be looked up, and what was not masked cannot be taken back. The
corpus in ``tests/unit/masking_corpus.py`` holds both sides.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Shape:
    """What to look for, and what stands there afterwards.

    It is looked for only where one of ``hints`` is, in a text in small letters: most lines have
    none of them, and that is known much sooner.
    """

    pattern: re.Pattern[str]
    instead: str | Callable[[re.Match[str]], str]
    hints: tuple[str, ...]


DIGITS: Final = tuple("0123456789")

# --- secrets --------------------------------------------------------------------------------

TELEGRAM_KEY: Final = r"\d{5,16}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"
TELEGRAM_PATH: Final = r"(?<=/bot)\d+(?::|%3A)[^/\s\"'<>]+"
"""A token in the address of a Bot API call, whatever its shape."""
PRIVATE_KEY: Final = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
WELL_KNOWN: Final = (
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"  # JSON web tokens
    r"|\b(?:ghp|gho|ghs|github_pat|glpat|hvs|hvb|sk|pk|rk|xox[abprs])[-_.][\w-]{16,}"
    r"|\bAKIA[A-Z0-9]{16}\b"
)
WELL_KNOWN_HINTS: Final = (
    *("eyj", "akia", "ghp", "gho", "ghs", "github_", "glpat"),
    *("hvs", "hvb", "sk", "pk", "rk", "xox"),
)
USER_INFO: Final = r"(?P<before>\b[a-z][a-z0-9+.-]{0,20}://(?:[^\s:/@]{0,64}:)?)[^\s/]{1,256}@"
"""The password of an address, or its user where nothing else is: a key, mostly."""
AUTHORIZATION: Final = r"(?i:(?P<scheme>\b(?:bearer|basic|bot)\s+))[\w.~+/=-]{12,}"
ASSIGNED: Final = (
    r"(?i:(?P<name>\b(?:[\w-]{0,30}(?:password|passwd|secret|token|api[_-]?key|signature)"
    r"|access_key|пароль)[\"']?\s*[=:]\s*))(?P<quote>[\"']?)(?!\*\*\*)[^\s\"',;&]{3,}"
)

ASSIGNED_HINTS: Final = ("passw", "secret", "token", "key", "signature", "пароль")

# --- people ---------------------------------------------------------------------------------

EMAIL: Final = r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+(?:[^\W\d_]{2,}|xn--[\w-]+)"

PHONE: Final = r"(?<![\w.])\+\d[\d\s().-]{5,18}\d"
PHONE_RUSSIAN: Final = (
    r"(?<![\w+-])(?<!\d\.)(?:"
    r"[78][\s(-]{0,3}9\d\d[\s)-]{0,3}\d{3}[\s-]?\d\d[\s-]?\d\d"
    r"|8[\s(-]{1,3}[3-8]\d\d[\s)-]{1,3}\d{3}[\s-]?\d\d[\s-]?\d\d"
    r"|8[348]\d{9}"
    r"|\([3489]\d\d\)\s?\d{3}[\s-]?\d\d[\s-]?\d\d"
    r"|9\d\d[\s-]\d{3}[\s-]\d\d[\s-]\d\d"
    r"|\d{3}-\d\d-\d\d"
    r")(?![\w-])"
)
"""Numbers without a plus, but not ids of chats and users: those have another length or a minus."""
PHONE_LOCAL: Final = (
    r"(?<![\w+-])(?<!\d\.)(?:"
    r"(?:1[-.])?\(?[2-9]\d\d\)?[-. ]?(?<=[-. )])[2-9]\d\d[-.]\d{4}"
    r"|(?:0[1-9]\d{1,3}[ -]|\(0[1-9]\d{1,3}\) ?)\d{3,4}[ -]?\d{3,4}"
    r")(?![\w-])"
)
"""As Americans and Britons write them."""
PHONE_DIGITS: Final = range(9, 16)

CARD: Final = r"(?<![\w.+-])[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\w-])"
CARD_LENGTHS: Final = {"2": (16,), "3": (15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 19)}
"""By the first digit: Mir and Mastercard, American Express and JCB, Visa, …, UnionPay, Maestro."""

CYRILLIC: Final = tuple("аеиоуыэюя")
"""Vowels: no Russian word is without."""
_HOUSE: Final = (
    r"(?:\s*,?\s*\b(?:д(?:ом)?|вл(?:адение)?)\b\.?)?\s*,?\s*\d{1,4}"
    r"(?:\s?[а-яё]\b|\s?[кс]\d{1,3})?(?:[/-]\d{1,3}\w?)?"
    r"(?:\s*,?\s*\b(?:к(?:орп(?:ус)?)?|стр(?:оение)?|кв(?:артира)?|оф(?:ис)?|под(?:ъезд)?"
    r"|эт(?:аж)?|пом(?:ещение)?)\b\.?\s*\d{1,4}\w?)*"
)
_WAY: Final = (
    r"(?:ул(?:иц[аыеу]|\b\.?)|просп(?:ект[аеу]?|\.)|пр\.|пр-т\.?|пр-кт\.?|пер(?:еул(?:ок|ке)|\.)"
    r"|шоссе|бульвар[ае]?|б-р\.?|наб(?:ережн(?:ая|ой)|\.)|площад[ьи]|проезд[ае]?|тупик[ае]?"
    r"|мкр\.?|микрорайон[ае]?|алле[яи])"
)
_CALLED: Final = (
    r"(?:(?:[а-яё-]{1,20}\s){0,2}(?:(?-i:[А-ЯЁ])|\d{1,3}(?:-\w{1,2})?\s)[а-яё0-9.-]{1,30}"
    r"(?:\s[а-яё-]{1,20})?|(?:[а-яё-]{1,30}\s?){1,2},?\s*(?=д(?:ом)?\b))"
)
"""A name has a capital letter or a number in it, or it says that a house follows."""
_CITY: Final = (
    r"(?:\b\d{6}\s*,\s*)?(?:\b(?:г(?:ород)?|пос(?:[её]лок)?|дер(?:евня)?|с(?:ело)?)\.?\s+"
    r"[а-яё-]{3,25}\s*,\s*)?"
)
ADDRESS_RUSSIAN: Final = (
    rf"(?i:{_CITY}(?:\b{_WAY}\s*{_CALLED}{_HOUSE}"
    rf"|\b(?:[а-яё][а-яё-]{{3,30}}\s){{1,2}}{_WAY}{_HOUSE}"
    rf"|\b[а-яё][а-яё-]{{3,30}}\s*,?\s*(?:д(?:ом)?\.?\s*)?\d{{1,3}}(?:\s?[а-яё]\b)?\s*,?\s*"
    rf"\bкв(?:артира)?\b\.?\s*\d{{1,4}}"
    rf"|\bд(?:ом)?\b\.?\s*\d{{1,4}}\w?\s*,?\s*кв(?:артира)?\b\.?\s*\d{{1,4}}"
    rf"(?:\s+(?:по|на)\s+{_WAY}\s+[а-яё0-9.-]{{1,30}})?))(?!\w)"
)
ADDRESS_ENGLISH: Final = (
    r"\b(?:(?:Flat|Apt|Apartment|Unit|Suite)\.?\s+\w{1,5},?\s+)?\d{1,5}[A-Za-z]?\s+"
    r"(?:[NSEW]\.?\s+)?(?:(?:[A-Z][\w'.-]{0,30}|\d{1,3}(?:st|nd|rd|th))\s+){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Square|Sq"
    r"|Place|Terrace|Crescent|Highway|Hwy|Parkway|Pkwy|Gardens|Mews)\b\.?"
    r"(?:,?\s+(?:Flat|Apt|Apartment|Unit|Suite|Ste|Floor|#)\.?\s*\w{1,5}\b)?"
    r"(?:,\s+[A-Z][\w' -]{2,25}?)?(?:,?\s+(?:[A-Z]{2}\s+\d{5}(?:-\d{4})?"
    r"|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}))?(?!\w)"
    r"|\bP\.?\s?O\.?\s+Box\s+\d{1,6}\b"
)

TITLE: Final = r"(?P<ticket>\] #\d+ \| )[^\n\"'\\]+"
"""The title of a ticket's topic ends with the client's name."""
NAME_IN_REPR: Final = (
    r"(?P<field>\b(?:first_name|last_name|full_name|client_name|username|phone_number|caption"
    r"|vcard|(?<=[( ])text)=|Person\(id=\d+, name=)(?P<q>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
)
NAME_IN_JSON: Final = (
    r"(?P<key>[\"'](?:first_name|last_name|full_name|client_name|username|phone_number|caption"
    r"|vcard|text)[\"']:\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
)


def _phone(match: re.Match[str]) -> str:
    digits = sum(sign.isdigit() for sign in match[0])
    return HIDDEN if digits in PHONE_DIGITS else match[0]


def _card(match: re.Match[str]) -> str:
    digits = [int(sign) for sign in match[0] if sign.isdigit()]
    lengths = CARD_LENGTHS[match[0][0]]
    return HIDDEN if len(digits) in lengths and luhn(digits) else match[0]


def luhn(digits: list[int]) -> bool:
    """Whether the last digit checks the others, as on every payment card."""
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])  # noqa: PLR2004
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


SECRETS: Final = (
    Shape(re.compile(PRIVATE_KEY, re.DOTALL), HIDDEN, ("-----begin",)),
    Shape(re.compile(USER_INFO), rf"\g<before>{HIDDEN}@", ("://",)),
    Shape(re.compile(f"{TELEGRAM_KEY}|{TELEGRAM_PATH}"), HIDDEN, (":", "%3a")),
    Shape(re.compile(WELL_KNOWN), HIDDEN, WELL_KNOWN_HINTS),
    Shape(re.compile(AUTHORIZATION), rf"\g<scheme>{HIDDEN}", ("bearer", "basic", "bot ")),
    Shape(re.compile(ASSIGNED), rf"\g<name>\g<quote>{HIDDEN}", ASSIGNED_HINTS),
)

PEOPLE: Final = (
    Shape(re.compile(TITLE), rf"\g<ticket>{HIDDEN}", ("] #",)),
    Shape(re.compile(NAME_IN_REPR), rf"\g<field>'{HIDDEN}'", ("='", '="')),
    Shape(re.compile(NAME_IN_JSON), rf'\g<key>"{HIDDEN}"', ('":', "':")),
    Shape(re.compile(EMAIL), HIDDEN, ("@",)),
)

WRITTEN: Final = (
    Shape(re.compile(CARD), _card, DIGITS),
    Shape(re.compile(PHONE), _phone, ("+",)),
    Shape(re.compile(f"{PHONE_RUSSIAN}|{PHONE_LOCAL}"), HIDDEN, DIGITS),
    Shape(re.compile(ADDRESS_RUSSIAN), HIDDEN, CYRILLIC),
    Shape(re.compile(ADDRESS_ENGLISH), HIDDEN, DIGITS),
)
"""What people write with spaces in it. Looked for line by line: the next line's digits are another
matter, and would make a number too long to be one."""
