"""From the text of a setting to its value; a ``ValueError`` says what is wrong, never the value."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from actors.ids import ChatId, UserId
from storage import addresses, redis_address
from storage.addresses import PORT_MAX
from storage.postgres_address import postgres_address
from storage.sheets_account import account_text
from web.passwords import read_hash

OFFICIAL_API: Final = "https://api.telegram.org"

SUPERGROUP_MAX: Final = -1_000_000_000_001
"""Ids of supergroups are -100 followed by at least ten digits."""

USER_ID_MAX: Final = 2**52
"""Telegram promises that users' ids fit into 52 bits."""

HELPERS_MAX: Final = 19
"""Beside the main bot: Telegram lets 20 bots into a group."""

NAME_LENGTH_MAX: Final = 64
"""A technician's name stands on a button and in titles of 128 characters."""

WEBHOOK_PORTS: Final = frozenset({443, 80, 88, 8443})
"""Where Telegram's own servers deliver to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicianGroup:
    """A technician as configured; ``user_id`` is ``None`` where only the group is known."""

    name: str
    chat_id: ChatId
    user_id: UserId | None = None


def bot_token(text: str, *, official: bool) -> str:
    shape = r"\d{5,}:[A-Za-z0-9_-]{35}" if official else r"\d+:[A-Za-z0-9_-]+"
    if not re.fullmatch(shape, text):
        raise ValueError("does not look like a token from @BotFather: digits, a colon, 35 signs")
    return text


def token_list(text: str) -> tuple[str, ...]:
    """Tokens as a JSON list, or separated by commas or spaces."""
    return tuple(re.findall(r"[^\s,;\"\[\]]+", text))


def helper_tokens(text: str, main: str | None, *, official: bool) -> tuple[str, ...]:
    """The helper bots' tokens, each of another bot, none of them the main one's.

    A bot is named by its position: a token never stands in an error.
    """
    tokens = token_list(text)
    bots = [] if main is None else [main.partition(":")[0]]
    if not tokens:
        raise ValueError("names no bot")
    if len(tokens) > HELPERS_MAX:
        raise ValueError(f"names more than {HELPERS_MAX} bots, all that a group has room for")
    for position, token in enumerate(tokens, start=1):
        try:
            bot_token(token, official=official)
        except ValueError as error:
            raise ValueError(f"entry {position} {error}") from None
        bot = token.partition(":")[0]
        if main is not None and bot == bots[0]:
            raise ValueError(f"entry {position} is the bot of BOT_TOKEN itself")
        if bot in bots:
            raise ValueError(f"entry {position} is a bot that stands there already")
        bots.append(bot)
    return tokens


def supergroup_id(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ValueError("must be a number") from None
    return check_supergroup_id(number)


def supergroup_ids(text: str) -> tuple[ChatId, ...]:
    """One id, or a JSON list of them."""
    if not text.lstrip().startswith("["):
        return (ChatId(supergroup_id(text)),)
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON list of ids: {error.msg} (column {error.colno})") from None
    if not entries:
        raise ValueError("names no group")
    found: list[ChatId] = []
    for position, entry in enumerate(entries, start=1):
        if type(entry) is not int:
            raise ValueError(f"entry {position} must be a number")
        if entry in found:
            raise ValueError(f"entry {position} stands there twice")
        try:
            found.append(ChatId(check_supergroup_id(entry)))
        except ValueError as error:
            raise ValueError(f"entry {position} {error}") from None
    return tuple(found)


def check_supergroup_id(number: int) -> int:
    if number > 0:
        raise ValueError("must be a group's id, which is negative: this is a person's")
    if number > SUPERGROUP_MAX:
        raise ValueError(
            "must begin with -100: this is a plain group's id; turn on Topics in the group, "
            "then it gets a new one"
        )
    return number


def user_ids(text: str) -> tuple[UserId, ...]:
    """Numbers, separated by commas or spaces."""
    ids: list[UserId] = []
    for position, part in enumerate(re.split(r"[,;\s]+", text.strip(" ,;[]")), start=1):
        if not re.fullmatch(r"\d+", part) or not 0 < int(part) < USER_ID_MAX:
            raise ValueError(f"entry {position} is not a person's id, a positive number")
        ids.append(UserId(int(part)))
    return tuple(dict.fromkeys(ids))


def technicians(text: str) -> tuple[TechnicianGroup, ...]:
    """The JSON of ``TECH_GROUPS_MAPPING``; all of its mistakes at once, each with its entry."""
    mistakes: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        mistakes.extend(
            f'"{name}" stands there twice' for name in dict.fromkeys(names) if names.count(name) > 1
        )
        return dict(items)

    try:
        entries = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    if not isinstance(entries, dict):
        raise ValueError("must be a JSON object: names with groups")  # noqa: TRY004 - a report
    found: list[TechnicianGroup] = []
    for name, entry in entries.items():
        try:
            found.append(_technician(name, entry))
        except ValueError as error:
            mistakes.append(f'entry "{name}": {error}')
    owners: dict[ChatId, str] = {}
    for group in found:
        first = owners.setdefault(group.chat_id, group.name)
        if first != group.name:
            mistakes.append(f'entry "{group.name}": has the same group as "{first}"')
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return tuple(found)


def _technician(name: str, entry: object) -> TechnicianGroup:
    if not name.strip() or len(name) > NAME_LENGTH_MAX:
        raise ValueError(f"the name must have 1 to {NAME_LENGTH_MAX} characters")
    fields = entry if isinstance(entry, dict) else {"chat_id": entry}
    if unknown := sorted(set(fields) - {"chat_id", "user_id"}):
        raise ValueError(f"has unknown fields: {', '.join(map(str, unknown))}")
    chat_id, user_id = fields.get("chat_id"), fields.get("user_id")
    if type(chat_id) is not int:
        raise ValueError("chat_id must be a number")
    try:
        check_supergroup_id(chat_id)
    except ValueError as error:
        raise ValueError(f"chat_id {error}") from None
    if user_id is not None and (type(user_id) is not int or not 0 < user_id < USER_ID_MAX):
        raise ValueError("user_id must be a person's id, a positive number")
    return TechnicianGroup(
        name=name.strip(),
        chat_id=ChatId(chat_id),
        user_id=None if user_id is None else UserId(user_id),
    )


def _url(text: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - raises for what is no port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{name}://' for name in schemes)}")
    return url


def http_url(text: str) -> str:
    """A base URL, returned without the slash at its end."""
    url = _url(text, ("http", "https"))
    if not url.hostname:
        raise ValueError("names no host")
    if url.query or url.fragment or url.username:
        raise ValueError("must be a plain address, without user, ? or #")
    return text.rstrip("/")


def sentry_dsn(text: str) -> str:
    """An address of a project in Sentry: its key, the host, its number."""
    url = _url(text, ("http", "https"))
    if not url.hostname or not url.username:
        raise ValueError("must be of the form https://key@host/number, as Sentry shows it")
    if not url.path.rpartition("/")[2].isdecimal():
        raise ValueError("must end with the number of the project")
    return text


def webhook_url(text: str, *, official: bool) -> str:
    """Telegram's own servers deliver by https to four ports; a local Bot API server anywhere."""
    url = urlsplit(http_url(text))
    if official and url.scheme != "https":
        raise ValueError("must begin with https://: Telegram delivers to nothing else")
    if official and (url.port or 443) not in WEBHOOK_PORTS:
        raise ValueError("has a port that Telegram does not deliver to: 443, 80, 88 or 8443")
    return text.rstrip("/")


