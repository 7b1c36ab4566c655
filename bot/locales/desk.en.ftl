# Commands of the staff and the administrators
desk-help = Commands:
    /tickets – requests by status
    /find words – find by number, name, @username or words of a message
    /ticket 12 – one request in detail
    /techs – technicians and their open requests
    /cancel – take back a question of the bot
    /help – this help

    In the topic of a request: /close closes it, a line with // or /note stays among us, /delete as an answer removes a message at the client, /ban and /unban shut the client out and in again.

# Lists of tickets
desk-list-title = { $shelf ->
    [NEW] 🟢 New requests
    [WORK] 🟡 Requests in work
    [CLOSED] 🟣 Closed requests
   *[ALL] All requests
}: { $total }
desk-list-empty = { $shelf ->
    [NEW] 🟢 There are no new requests.
    [WORK] 🟡 There are no requests in work.
    [CLOSED] 🟣 There are no closed requests.
   *[ALL] There are no requests yet.
}
desk-button-shelf = { $shelf ->
    [NEW] 🟢 New
    [WORK] 🟡 In work
    [CLOSED] 🟣 Closed
   *[ALL] All
} ({ $count })
desk-line = { $status ->
    [NEW] 🟢
    [WORK] 🟡
   *[CLOSED] 🟣
} #{ $ticket } · { $client }{ $has-technician ->
    [no] {""}
   *[yes] {" "}· 👷 { $technician }
} · { $time }

# Search
desk-find-ask = What shall I look for? Reply to this message with a number, a name, a @username or words of a message. /cancel takes it back.
desk-find-placeholder = Number, name or words
desk-find-usage = Write what to look for on the line of the command, for example:
    /find 12
    /find John
    /find printer does not print
desk-find-late = This question no longer waits for an answer. Write it at once: /find and the words.
desk-found-title = Found for “{ $words }”: { $total }
desk-found-nothing = Nothing was found for “{ $words }”.
desk-cancelled = All right, the search is cancelled.
desk-nothing-to-cancel = There is nothing to cancel: the bot has not asked anything.

# One ticket
desk-ticket-usage = Name the number of a request, for example: /ticket 12
desk-ticket-unknown = There is no request #{ $ticket }.
desk-ticket-title = { $status ->
    [NEW] 🟢 Request #{ $ticket }: new
    [WORK] 🟡 Request #{ $ticket }: in work
   *[CLOSED] 🟣 Request #{ $ticket }: closed
}
desk-ticket-client = Client: { $client }, ID { $id }
desk-ticket-technician = Technician: { $has-technician ->
    [no] nobody yet
   *[yes] { $technician }
}
desk-ticket-created = Created: { $time }
desk-ticket-closed = Closed: { $time }
desk-ticket-former = Previous request: #{ $former }
desk-ticket-no-topic = The topic is not open yet.
desk-ticket-events = Last events:
desk-event = { $time } · { $actor ->
    [CLIENT] client
    [TECH] technician
    [STAFF] staff
   *[SYSTEM] system
}{ $has-name ->
    [no] {""}
   *[yes] {" "}{ $name }
} · { $action ->
    [said] message
    [noted] note
    [specialist_called] called a specialist
    [assigned] assigned{ $has-technician ->
        [no] {""}
       *[yes] {" "}→ { $technician }
    }
    [reassigned] handed over{ $has-technician ->
        [no] {""}
       *[yes] {" "}→ { $technician }
    }
    [closed] closed the request
    [scored] mark
    [commented] comment on the marks
    [comment_skipped] no comment
    [survey_timed_out] the survey ended unanswered
    [not_sent] not sent
    [unsupported] a message that cannot be passed on
    [topic_opened] topic opened
    [delivery_failed] message not delivered
    [edited] message changed
    [deleted] message deleted in the client's chat
    [left] the client blocked the bot
    [returned] the client is back
    [resent] what waited was sent
    [retried] sent again
    [reopened] request opened again
    [renamed] topic renamed
    [banned] client banned
    [unbanned] client unbanned
    [dead_lettered] message could not be handled
   *[other] { $action }
}{ $has-words ->
    [no] {""}
   *[yes] : { $words }
}

# The technicians
desk-techs-none = There are no active technicians: name them in TECH_GROUPS_MAPPING.
desk-techs-title = Active technicians: { $count }
desk-tech-line = 👷 { $technician } – { $count ->
    [0] free, nothing open
   *[other] { $count } open: { $numbers }
}
desk-more = … and { $count } more
desk-techs-incomplete = There are very many requests in work: only the newest are counted.

# To the administrators, about a group
group-away = 🔴 The bot cannot get into the group { $chat } ({ $group }): it was removed, or the group is gone. Add the bot as an administrator who may manage topics. Nothing is lost: messages wait and will go out by themselves.{ $has-others ->
    [yes] {" "}New tickets open in the other groups for now.
   *[no] {""}
}
group-no-topics = 🔴 Topics are switched off in the group { $chat } ({ $group }). Switch them on: group settings → Topics. Nothing is lost: messages wait and will go out by themselves.{ $has-others ->
    [yes] {" "}New tickets open in the other groups for now.
   *[no] {""}
}
group-no-rights = 🔴 In the group { $chat } ({ $group }) the bot may not manage topics. Allow it: group settings → Administrators → the bot → Manage Topics. Nothing is lost: messages wait and will go out by themselves.{ $has-others ->
    [yes] {" "}New tickets open in the other groups for now.
   *[no] {""}
}
group-full = 🔴 No more topics can be made in the group { $chat } ({ $group }): it has as many as Telegram allows. Delete old topics, or add another group to MAIN_GROUP_ID. Nothing is lost: messages wait and will go out by themselves.{ $has-others ->
    [yes] {" "}New tickets open in the other groups for now.
   *[no] {""}
}
group-moved = 🟠 The group { $chat } ({ $group }) has another id now: { $moved }. The bot writes there already. Put the new id into the settings and restart the program.
group-well = 🟢 The group { $chat } ({ $group }) is well again.

helper-unknown = 🟠 Telegram does not know the token of the helper bot { $bot } (HELPER_BOT_TOKENS). Get a new one from @BotFather. The main bot writes its messages: none is lost, in busy times they are only slower.
helper-known = 🟢 The token of the helper bot { $bot } is valid again.
helper-away = 🟠 The helper bot { $bot } is not in the group { $chat } ({ $group }). Add it to the group. The main bot writes its messages: none is lost, in busy times they are only slower.
helper-muted = 🟠 The helper bot { $bot } may not write in the group { $chat } ({ $group }). Allow it: group settings → Permissions. The main bot writes its messages: none is lost, in busy times they are only slower.
helper-well = 🟢 The helper bot { $bot } writes in the group { $chat } ({ $group }) again.
