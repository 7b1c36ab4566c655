"""What a message can carry: the Bot API's content fields for every kind.

People's messages (page, control API) are made with :func:`body_for`; bots' media with
:func:`media_body`. Whatever a kind needs and was not given gets a plausible value.
"""

from collections.abc import Callable
from typing import Final

from lab.telegram.entities import with_found
from lab.telegram.errors import WorldError
from lab.telegram.files import StoredFile, sample_picture
from lab.telegram.model import Json
from lab.telegram.world import World

CAPTIONED: Final = frozenset({"photo", "video", "animation", "document", "audio", "voice"})
FILE_KINDS: Final = CAPTIONED | {"video_note", "sticker"}
UNCOPYABLE: Final = frozenset(
    {
        "service",
        "invoice",
        "giveaway",
        "giveaway_winners",
        "paid_media",
        "story",
        "game",
        "hologram",
        "successful_payment",
    }
)
DICE_FACES: Final = {"🎲": 6, "🎯": 6, "🎳": 6, "🏀": 5, "⚽": 5, "🎰": 64}

_SAMPLES: Final = {
    "photo": ("photo.png", "image/png"),
    "video": ("video.mp4", "video/mp4"),
    "animation": ("animation.mp4", "video/mp4"),
    "document": ("document.txt", "text/plain"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "voice": ("voice.ogg", "audio/ogg"),
    "video_note": ("note.mp4", "video/mp4"),
    "sticker": ("sticker.webp", "image/webp"),
}


def media_body(kind: str, file: StoredFile, extra: Json | None = None) -> Json:
    """The content field of a file kind; ``extra`` overrides what is guessed."""
    shown = file.as_json()
    match kind:
        case "photo":
            small = {**shown, "width": 90, "height": 56}
            return {"photo": [small, {**shown, "width": 320, "height": 200}]}
        case "video" | "animation":
            shown |= {"width": 320, "height": 200, "duration": 5}
        case "audio" | "voice":
            shown |= {"duration": 3}
        case "video_note":
            shown |= {"length": 240, "duration": 3}
        case "sticker":
            shown |= {"type": "regular", "width": 512, "height": 512}
            shown |= {"is_animated": False, "is_video": False, "emoji": "👍"}
    if kind in {"video", "animation", "audio", "document"}:
        shown["file_name"] = file.name
    if kind in {"video", "animation", "audio", "document", "voice"}:
        shown["mime_type"] = file.mime
    shown |= extra or {}
    # Telegram repeats an animation as a document, for clients that know no animations.
    return {kind: shown, "document": shown} if kind == "animation" else {kind: shown}


def sample_file(world: World, kind: str) -> StoredFile:
    name, mime = _SAMPLES[kind]
    data = sample_picture() if kind == "photo" else f"a sample {kind}\n".encode()
    return world.files.add(data, name=name, mime=mime, kind=kind)


def poll_body(world: World, question: str, options: list[str], extra: Json | None = None) -> Json:
    poll: Json = {
        "id": str(world.rng.randrange(10**17, 10**18)),
        "question": question,
        "options": [
            {"persistent_id": str(index), "text": text, "voter_count": 0}
            for index, text in enumerate(options)
        ],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": True,
        "members_only": False,
    }
    return {"poll": poll | (extra or {})}


def dice_body(world: World, emoji: str) -> Json:
    return {"dice": {"emoji": emoji, "value": world.rng.randint(1, DICE_FACES[emoji])}}


def text_body(text: str, entities: list[Json] | None = None, *, caption: bool = False) -> Json:
    """``text`` with its entities, or the same as a caption; empty when there is no text."""
    if not text:
        return {}
    found = with_found(text, list(entities or ()))
    names = ("caption", "caption_entities") if caption else ("text", "entities")
    return {names[0]: text, names[1]: found} if found else {names[0]: text}


def _location(payload: Json) -> Json:
    return {
        "latitude": payload.get("latitude", 59.9386),
        "longitude": payload.get("longitude", 30.3141),
    }


def _contact(payload: Json) -> Json:
    contact: Json = {
        "phone_number": payload.get("phone_number", payload.get("phone", "+70000000000")),
        "first_name": payload.get("first_name", "Contact"),
    }
    if "last_name" in payload:
        contact["last_name"] = payload["last_name"]
    return contact


def _venue(payload: Json) -> Json:
    return {
        "location": _location(payload),
        "title": payload.get("title", "Palace Square"),
        "address": payload.get("address", "Saint Petersburg"),
    }


def _texts(value: object, default: list[str]) -> list[str]:
    if not isinstance(value, list):
        return default
    return [item["text"] if isinstance(item, dict) else str(item) for item in value]


def _dice(world: World, payload: Json) -> Json:
    emoji = str(payload.get("emoji", "🎲"))
    if emoji not in DICE_FACES:
        raise WorldError(f"no dice looks like {emoji}")
    body = dice_body(world, emoji)
    return {"dice": {"emoji": emoji, "value": payload["value"]}} if "value" in payload else body


def _poll(world: World, payload: Json) -> Json:
    question = str(payload.get("question", "Question?"))
    return poll_body(world, question, _texts(payload.get("options"), ["Yes", "No"]))


_PLAIN: Final[dict[str, Callable[[World, Json], Json]]] = {
    "location": lambda _, payload: {"location": _location(payload)},
    "venue": lambda _, payload: {"venue": _venue(payload), "location": _location(payload)},
    "contact": lambda _, payload: {"contact": _contact(payload)},
    "poll": _poll,
    "dice": _dice,
}

# Kinds that copyMessage refuses, in the shape that Telegram sends them.
_FOREIGN: Final[dict[str, Json]] = {
    "invoice": {
        "title": "Invoice",
        "description": "A thing",
        "start_parameter": "",
        "currency": "EUR",
        "total_amount": 100,
    },
    "giveaway": {"chats": [], "winners_selection_date": 2_000_000_000, "winner_count": 1},
    "paid_media": {"star_count": 1, "paid_media": [{"type": "preview"}]},
    "game": {"title": "Game", "description": "A game", "photo": []},
    "hologram": {"depth": 3, "note": "a kind newer than any client knows"},
}


def body_for(
    world: World,
    kind: str,
    *,
    text: str = "",
    entities: list[Json] | None = None,
    payload: Json | None = None,
    file: StoredFile | None = None,
) -> Json:
    """The content of a person's message of any kind.

    ``service`` takes the service field itself as its payload (``{"new_chat_title": "…"}``);
    ``hologram`` is a kind that no client knows.

    Raises:
        WorldError: No such kind, or a text message without text.
    """
    given = payload or {}
    if kind == "text":
        if not text.strip():
            raise WorldError("a text message needs a text")
        return text_body(text, entities)
    if kind in FILE_KINDS:
        chosen = file
        if chosen is None and (file_id := given.get("file_id")):
            chosen = world.files.get(str(file_id))
        own = {name: value for name, value in given.items() if name not in {"file_id", "kind"}}
        body = media_body(kind, chosen or sample_file(world, kind), own)
        caption = text_body(text, entities, caption=True) if kind in CAPTIONED else {}
        return body | caption
    if (make := _PLAIN.get(kind)) is not None:
        return make(world, given)
    if kind == "service":
        return given or {"new_chat_title": "New title"}
    if kind == "story":
        return {"story": {"chat": {"id": -1000000000001, "type": "channel", "title": "S"}, "id": 1}}
    known = _FOREIGN.get(kind)
    if known is None:
        raise WorldError(f"no such kind of message: {kind}")
    return {kind: known | given}
