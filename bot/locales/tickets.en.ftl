# Titles of topics. The client's name is shortened so that a title fits into 128 characters.
title-new = 🟢 [New] #{ $ticket } | { $client }{ $has-username ->
    [no] {""}
   *[yes] {" "}(@{ $username })
}
title-work = 🟡 [In work | @{ $technician }] #{ $ticket } | { $client }
title-closed = 🟣 [Closed | @{ $technician }] #{ $ticket } | { $client }
title-closed-unassigned = 🟣 [Closed] #{ $ticket } | { $client }

# To the client
start-greeting = Hello! Tell us how we can help: text, photos, voice messages and files are all welcome. We will answer right here.
received = We have received your request #{ $ticket } and will answer right here, in this chat.
received-after = We have received your new request #{ $ticket } (the one before was #{ $former }) and will answer right here, in this chat.
cannot-deliver-kind = This kind of message cannot be passed on. Please send it in another way: as text, a photo or a file.
banned-client = We do not take messages from you any more.
survey-question-1 = Request #{ $ticket } is closed. Please tell us how we did: it is three questions.

    1/3. How well was your question solved?
survey-question-2 = 2/3. How quickly did we answer?
survey-question-3 = 3/3. How pleasant was it to talk to us?
survey-improve = Thank you! What should we improve? Write it as your next message, or skip.
survey-thanks = Thank you! Your answers about request #{ $ticket } are saved.
survey-thanks-offer = Thank you for the high marks for request #{ $ticket }! Add a few words if you like.
survey-comment-ask = Please write your comment as your next message.
survey-ended = The survey about request #{ $ticket } is over. If anything is left, just write to us.
survey-reopened = Request #{ $ticket } is in work again.

# Answers to buttons
press-assigned = Assigned: { $technician }
press-already-assigned = Already assigned: { $technician }{ $has-by ->
    [no] {""}
   *[yes] . { $by } was first
}.
press-same-technician = { $technician } has this request already.
press-closed = The request is closed.
press-already-closed = This request is closed already.
press-resent = Sending: { $count }
press-retried = Sending it again.
press-retried-already = It has been sent again already.
press-nothing-waits = Nothing waits to be sent.
press-in-work = Already on it…
survey-noted = Thank you!
survey-late = The survey is over already. Thank you!
survey-answered = You have answered this question already.
forged-press = This button does not work here.
stale-press = This button is out of date.

# To the staff and the technicians
assigned = { $technician } has the request now. Assigned by { $by }.
reassigned = The request was handed over: { $former } → { $technician }. By { $by }.
closed-by = { $by } closed the request.
client-unreachable = ⚠️ The client blocked the bot or deleted the account: messages do not arrive. They are kept and can be sent when the client is back.
client-returned = The client is back.{ $waiting ->
    [0] {""}
   *[other] {" "}Messages that wait to be sent: { $waiting }.
}
banned-by = { $by } banned the client: what they write does not come here any more. To undo it: /unban.
unbanned-by = { $by } lets the client write again.
undelivered = ⚠️ A message was not delivered { $place ->
    [client] to the client
    [mirror] to the technician's group
    [main] to the main topic
   *[here] to this topic
}: { $reason ->
    [client_blocked] the client blocked the bot or deleted the account
    [chat_gone] the bot cannot reach the group
    [uncopyable] Telegram does not allow copying such a message
    [source_gone] the original message was deleted
   *[refused] Telegram refused it
}{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
undeliverable = ⚠️ Not delivered { $place ->
    [client] to the client
    [mirror] to the technician's group
   *[main] to this topic
}: { $kind ->
    [text] message
    [photo] photo
    [video] video
    [animation] animation
    [document] file
    [audio] audio
    [voice] voice message
    [video_note] video message
    [sticker] sticker
    [location] place
    [venue] place
    [contact] contact
    [poll] poll
    [RenameTopic] new title of the topic
    [CloseTopic] closing of the topic
    [ReopenTopic] opening of the topic
    [OpenTopic] new topic
    [EditCopy] correction of a message
    [Edit] change of the buttons
    [React] reaction
    [Say] message of the bot
    [ShowCard] client's card
   *[other] message
}{ $has-words ->
    [no] {""}
   *[yes] {" "}“{ $words }”
}.
    Why: { $reason ->
    [client_blocked] the client blocked the bot or deleted the account
    [chat_gone] the bot cannot get into the group, or lacks a right
    [uncopyable] Telegram does not let such a message be copied
    [source_gone] the original message was deleted
   *[refused] Telegram did not accept it
}{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
deleted-by = 🗑 The client no longer has this message. Removed by { $by }.
delete-hint = To remove a message from the client’s chat, answer that message with /delete.
delete-not-ours = The client wrote this; only the client can delete it.
delete-not-yours = You did not write this; it can be deleted in the main topic.
delete-failed = ⚠️ The message could not be deleted at the client{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
edit-hint = Just edit your message: the client’s copy and those in the other topics change with it. To remove it, answer it with /delete.
reopened-by = { $by } opened the request again.
not-reopened = The request stays closed: the client has a newer one, #{ $ticket }.
dead-letter = ⚠️ One message of this request (no. { $seq }) could not be handled. It is kept, and the administrator can see it.
not-sent-closed = Not sent: the request is closed. When the client writes again, a new one will open.
not-sent-unassigned = Not sent: { $has-technician ->
    [no] nobody is assigned to this request
   *[yes] { $technician } has this request
}.
mirror-opened = Request #{ $ticket }, { $client }. The client receives everything that you write here. A line with // or /note stays among us.
mirror-unassigned = The request was handed over: { $technician } has it now.
feedback-summary = Feedback on request #{ $ticket }: solution { $q1 ->
    [0] –
   *[other] { $q1 }
}, speed { $q2 ->
    [0] –
   *[other] { $q2 }
}, manner { $q3 ->
    [0] –
   *[other] { $q3 }
}.{ $has-comment ->
    [no] {""}
   *[yes] {" "}“{ $comment }”
}
label-technician = 👷 { $name }:
label-staff = 🛟 { $name }:
label-note = 📝 { $name } (note):
label-forwarded = ↪️ Forwarded{ $has-name ->
    [no] {""}
   *[yes] {" "}from { $name }
}
label-edited = ✏️ Changed:

# The client's card
card-title = 👤 { $name }
card-username = @{ $username }
card-id = ID: { $id }
card-language = Language: { $language }
card-former = Previous request: #{ $former }
card-choose = Who takes it?

# Buttons
button-close = ✅ Close the request
button-resend = 📨 Send what waited
button-retry = 🔁 Try again
button-skip = Skip
button-comment = Add a comment
