# Commands of the staff and the administrators
desk-help = Команды:
    /tickets — заявки по статусам
    /find слова — найти по номеру, имени, @username или тексту сообщений
    /ticket 12 — одна заявка подробно
    /techs — техники и их открытые заявки
    /cancel — отменить вопрос бота
    /help — эта подсказка

    В теме заявки: /close закрывает её, строка с // или /note остаётся среди своих, /delete ответом убирает сообщение у клиента, /ban и /unban — не принимать и снова принимать его сообщения.

# Lists of tickets
desk-list-title = { $shelf ->
    [NEW] 🟢 Новые заявки
    [WORK] 🟡 Заявки в работе
    [CLOSED] 🟣 Закрытые заявки
   *[ALL] Все заявки
}: { $total }
desk-list-empty = { $shelf ->
    [NEW] 🟢 Новых заявок нет.
    [WORK] 🟡 Заявок в работе нет.
    [CLOSED] 🟣 Закрытых заявок нет.
   *[ALL] Заявок пока нет.
}
desk-button-shelf = { $shelf ->
    [NEW] 🟢 Новые
    [WORK] 🟡 В работе
    [CLOSED] 🟣 Закрытые
   *[ALL] Все
} ({ $count })
desk-line = { $status ->
    [NEW] 🟢
    [WORK] 🟡
   *[CLOSED] 🟣
} №{ $ticket } · { $client }{ $has-technician ->
    [no] {""}
   *[yes] {" "}· 👷 { $technician }
} · { $time }

# Search
desk-find-ask = Что найти? Ответьте на это сообщение: номер заявки, имя, @username или слова из переписки. /cancel — отменить.
desk-find-placeholder = Номер, имя или слова
desk-find-usage = Напишите, что найти, в одной строке с командой, например:
    /find 12
    /find Иван
    /find не печатает принтер
desk-find-late = Этот вопрос уже не ждёт ответа. Напишите сразу: /find и слова.
desk-found-title = По запросу «{ $words }» найдено: { $total }
desk-found-nothing = По запросу «{ $words }» ничего не найдено.
desk-cancelled = Хорошо, поиск отменён.
desk-nothing-to-cancel = Отменять нечего: бот ни о чём не спрашивал.

# One ticket
desk-ticket-usage = Укажите номер заявки, например: /ticket 12
desk-ticket-unknown = Заявки №{ $ticket } нет.
desk-ticket-title = { $status ->
    [NEW] 🟢 Заявка №{ $ticket }: новая
    [WORK] 🟡 Заявка №{ $ticket }: в работе
   *[CLOSED] 🟣 Заявка №{ $ticket }: закрыта
}
desk-ticket-client = Клиент: { $client }, ID { $id }
desk-ticket-technician = Техник: { $has-technician ->
    [no] не назначен
   *[yes] { $technician }
}
desk-ticket-created = Создана: { $time }
desk-ticket-closed = Закрыта: { $time }
desk-ticket-former = Предыдущая заявка: №{ $former }
desk-ticket-no-topic = Тема ещё не открыта.
desk-ticket-events = Последние события:
desk-event = { $time } · { $actor ->
    [CLIENT] клиент
    [TECH] техник
    [STAFF] поддержка
   *[SYSTEM] система
}{ $has-name ->
    [no] {""}
   *[yes] {" "}{ $name }
} · { $action ->
    [said] сообщение
    [noted] заметка
    [specialist_called] позвали специалиста
    [assigned] назначение{ $has-technician ->
        [no] {""}
       *[yes] {" "}→ { $technician }
    }
    [reassigned] передача{ $has-technician ->
        [no] {""}
       *[yes] {" "}→ { $technician }
    }
    [closed] заявка закрыта
    [scored] оценка
    [commented] комментарий к оценке
    [comment_skipped] без комментария
    [survey_timed_out] опрос завершён без ответа
    [not_sent] не отправлено
    [unsupported] сообщение, которое нельзя переслать
    [topic_opened] открыта тема
    [delivery_failed] сообщение не доставлено
    [edited] сообщение исправлено
    [deleted] сообщение удалено у клиента
    [left] клиент заблокировал бота
    [returned] клиент снова на связи
    [resent] отправлено то, что ждало
    [retried] отправлено ещё раз
    [reopened] заявка открыта снова
    [renamed] тема переименована
    [banned] клиент заблокирован
    [unbanned] клиент разблокирован
    [dead_lettered] сообщение не удалось обработать
   *[other] { $action }
}{ $has-words ->
    [no] {""}
   *[yes] : { $words }
}

# The technicians
desk-techs-none = Активных техников нет: укажите их в TECH_GROUPS_MAPPING.
desk-techs-title = Активные техники: { $count }
desk-tech-line = 👷 { $technician } — { $count ->
    [0] свободен, открытых заявок нет
   *[other] открыто { $count }: { $numbers }
}
desk-more = … и ещё { $count }
desk-techs-incomplete = Заявок в работе очень много: посчитаны только самые новые.

# To the administrators, about a group
group-away = 🔴 Бот не может попасть в группу { $chat } ({ $group }): его удалили из неё или группы больше нет. Добавьте бота в группу администратором с правом управлять темами. Сообщения не теряются: они ждут и уйдут сами.{ $has-others ->
    [yes] {" "}Новые заявки пока открываются в других группах.
   *[no] {""}
}
group-no-topics = 🔴 В группе { $chat } ({ $group }) выключены темы. Включите их: настройки группы → «Темы». Сообщения не теряются: они ждут и уйдут сами.{ $has-others ->
    [yes] {" "}Новые заявки пока открываются в других группах.
   *[no] {""}
}
group-no-rights = 🔴 В группе { $chat } ({ $group }) у бота нет права управлять темами. Дайте его: настройки группы → «Администраторы» → бот → «Управление темами». Сообщения не теряются: они ждут и уйдут сами.{ $has-others ->
    [yes] {" "}Новые заявки пока открываются в других группах.
   *[no] {""}
}
group-full = 🔴 В группе { $chat } ({ $group }) больше нельзя создавать темы: их столько, сколько разрешает Telegram. Удалите старые темы или добавьте в настройку MAIN_GROUP_ID ещё одну группу. Сообщения не теряются: они ждут и уйдут сами.{ $has-others ->
    [yes] {" "}Новые заявки пока открываются в других группах.
   *[no] {""}
}
group-moved = 🟠 У группы { $chat } ({ $group }) теперь другой номер: { $moved }. Бот уже пишет туда. Запишите новый номер в настройки и перезапустите программу.
group-well = 🟢 С группой { $chat } ({ $group }) снова всё в порядке.

helper-unknown = 🟠 Telegram не знает токен бота-помощника { $bot } (HELPER_BOT_TOKENS). Возьмите новый у @BotFather. Его сообщения пишет основной бот: они не теряются, только в часы пик идут медленнее.
helper-known = 🟢 Токен бота-помощника { $bot } снова действует.
helper-away = 🟠 Бота-помощника { $bot } нет в группе { $chat } ({ $group }). Добавьте его в группу. Его сообщения пишет основной бот: они не теряются, только в часы пик идут медленнее.
helper-muted = 🟠 Бот-помощник { $bot } не может писать в группе { $chat } ({ $group }). Разрешите ему писать: настройки группы → «Разрешения». Его сообщения пишет основной бот: они не теряются, только в часы пик идут медленнее.
helper-well = 🟢 Бот-помощник { $bot } снова пишет в группе { $chat } ({ $group }).
