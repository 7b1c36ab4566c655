"""The tokens of helper bots: in what forms they may come, what is refused, what stays secret."""

from pathlib import Path

import pytest

from bootstrap.masking import Mask
from bootstrap.settings import Settings, SettingsError, load_settings

OFFICIAL = "Aa0_-" * 7
MAIN, FIRST, SECOND = f"11111:{OFFICIAL}", f"22222:{OFFICIAL}", f"33333:{OFFICIAL[::-1]}"

NEEDED = {"BOT_TOKEN": MAIN, "MAIN_GROUP_ID": "-1001234567890"}


def loaded(**more: str) -> Settings:
    return load_settings({**NEEDED, **more}, None)


def tokens(settings: Settings) -> list[str]:
    return [token.get_secret_value() for token in settings.helper_tokens]


@pytest.mark.parametrize(
    "text", [f"{FIRST},{SECOND}", f'["{FIRST}", "{SECOND}"]', f" {FIRST}\n{SECOND} "]
)
def test_tokens_come_as_a_list_or_with_commas(text: str) -> None:
    assert tokens(loaded(HELPER_BOT_TOKENS=text)) == [FIRST, SECOND]


def test_without_the_setting_there_are_no_helpers() -> None:
    assert tokens(loaded()) == []
    assert tokens(loaded(HELPER_BOT_TOKENS="")) == []


def test_they_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"{FIRST}\n{SECOND}\n", encoding="utf-8")
    settings = loaded(HELPER_BOT_TOKENS_FILE=str(tmp_path / "tokens"))
    assert tokens(settings) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{FIRST},nonsense", "entry 2 does not look like a token"),
        (f"{FIRST},{FIRST}", "entry 2 is a bot that stands there already"),
        (f"{FIRST},{MAIN}", "entry 2 is the bot of BOT_TOKEN itself"),
        ("[]", "names no bot"),
        (",".join(f"{number}:{OFFICIAL}" for number in range(50_000, 50_020)), "more than 19"),
    ],
)
def test_what_is_wrong_is_said_without_any_token(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(HELPER_BOT_TOKENS=text)
    assert problem in str(caught.value)
    assert OFFICIAL not in str(caught.value)


@pytest.mark.parametrize("text", [f"{FIRST},{SECOND}", f'["{FIRST}", "{SECOND}"]'])
def test_the_mask_hides_each_of_them_whole_and_in_halves(text: str) -> None:
    mask = Mask(loaded(HELPER_BOT_TOKENS=text).secrets())
    for secret in (FIRST, SECOND, SECOND.partition(":")[2]):
        assert secret not in mask.text(f"GET /bot{secret}/x and {secret}.")