def webhook_secret(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", text):
        raise ValueError("must be 16 to 256 of the signs A-Z a-z 0-9 _ -")
    return text


def status_token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,256}", text):
        raise ValueError("must be 16 to 256 visible ASCII signs, without spaces")
    return text


STATUS_ROLES: Final = frozenset({"viewer", "operator"})

STATUS_NAMES_TAKEN: Final = frozenset({"operator", "local"})
"""In the log these are whoever knows STATUS_TOKEN, and whoever sits at the machine."""

STATUS_USERS_MAX: Final = 100


def status_users(text: str) -> str:
    """The JSON as it is: names, roles and hashes are in order."""
    try:
        users = json.loads(text)
    except ValueError:
        raise ValueError("must be JSON: names with role and password") from None
    if not isinstance(users, dict) or not 0 < len(users) <= STATUS_USERS_MAX:
        raise ValueError("must be a JSON object of 1 to 100 names with role and password")
    for name, about in users.items():
        if not re.fullmatch(r"[\w.@-]{1,64}", name) or name in STATUS_NAMES_TAKEN:
            raise ValueError("has a name that is taken or is not of 1-64 letters, digits, . @ _ -")
        if not isinstance(about, dict) or set(about) != {"role", "password"}:
            raise ValueError(f'entry "{name}": needs role and password, and nothing else')
        if about["role"] not in STATUS_ROLES:
            raise ValueError(f'entry "{name}": role must be viewer or operator')
        try:
            read_hash(str(about["password"]))
        except ValueError as error:
            raise ValueError(f'entry "{name}": password {error}') from None
    return text


