"""Which methods and parameters there are: Bot API 10.3, as far as a helpdesk may use it.

One line per method: ``name:kind``, ``!`` marks the required ones. Kinds are those of
:mod:`lab.telegram.schema`. A test compares this table with aiogram's own classes.
"""

_WHERE = (
    "business_connection_id:str message_thread_id:int direct_messages_topic_id:int "
    "disable_notification:bool protect_content:bool allow_paid_broadcast:bool "
    "message_effect_id:str suggested_post_parameters:object reply_parameters:reply "
    "reply_markup:markup allow_sending_without_reply:bool reply_to_message_id:int"
)
_PRIVATE = "ephemeral_message_parameters:object receiver_user_id:int callback_query_id:str"
_CAPTION = "caption:str parse_mode:str caption_entities:entities"
_ABOVE = "show_caption_above_media:bool has_spoiler:bool"
_SEND = f"chat_id!:chat {_WHERE}"
_EDIT = "business_connection_id:str chat_id:chat message_id:int inline_message_id:str"
_FORWARD = (
    "chat_id!:chat from_chat_id!:chat message_thread_id:int direct_messages_topic_id:int "
    "disable_notification:bool protect_content:bool"
)
_SCOPE = "scope:object language_code:str"
_TOPIC = "chat_id!:chat message_thread_id!:int"

METHODS: dict[str, str] = {
    "getMe": "",
    "logOut": "",
    "close": "",
    "getUpdates": "offset:int limit:int timeout:int allowed_updates:strs",
    "setWebhook": (
        "url!:str certificate:file ip_address:str max_connections:int allowed_updates:strs "
        "drop_pending_updates:bool secret_token:str"
    ),
    "deleteWebhook": "drop_pending_updates:bool",
    "getWebhookInfo": "",
    "sendMessage": (
        f"{_SEND} {_PRIVATE} text!:str parse_mode:str entities:entities "
        "link_preview_options:object disable_web_page_preview:bool"
    ),
    "copyMessage": (
        f"{_SEND} {_CAPTION} from_chat_id!:chat message_id!:int video_start_timestamp:int "
        "show_caption_above_media:bool -business_connection_id"
    ),
    "copyMessages": f"{_FORWARD} message_ids!:ints remove_caption:bool",
    "forwardMessage": (
        f"{_FORWARD} message_id!:int video_start_timestamp:int message_effect_id:str "
        "suggested_post_parameters:object"
    ),
    "forwardMessages": f"{_FORWARD} message_ids!:ints",
    "sendPhoto": f"{_SEND} {_PRIVATE} {_CAPTION} {_ABOVE} photo!:file",
    "sendVideo": (
        f"{_SEND} {_PRIVATE} {_CAPTION} {_ABOVE} video!:file duration:int width:int height:int "
        "thumbnail:file cover:file start_timestamp:int supports_streaming:bool"
    ),
    "sendAnimation": (
        f"{_SEND} {_PRIVATE} {_CAPTION} {_ABOVE} animation!:file duration:int width:int "
        "height:int thumbnail:file"
    ),
    "sendDocument": (
        f"{_SEND} {_PRIVATE} {_CAPTION} document!:file thumbnail:file "
        "disable_content_type_detection:bool"
    ),
    "sendAudio": (
        f"{_SEND} {_PRIVATE} {_CAPTION} audio!:file duration:int performer:str title:str "
        "thumbnail:file"
    ),
    "sendVoice": f"{_SEND} {_PRIVATE} {_CAPTION} voice!:file duration:int",
    "sendVideoNote": (
        f"{_SEND} {_PRIVATE} video_note!:file duration:int length:int thumbnail:file"
    ),
    "sendSticker": f"{_SEND} {_PRIVATE} sticker!:file emoji:str",
    "sendLocation": (
        f"{_SEND} {_PRIVATE} latitude!:float longitude!:float horizontal_accuracy:float "
        "live_period:int heading:int proximity_alert_radius:int"
    ),
    "sendVenue": (
        f"{_SEND} {_PRIVATE} latitude!:float longitude!:float title!:str address!:str "
        "foursquare_id:str foursquare_type:str google_place_id:str google_place_type:str"
    ),
    "sendContact": (
        f"{_SEND} {_PRIVATE} phone_number!:str first_name!:str last_name:str vcard:str"
    ),
    "sendPoll": (
        f"{_SEND} question!:str options!:options question_parse_mode:str "
        "question_entities:entities is_anonymous:bool type:str allows_multiple_answers:bool "
        "allows_revoting:bool shuffle_options:bool allow_adding_options:bool "
        "hide_results_until_closes:bool members_only:bool country_codes:strs "
        "correct_option_ids:ints correct_option_id:int explanation:str "
        "explanation_parse_mode:str explanation_entities:entities explanation_media:object "
        "open_period:int close_date:int is_closed:bool description:str "
        "description_parse_mode:str description_entities:entities media:object "
        "-direct_messages_topic_id -suggested_post_parameters"
    ),
    "sendDice": f"{_SEND} emoji:str",
    "sendMediaGroup": f"{_SEND} media!:media_list -suggested_post_parameters -reply_markup",
    "editMessageText": (
        f"{_EDIT} text:str parse_mode:str entities:entities link_preview_options:object "
        "reply_markup:inline rich_message:object disable_web_page_preview:bool"
    ),
    "editMessageCaption": (f"{_EDIT} {_CAPTION} show_caption_above_media:bool reply_markup:inline"),
    "editMessageReplyMarkup": f"{_EDIT} reply_markup:inline",
    "editMessageMedia": f"{_EDIT} media!:media reply_markup:inline",
    "stopPoll": "chat_id!:chat message_id!:int business_connection_id:str reply_markup:inline",
    "deleteMessage": "chat_id!:chat message_id!:int",
    "deleteMessages": "chat_id!:chat message_ids!:ints",
    "setMessageReaction": "chat_id!:chat message_id!:int reaction:reactions is_big:bool",
    "answerCallbackQuery": (
        "callback_query_id!:str text:str show_alert:bool url:str cache_time:int"
    ),
    "createForumTopic": ("chat_id!:chat name!:str icon_color:int icon_custom_emoji_id:str"),
    "editForumTopic": f"{_TOPIC} name:str icon_custom_emoji_id:str",
    "closeForumTopic": _TOPIC,
    "reopenForumTopic": _TOPIC,
    "deleteForumTopic": _TOPIC,
    "unpinAllForumTopicMessages": _TOPIC,
    "getForumTopicIconStickers": "",
    "pinChatMessage": (
        "chat_id!:chat message_id!:int business_connection_id:str disable_notification:bool"
    ),
    "unpinChatMessage": "chat_id!:chat message_id:int business_connection_id:str",
    "getChat": "chat_id!:chat",
    "getChatMember": "chat_id!:chat user_id!:int",
    "getChatAdministrators": "chat_id!:chat return_bots:bool",
    "getChatMemberCount": "chat_id!:chat",
    "getFile": "file_id!:str",
    "getUserProfilePhotos": "user_id!:int offset:int limit:int",
    "setMyCommands": f"commands!:commands {_SCOPE}",
    "deleteMyCommands": _SCOPE,
    "getMyCommands": _SCOPE,
    "setMyName": "name:str language_code:str",
    "setMyDescription": "description:str language_code:str",
    "setMyShortDescription": "short_description:str language_code:str",
    "setChatMenuButton": "chat_id:int menu_button:object",
    "sendChatAction": (
        "chat_id!:chat action!:str message_thread_id:int business_connection_id:str"
    ),
    "leaveChat": "chat_id!:chat",
}
