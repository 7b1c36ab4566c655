"""Methods that write something new: text, places, people, polls, dice."""

from lab.telegram.content import DICE_FACES, dice_body, poll_body
from lab.telegram.errors import bad_request
from lab.telegram.methods.base import Call, Method, chat_of, post, shown, target_of, text_content
from lab.telegram.model import Json

POLL_OPTIONS_MAX = 12
QUESTION_MAX = 300
OPTION_MAX = 100
LATITUDE_MAX = 90
LONGITUDE_MAX = 180

_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def send_message(call: Call) -> Json:
    target = target_of(call)
    return shown(post(call, "text", text_content(call), target))


def _location(call: Call) -> Json:
    latitude, longitude = call.given["latitude"], call.given["longitude"]
    assert isinstance(latitude, float)
    assert isinstance(longitude, float)
    if abs(latitude) > LATITUDE_MAX or abs(longitude) > LONGITUDE_MAX:
        raise bad_request("wrong latitude or longitude specified")
    return {"latitude": latitude, "longitude": longitude}


def send_location(call: Call) -> Json:
    target = target_of(call)
    names = ("horizontal_accuracy", "live_period", "heading", "proximity_alert_radius")
    extra = {name: call.given[name] for name in names if name in call.given}
    return shown(post(call, "location", {"location": _location(call) | extra}, target))


def send_venue(call: Call) -> Json:
    target = target_of(call)
    place = _location(call)
    venue: Json = {
        "location": place,
        "title": call.text("title"),
        "address": call.text("address"),
    }
    return shown(post(call, "venue", {"venue": venue, "location": place}, target))


def send_contact(call: Call) -> Json:
    target = target_of(call)
    names = ("phone_number", "first_name", "last_name", "vcard")
    contact = {name: call.given[name] for name in names if name in call.given}
    return shown(post(call, "contact", {"contact": contact}, target))


def send_dice(call: Call) -> Json:
    target = target_of(call)
    emoji = call.text("emoji", "🎲")
    if emoji not in DICE_FACES:
        raise bad_request("wrong dice emoji specified")
    return shown(post(call, "dice", dice_body(call.world, emoji), target))


def send_poll(call: Call) -> Json:
    target = target_of(call)
    question = call.text("question").strip()
    if not 0 < len(question) <= QUESTION_MAX:
        raise bad_request(f"poll question length must be 1-{QUESTION_MAX}")
    options = [str(option.get("text", "")) for option in call.objects("options") or ()]
    if not 1 <= len(options) <= POLL_OPTIONS_MAX:
        raise bad_request(f"poll must have 1-{POLL_OPTIONS_MAX} options")
    if not all(0 < len(option) <= OPTION_MAX for option in options):
        raise bad_request(f"poll options length must be 1-{OPTION_MAX}")
    names = ("is_anonymous", "type", "allows_multiple_answers", "correct_option_ids", "is_closed")
    extra = {name: call.given[name] for name in names if name in call.given}
    return shown(post(call, "poll", poll_body(call.world, question, options, extra), target))


def stop_poll(call: Call) -> object:
    message = chat_of(call).message(call.number("message_id"))
    poll = message.body.get("poll") if message is not None else None
    if message is None or not isinstance(poll, dict) or message.sender is not call.bot.user:
        raise bad_request("poll can't be stopped")
    if poll["is_closed"]:
        raise bad_request("poll has already been closed")
    closed = {**poll, "is_closed": True}
    call.world.edit(message, body={"poll": closed}, markup=call.object("reply_markup"))
    return closed


def send_chat_action(call: Call) -> bool:
    target_of(call)
    if call.text("action") not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    return True


METHODS: dict[str, Method] = {
    "sendmessage": send_message,
    "sendlocation": send_location,
    "sendvenue": send_venue,
    "sendcontact": send_contact,
    "senddice": send_dice,
    "sendpoll": send_poll,
    "stoppoll": stop_poll,
    "sendchataction": send_chat_action,
}
