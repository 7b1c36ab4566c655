"""Reads a Google service account, for the settings and for whoever signs in with it."""

import json
from pathlib import Path
from typing import Final

WANTED: Final = ("client_email", "private_key", "token_uri")
"""What signing in needs."""


def account_text(text: str) -> str:
    """A Google service account: its JSON, or the path of the file that holds it.

    Returns:
        The JSON, known to be an object with the fields that signing in needs.

    Raises:
        ValueError: What is wrong, without the value, as the end of a sentence.
    """
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise ValueError(f"is neither JSON nor a file that can be read ({why})") from None
    try:
        account = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("is not the JSON file of a service account") from None
    if not isinstance(account, dict) or (lacking := [w for w in WANTED if not account.get(w)]):
        named = ", ".join(WANTED if not isinstance(account, dict) else lacking)
        raise ValueError(f"is not the JSON file of a service account: {named} missing")
    return text