postgres_dsn: Final = postgres_address
"""A DSN as hosting companies print it, made one for SQLAlchemy with asyncpg."""


def postgres_parts(host: str, port: int, user: str, password: str, database: str) -> str:
    """The DSN for what stands in ``POSTGRES_HOST|PORT|USER|PASSWORD|DB``."""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    database = quote(database, safe="")
    if host.startswith("/"):
        return f"postgresql+asyncpg://{login}@/{database}?host={quote(host)}&port={port}"
    return f"postgresql+asyncpg://{login}@{_bracketed(host)}:{port}/{database}"


def redis_url(text: str) -> str:
    """The address of one server, of sentinels or of a cluster."""
    if redis_address.parse(text) is not text:
        return text
    url = _url(text, redis_address.SINGLE)
    if url.scheme == "unix" and not url.path:
        raise ValueError("names no socket")
    return text


def redis_parts(host: str, port: int, password: str, database: int) -> str:
    """The URL for what stands in ``REDIS_HOST|PORT|PASSWORD|DB``."""
    login = f":{quote(password, safe='')}@" if password else ""
    if host.startswith("/"):
        return f"unix://{login}{quote(host)}?db={database}"
    return f"redis://{login}{_bracketed(host)}:{port}/{database}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def http_bind(text: str) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", text)
    if found is None or int(found[2]) > PORT_MAX:
        raise ValueError("must be an address and a port")
    return text


def vault_path(text: str) -> str:
    """The engine's name, then the secret's, as in ``secret/topicdesk``."""
    plain = text.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+", plain):
        raise ValueError("must be the engine's name and the secret's, with a slash between")
    return plain


def node_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("must be 1 to 64 of the signs A-Z a-z 0-9 . _ -")
    return text


def sheet_id(text: str) -> str:
    """The id, also out of the address that the browser shows."""
    found = re.search(r"/spreadsheets/d/([A-Za-z0-9_-]+)", text)
    plain = found[1] if found else text
    if not re.fullmatch(r"[A-Za-z0-9_-]{20,}", plain):
        raise ValueError("is neither a sheet's id nor its address")
    return plain


service_account: Final = account_text
"""A Google service account: its JSON, or the path of the file that holds it."""


def secret_parts(secret: str) -> tuple[str, ...]:
    """A secret, and those inside it: a URL's password, the halves of a token, a private key."""
    parts = [secret]
    if "://" in secret:
        parts += _url_secrets(secret)
        if secret.startswith("http"):  # Sentry's: its key stands where a user would
            parts.append(urlsplit(secret).username or "")
    if "://" not in secret and re.match(r"[\[\s\"]*\d+:\S", secret):
        tokens = token_list(secret)
        parts += [*tokens, *(token.partition(":")[2] for token in tokens)]
    if secret.lstrip().startswith("{"):
        account = json.loads(secret)
        parts += [
            str(account[name]) for name in ("private_key", "private_key_id") if name in account
        ]
    return tuple(part for part in dict.fromkeys(parts) if part)


def _url_secrets(secret: str) -> list[str]:
    try:
        url = addresses.split(secret)
    except ValueError:
        password = urlsplit(secret).password or ""
        return [password, unquote(password)]
    written = url.login.partition(":")[2]
    others = [value for name, value in parse_qsl(url.query) if name == redis_address.OPTION]
    return [written, url.password, *others]
