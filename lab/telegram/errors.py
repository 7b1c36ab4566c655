"""What the Bot API says when it says no: Telegram's own codes and words."""

from collections.abc import Mapping


class ApiError(Exception):
    """A refusal; ``parameters`` carries ``retry_after`` or ``migrate_to_chat_id``."""

    def __init__(
        self, code: int, description: str, parameters: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> dict[str, object]:
        answer: dict[str, object] = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        if self.parameters:
            answer["parameters"] = dict(self.parameters)
        return answer


def bad_request(text: str) -> ApiError:
    return ApiError(400, f"Bad Request: {text}")


def forbidden(text: str) -> ApiError:
    return ApiError(403, f"Forbidden: {text}")


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized")


def conflict(text: str) -> ApiError:
    return ApiError(409, f"Conflict: {text}")


def too_many_requests(retry_after_s: int) -> ApiError:
    return ApiError(
        429, f"Too Many Requests: retry after {retry_after_s}", {"retry_after": retry_after_s}
    )


def migrated(chat_id: int) -> ApiError:
    return ApiError(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": chat_id},
    )


def chat_not_found() -> ApiError:
    return bad_request("chat not found")


def thread_not_found() -> ApiError:
    return bad_request("message thread not found")


def query_too_old() -> ApiError:
    return bad_request("query is too old and response timeout expired or query ID is invalid")


def not_modified() -> ApiError:
    return bad_request(
        "message is not modified: specified new message content and reply markup are exactly "
        "the same as a current content and reply markup of the message"
    )


def blocked_by_user() -> ApiError:
    return forbidden("bot was blocked by the user")


def kicked_from_group() -> ApiError:
    return forbidden("bot was kicked from the supergroup chat")


def not_a_member() -> ApiError:
    return forbidden("bot is not a member of the supergroup chat")


class WorldError(Exception):
    """What a person cannot do in this world; the text says why."""
