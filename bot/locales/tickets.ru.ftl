# Titles of topics. The client's name is shortened so that a title fits into 128 characters.
title-new = 🟢 [Новый] #{ $ticket } | { $client }{ $has-username ->
    [no] {""}
   *[yes] {" "}(@{ $username })
}
title-work = 🟡 [В работе | @{ $technician }] #{ $ticket } | { $client }
title-closed = 🟣 [Закрыт | @{ $technician }] #{ $ticket } | { $client }
title-closed-unassigned = 🟣 [Закрыт] #{ $ticket } | { $client }

# To the client
start-greeting = Здравствуйте! Напишите, чем мы можем помочь, — можно с фотографиями, голосом или файлами. Мы ответим здесь же.
received = Приняли вашу заявку №{ $ticket }. Ответим здесь же, в этом чате.
received-after = Приняли новую заявку №{ $ticket } (предыдущая была №{ $former }). Ответим здесь же, в этом чате.
cannot-deliver-kind = Такое сообщение переслать не получается. Пожалуйста, отправьте это по-другому: текстом, фотографией или файлом.
banned-client = Мы больше не принимаем от вас сообщений.
survey-question-1 = Заявка №{ $ticket } закрыта. Пожалуйста, оцените нашу работу: это три вопроса.

    1/3. Насколько хорошо решён ваш вопрос?
survey-question-2 = 2/3. Насколько быстро мы ответили?
survey-question-3 = 3/3. Насколько приятно было с нами общаться?
survey-improve = Спасибо за оценки! Что нам стоит улучшить? Напишите следующим сообщением или пропустите.
survey-thanks = Спасибо! Ваши ответы по заявке №{ $ticket } сохранены.
survey-thanks-offer = Спасибо за высокие оценки по заявке №{ $ticket }! Если хотите, добавьте пару слов.
survey-comment-ask = Напишите ваш комментарий следующим сообщением.
survey-ended = Опрос по заявке №{ $ticket } завершён. Если вопрос остался — просто напишите нам.
survey-reopened = Заявка №{ $ticket } снова в работе.

# Answers to buttons
press-assigned = Назначено: { $technician }
press-already-assigned = Уже назначено: { $technician }{ $has-by ->
    [no] {""}
   *[yes] . Первым нажал(а) { $by }
}.
press-same-technician = { $technician } уже работает с этой заявкой.
press-closed = Заявка закрыта.
press-already-closed = Эта заявка уже закрыта.
press-resent = Отправляем: { $count }
press-retried = Отправляем ещё раз.
press-retried-already = Уже отправлено ещё раз.
press-nothing-waits = Отправлять нечего.
press-in-work = Уже выполняется…
survey-noted = Спасибо!
survey-late = Опрос уже завершён. Спасибо!
survey-answered = На этот вопрос вы уже ответили.
forged-press = Эта кнопка здесь не действует.
stale-press = Эта кнопка устарела.

