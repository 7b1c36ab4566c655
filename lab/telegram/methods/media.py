"""Files: sent alone or as albums, by upload or ``file_id``, and fetched again."""

from functools import partial

from lab.telegram.content import CAPTIONED, media_body
from lab.telegram.errors import bad_request
from lab.telegram.files import FILE_BYTES_MAX, StoredFile
from lab.telegram.methods.base import (
    Call,
    Method,
    caption_content,
    post,
    quoted,
    reply_of,
    shown,
    target_of,
    thread_of_reply,
)
from lab.telegram.model import Json
from lab.telegram.schema import Upload

ALBUM_MIN, ALBUM_MAX = 2, 10

_EXTRAS = ("duration", "width", "height", "length", "performer", "title", "emoji")
_ALBUM_KINDS = frozenset({"photo", "video", "document", "audio", "animation"})


def file_of(call: Call, given: object, kind: str) -> StoredFile:
    """A file by upload, ``attach://`` name, ``file_id`` or URL.

    A URL is never fetched (nothing leaves this machine): a sample stands for it.
    """
    world = call.world
    if isinstance(given, str) and given.startswith("attach://"):
        given = call.given.get(given.removeprefix("attach://"))
        if not isinstance(given, Upload):
            raise bad_request("attached file not found")
    if isinstance(given, Upload):
        if not given.data:
            raise bad_request("file must be non-empty")
        return world.files.add(given.data, name=given.name, mime=given.mime, kind=kind)
    assert isinstance(given, str)
    found = world.files.get(given)
    if found is not None:
        return found
    if given.startswith(("http://", "https://")):
        return world.files.add(given.encode(), name=given.rsplit("/", 1)[-1], kind=kind)
    raise bad_request("wrong file identifier/HTTP URL specified")


def _send_file(call: Call, *, kind: str) -> Json:
    target = target_of(call)
    caption = caption_content(call.given) if kind in CAPTIONED else {}
    file = file_of(call, call.given[kind], kind)
    extra = {name: call.given[name] for name in _EXTRAS if name in call.given}
    body = media_body(kind, file, extra) | caption
    return shown(post(call, kind, body, target))


def media_content(call: Call, media: Json) -> tuple[str, Json]:
    """One ``InputMedia`` object: its kind and its content."""
    kind = media.get("type")
    if not isinstance(kind, str) or kind not in _ALBUM_KINDS:
        raise bad_request("can't parse InputMedia: unsupported media type")
    extra = {name: media[name] for name in _EXTRAS if name in media}
    body = media_body(kind, file_of(call, media.get("media", ""), kind), extra)
    return kind, body | caption_content(media)


def send_media_group(call: Call) -> list[Json]:
    chat, thread_id = target_of(call)
    media = call.objects("media") or []
    if not ALBUM_MIN <= len(media) <= ALBUM_MAX:
        raise bad_request(f"media group must include {ALBUM_MIN}-{ALBUM_MAX} items")
    contents = [media_content(call, item) for item in media]
    kinds = {kind for kind, _ in contents}
    if "animation" in kinds or (kinds & {"document", "audio"} and len(kinds) > 1):
        raise bad_request("can't use the media of the specified types in the album")
    reply_to = reply_of(call, chat)
    group_id = str(call.world.rng.randrange(10**16, 10**17))
    sent = [
        call.world.post(
            chat,
            call.bot.user,
            kind,
            body,
            thread_id=thread_of_reply(chat, thread_id, reply_to),
            reply_to=reply_to,
            quote=quoted(call, chat, reply_to),
            media_group_id=group_id,
        )
        for kind, body in contents
    ]
    return [shown(message) for message in sent]


def get_file(call: Call) -> Json:
    found = call.world.files.get(call.text("file_id"))
    if found is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if len(found.data) > FILE_BYTES_MAX:
        raise bad_request("file is too big")
    return found.as_json() | {"file_path": found.path}


METHODS: dict[str, Method] = {
    "sendphoto": partial(_send_file, kind="photo"),
    "sendvideo": partial(_send_file, kind="video"),
    "sendanimation": partial(_send_file, kind="animation"),
    "senddocument": partial(_send_file, kind="document"),
    "sendaudio": partial(_send_file, kind="audio"),
    "sendvoice": partial(_send_file, kind="voice"),
    "sendvideonote": partial(_send_file, kind="video_note"),
    "sendsticker": partial(_send_file, kind="sticker"),
    "sendmediagroup": send_media_group,
    "getfile": get_file,
}
