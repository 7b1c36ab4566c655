"""What can be set, from the environment and ``.env``: checked once, at the start, all at once."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from actors.ids import ChatId, UserId
from bootstrap import parsing
from bootstrap.parsing import OFFICIAL_API, TechnicianGroup

type Language = Literal["ru", "en"]


def _text(parse: Callable[[str], Any]) -> BeforeValidator:
    """Parses text, and lets through what a program (the demo, a test) passes as a value."""

    def read(value: object) -> object:
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(read)


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "node"


class StorageSettings(BaseSettings):
    """What every command needs: where the data is and how to log."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    postgres_dsn: Annotated[SecretStr | None, _text(parsing.postgres_dsn)] = Field(
        default=None, examples=["postgresql://user:password@host:5432/topicdesk"]
    )
    postgres_host: str | None = Field(default=None, examples=["db.example.org"])
    postgres_port: int = Field(default=5432, ge=1, le=65535)
    postgres_user: str = "topicdesk"
    postgres_password: SecretStr | None = Field(default=None, examples=["a password"])
    postgres_db: str = "topicdesk"
    postgres_pool_size: int = Field(default=20, ge=2, le=500)
    postgres_pool_overflow: int = Field(default=10, ge=0, le=500)

    redis_url: Annotated[SecretStr | None, _text(parsing.redis_url)] = Field(
        default=None, examples=["redis://:password@host:6379/0"]
    )
    redis_host: str | None = Field(default=None, examples=["redis.example.org"])
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: SecretStr | None = Field(default=None, examples=["a password"])
    redis_db: int = Field(default=0, ge=0)

    vault_addr: Annotated[str | None, _text(parsing.http_url)] = Field(
        default=None, examples=["https://vault.example.org:8200"]
    )
    vault_path: Annotated[str | None, _text(parsing.vault_path)] = Field(
        default=None, examples=["secret/topicdesk"]
    )
    vault_role_id: str | None = Field(default=None, examples=["the role id of an AppRole"])
    vault_secret_id: SecretStr | None = Field(default=None, examples=["its secret id"])
    vault_token: SecretStr | None = Field(default=None, examples=["a token"])

    data_dir: Path = Path("data")
    node_name: Annotated[str, _text(parsing.node_name)] = Field(
        default_factory=_host_name, examples=["desk-1"]
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _text(str.upper)] = "INFO"
    log_format: Annotated[Literal["auto", "json", "console"], _text(str.lower)] = "auto"
    sentry_dsn: Annotated[SecretStr | None, _text(parsing.sentry_dsn)] = Field(
        default=None, examples=["https://key@sentry.example.org/4"]
    )
    otel_exporter_otlp_endpoint: Annotated[str | None, _text(parsing.http_url)] = Field(
        default=None, examples=["http://127.0.0.1:4318"]
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what :mod:`bootstrap.settings` (or a program) hands in; no more."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @field_validator("postgres_host", "redis_host")
    @classmethod
    def _one_way_to_name_a_server(cls, host: str | None, info: ValidationInfo) -> str | None:
        whole = "postgres_dsn" if info.field_name == "postgres_host" else "redis_url"
        if host is not None and info.data.get(whole) is not None:
            raise ValueError(f"is set beside {whole.upper()}; keep one of the two")
        return host

    @field_validator("postgres_password", "redis_password")
    @classmethod
    def _password_of_some_server(
        cls, password: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        service = str(info.field_name).removesuffix("_password")
        named = (f"{service}_host", "postgres_dsn" if service == "postgres" else "redis_url")
        known = [info.data.get(name, "wrong") for name in named]  # absent: reported already
        if password is not None and not any(known):
            raise ValueError(f"is set, but neither {named[0].upper()} nor {named[1].upper()}")
        return password

    @property
    def database(self) -> SecretStr | None:
        """The DSN of an external Postgres for SQLAlchemy; ``None``: the embedded one."""
        if self.postgres_dsn is not None or self.postgres_host is None:
            return self.postgres_dsn
        password = self.postgres_password.get_secret_value() if self.postgres_password else ""
        return SecretStr(
            parsing.postgres_parts(
                self.postgres_host,
                self.postgres_port,
                self.postgres_user,
                password,
                self.postgres_db,
            )
        )

    @property
    def redis(self) -> SecretStr | None:
        """The URL of an external Redis or Valkey; ``None``: the embedded one."""
        if self.redis_url is not None or self.redis_host is None:
            return self.redis_url
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        return SecretStr(
            parsing.redis_parts(self.redis_host, self.redis_port, password, self.redis_db)
        )

    def secrets(self) -> Iterator[str]:
        """Every secret in clear, for the mask of the logs."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                yield from parsing.secret_parts(value.get_secret_value())


class Settings(StorageSettings):
    """All that the helpdesk itself needs."""

    telegram_api_url: Annotated[str, _text(parsing.http_url)] = Field(
        default=OFFICIAL_API, examples=["http://127.0.0.1:8081"]
    )
    bot_token: SecretStr = Field(examples=["123456789:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"])
    helper_bot_tokens: SecretStr | None = Field(
        default=None, examples=["123456790:AbC...,123456791:DeF..."]
    )
    webhook_url: str | None = Field(default=None, examples=["https://desk.example.org"])
    webhook_secret: Annotated[SecretStr | None, _text(parsing.webhook_secret)] = Field(
        default=None, examples=["the output of: openssl rand -hex 32"]
    )
    main_group_id: Annotated[tuple[ChatId, ...], _text(parsing.supergroup_ids)] = Field(
        examples=["-1001234567890", "[-1001234567890, -1001234567899]"], min_length=1
    )
    tech_groups_mapping: Annotated[tuple[TechnicianGroup, ...], _text(parsing.technicians)] = Field(
        default=(),
        examples=[
            '{"alice": {"chat_id": -1001234567891, "user_id": 123456}, "bob": -1001234567892}'
        ],
    )
    admin_ids: Annotated[tuple[UserId, ...], _text(parsing.user_ids)] = Field(
        default=(), examples=["123456,234567"]
    )

    sheets_creds: Annotated[SecretStr | None, _text(parsing.service_account)] = Field(
        default=None, examples=["/run/secrets/service-account.json"]
    )
    sheets_id: Annotated[str | None, _text(parsing.sheet_id)] = Field(
        default=None, examples=["https://docs.google.com/spreadsheets/d/1AbC.../edit"]
    )

    http_bind: Annotated[str, _text(parsing.http_bind)] = Field(
        default="127.0.0.1:8080", examples=["0.0.0.0:8080"]
    )
    webhook_bind: Annotated[str | None, _text(parsing.http_bind)] = Field(
        default=None, examples=["0.0.0.0:8090"]
    )
    status_token: Annotated[SecretStr | None, _text(parsing.status_token)] = Field(
        default=None, examples=["the output of: openssl rand -hex 32"]
    )
    status_users: Annotated[SecretStr | None, _text(parsing.status_users)] = Field(
        default=None,
        examples=[
            '{"olga": {"role": "operator", "password": "the output of: topicdesk password"}}'
        ],
    )
    language: Annotated[Language, _text(str.lower)] = "ru"

    pace_bot_per_s: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    pace_private_per_s: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    pace_private_burst: int = Field(default=3, ge=1, le=100)
    pace_group_per_min: float = Field(default=20.0, ge=0, allow_inf_nan=False)
    receipt_reactions: Annotated[Literal["on", "off"], _text(str.lower)] = "on"

    @field_validator("bot_token")
    @classmethod
    def _token_of_this_server(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        parsing.bot_token(token.get_secret_value(), official=_is_official(info))
        return token

    @field_validator("helper_bot_tokens")
    @classmethod
    def _tokens_of_other_bots(
        cls, tokens: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if tokens is not None:
            main = info.data.get("bot_token")
            own = None if main is None else main.get_secret_value()
            official = _is_official(info)
            parsing.helper_tokens(tokens.get_secret_value(), own, official=official)
        return tokens

    @field_validator("webhook_url")
    @classmethod
    def _reachable_webhook(cls, url: str | None, info: ValidationInfo) -> str | None:
        return None if url is None else parsing.webhook_url(url, official=_is_official(info))

    @field_validator("webhook_secret")
    @classmethod
    def _secret_of_the_webhook(
        cls, secret: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if secret is None and info.data.get("webhook_url", "wrong") is not None:
            raise ValueError("is not set, but WEBHOOK_URL is: only it tells Telegram from others")
        return secret

    @field_validator("tech_groups_mapping")
    @classmethod
    def _groups_of_their_own(
        cls, groups: tuple[TechnicianGroup, ...], info: ValidationInfo
    ) -> tuple[TechnicianGroup, ...]:
        for group in groups:
            if group.chat_id in info.data.get("main_group_id", ()):
                raise ValueError(f'entry "{group.name}": is a main group itself')
        return groups

    @field_validator("sheets_id")
    @classmethod
    def _sheet_and_key(cls, sheet: str | None, info: ValidationInfo) -> str | None:
        creds = info.data.get("sheets_creds", "wrong")
        if sheet is None and creds is not None and creds != "wrong":
            raise ValueError("is not set, but SHEETS_CREDS is")
        if sheet is not None and creds is None:
            raise ValueError("is set, but SHEETS_CREDS is not")
        return sheet

    @property
    def helper_tokens(self) -> tuple[SecretStr, ...]:
        """The tokens of the helper bots, in their order."""
        if self.helper_bot_tokens is None:
            return ()
        tokens = parsing.token_list(self.helper_bot_tokens.get_secret_value())
        return tuple(SecretStr(token) for token in tokens)

    @property
    def is_official_api(self) -> bool:
        """Whether the bot talks to Telegram's own servers."""
        return self.telegram_api_url == OFFICIAL_API

    @property
    def webhook_endpoint(self) -> SecretStr | None:
        """The address to give to Telegram; it holds the secret. ``None``: long polling."""
        if self.webhook_url is None or self.webhook_secret is None:
            return None
        return SecretStr(f"{self.webhook_url}/webhook/{self.webhook_secret.get_secret_value()}")


def _is_official(info: ValidationInfo) -> bool:
    return bool(info.data.get("telegram_api_url", OFFICIAL_API) == OFFICIAL_API)