# To the staff and the technicians
assigned = Назначен(а) { $technician }. Назначил(а): { $by }.
reassigned = Заявка передана: { $former } → { $technician }. Передал(а): { $by }.
closed-by = Заявку закрыл(а) { $by }.
client-unreachable = ⚠️ Клиент заблокировал бота или удалил аккаунт: сообщения до него не доходят. Они сохраняются: когда клиент вернётся, их можно будет отправить.
client-returned = Клиент снова на связи.{ $waiting ->
    [0] {""}
   *[other] {" "}Ждёт отправки сообщений: { $waiting }.
}
banned-by = { $by } заблокировал(а) клиента: его сообщения сюда больше не приходят. Вернуть: /unban.
unbanned-by = { $by } снова принимает сообщения клиента.
undelivered = ⚠️ Сообщение не доставлено { $place ->
    [client] клиенту
    [mirror] в группу техника
    [main] в основную тему
   *[here] в эту тему
}: { $reason ->
    [client_blocked] клиент заблокировал бота или удалил аккаунт
    [chat_gone] группа недоступна боту
    [uncopyable] Telegram не позволяет пересылать такое сообщение
    [source_gone] исходное сообщение удалено
   *[refused] отказ Telegram
}{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
undeliverable = ⚠️ Не доставлено { $place ->
    [client] клиенту
    [mirror] в группу техника
   *[main] в эту тему
}: { $kind ->
    [text] сообщение
    [photo] фото
    [video] видео
    [animation] анимация
    [document] файл
    [audio] аудио
    [voice] голосовое
    [video_note] видеосообщение
    [sticker] стикер
    [location] место
    [venue] место
    [contact] контакт
    [poll] опрос
    [RenameTopic] новое название темы
    [CloseTopic] закрытие темы
    [ReopenTopic] открытие темы
    [OpenTopic] новая тема
    [EditCopy] исправление сообщения
    [Edit] изменение кнопок
    [React] реакция
    [Say] сообщение бота
    [ShowCard] карточка клиента
   *[other] сообщение
}{ $has-words ->
    [no] {""}
   *[yes] {" "}«{ $words }»
}.
    Причина: { $reason ->
    [client_blocked] клиент заблокировал бота или удалил аккаунт
    [chat_gone] группа недоступна боту или ему не хватает прав
    [uncopyable] Telegram не позволяет пересылать такое сообщение
    [source_gone] исходное сообщение удалено
   *[refused] Telegram не принял его
}{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
deleted-by = 🗑 У клиента этого сообщения больше нет. Удалил(а) { $by }.
delete-hint = Чтобы убрать сообщение у клиента, ответьте командой /delete на это сообщение.
delete-not-ours = Это написал клиент, удалить это может только он сам.
delete-not-yours = Это написали не вы: удалить это можно в основной теме.
delete-failed = ⚠️ Удалить сообщение у клиента не удалось{ $has-detail ->
    [no] {""}
   *[yes] {" "}({ $detail })
}.
edit-hint = Просто исправьте своё сообщение: у клиента и в других темах оно изменится само. Убрать его совсем — ответом /delete.
reopened-by = { $by } снова открыл(а) заявку.
not-reopened = Заявка остаётся закрытой: у клиента уже есть новая, №{ $ticket }.
dead-letter = ⚠️ Одно из сообщений этой заявки (№{ $seq }) не удалось обработать. Оно сохранено, администратор его видит.
not-sent-closed = Не отправлено: заявка закрыта. Когда клиент напишет снова, откроется новая.
not-sent-unassigned = Не отправлено: { $has-technician ->
    [no] на заявку никто не назначен
   *[yes] с заявкой работает { $technician }
}.
mirror-opened = Заявка №{ $ticket }, { $client }. Всё, что вы напишете здесь, получит клиент. Строка с // или /note останется между нами.
mirror-unassigned = Заявка передана: теперь с ней работает { $technician }.
feedback-summary = Отзыв по заявке №{ $ticket }: решение — { $q1 ->
    [0] –
   *[other] { $q1 }
}, скорость — { $q2 ->
    [0] –
   *[other] { $q2 }
}, общение — { $q3 ->
    [0] –
   *[other] { $q3 }
}.{ $has-comment ->
    [no] {""}
   *[yes] {" "}«{ $comment }»
}
label-technician = 👷 { $name }:
label-staff = 🛟 { $name }:
label-note = 📝 { $name } (заметка):
label-forwarded = ↪️ Переслано{ $has-name ->
    [no] {""}
   *[yes] {" "}от { $name }
}
label-edited = ✏️ Исправлено:

# The client's card
card-title = 👤 { $name }
card-username = @{ $username }
card-id = ID: { $id }
card-language = Язык: { $language }
card-former = Предыдущая заявка: №{ $former }
card-choose = Кто займётся?

# Buttons
button-close = ✅ Закрыть заявку
button-resend = 📨 Отправить то, что ждало
button-retry = 🔁 Повторить
button-skip = Пропустить
button-comment = Добавить комментарий
