// What the page knows: people, chats, topics and messages, kept in step by events.

/** The place of messages that are in no topic: a private chat, or a group's General. */
export const GENERAL = 0;

export class World extends EventTarget {
  bots = [];
  users = new Map();
  chats = new Map();
  statusUrl = null;
  seq = 0;

  load(raw) {
    this.seq = raw.seq ?? 0;
    this.bots = raw.bots ?? [];
    this.statusUrl = raw.status_url ?? null;
    this.users = new Map(raw.users.map((user) => [user.id, user]));
    this.chats = new Map();
    for (const chat of raw.chats) this.putChat(chat, chat.messages);
    this.tell("reset");
  }

  apply(change) {
    if (change.seq !== undefined && change.seq <= this.seq) return;
    this.seq = change.seq ?? this.seq;
    switch (change.type) {
      case "message":
      case "edit":
      case "delete":
      case "reaction":
        this.putMessage(change.message ?? change, change.type);
        break;
      case "topic":
        this.putTopic(change.chat_id, change.topic ?? change);
        break;
      case "chat":
        this.putChat(change.chat ?? change);
        this.tell("chat", { chatId: (change.chat ?? change).id });
        break;
      case "user":
        this.putUser(change.user ?? change);
        break;
      case "block":
        this.putUser({ ...this.users.get(change.user_id), id: change.user_id, blocked: change.blocked });
        break;
      case "answer":
        this.tell("answer", change);
        break;
    }
  }

  putUser(user) {
    this.users.set(user.id, { ...this.users.get(user.id), ...user });
    this.tell("user", { userId: user.id });
  }

  putChat(raw, messages = []) {
    const known = this.chats.get(raw.id);
    const chat = known ?? { messages: new Map(), threads: new Map(), topics: new Map() };
    Object.assign(chat, { id: raw.id, type: raw.type, title: raw.title, role: raw.role, members: raw.members ?? [] });
    chat.topics = new Map((raw.topics ?? []).map((topic) => [topic.thread_id, topic]));
    this.chats.set(chat.id, chat);
    for (const message of messages) this.store(chat, message);
    return chat;
  }

  putTopic(chatId, topic) {
    const chat = this.chats.get(chatId);
    if (!chat) return;
    const before = chat.topics.get(topic.thread_id);
    if (topic.deleted) chat.topics.delete(topic.thread_id);
    else chat.topics.set(topic.thread_id, { ...before, ...topic });
    this.tell("topic", { chat, threadId: topic.thread_id, isNew: !before && !topic.deleted, renamed: Boolean(before) && before.name !== topic.name });
  }

  putMessage(message, type = "message") {
    const chat = this.chats.get(message.chat_id);
    if (!chat) return;
    const isNew = this.store(chat, message);
    this.tell("message", { chat, message, threadId: threadOf(message), isNew, type });
  }

  /** Keeps each thread's list in order of message ids; returns whether the message was unknown. */
  store(chat, message) {
    const known = chat.messages.get(message.message_id);
    const list = listOf(chat, threadOf(message));
    chat.messages.set(message.message_id, message);
    if (!known && !message.deleted) {
      let at = list.length;
      while (at > 0 && list[at - 1] > message.message_id) at -= 1;
      list.splice(at, 0, message.message_id);
    }
    if (known && message.deleted) {
      const at = indexOfId(list, message.message_id);
      if (list[at] === message.message_id) list.splice(at, 1);
    }
    return !known;
  }

  /** The ids of a thread's messages in order; the array itself, so do not change it. */
  thread(chatId, threadId) {
    const chat = this.chats.get(chatId);
    return chat ? listOf(chat, threadId) : [];
  }

  message(chatId, messageId) {
    return this.chats.get(chatId)?.messages.get(messageId);
  }

  last(chat, threadId) {
    return chat.messages.get(listOf(chat, threadId).at(-1));
  }

  /** Clients with their private chats; the one who wrote or was written to last comes first. */
  clients() {
    const found = [...this.users.values()].filter((user) => user.is_client);
    const lastAt = (user) => {
      const chat = this.chats.get(user.id);
      const last = chat && this.last(chat, GENERAL);
      return last?.at ?? last?.date ?? 0;
    };
    return found.map((user) => [lastAt(user), user]).sort((a, b) => b[0] - a[0] || b[1].id - a[1].id).map(([, user]) => user);
  }

  groups(role) {
    return [...this.chats.values()].filter((chat) => chat.type !== "private" && chat.role === role);
  }

  /** The people who may write in a group, in the order of its members; bots left out. */
  people(chat) {
    const isBot = new Set(this.bots.map((bot) => bot.id));
    return chat.members.map((id) => this.users.get(id)).filter((user) => user && !isBot.has(user.id) && !user.is_bot);
  }

  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
  }
}

export const threadOf = (message) => message.thread_id ?? GENERAL;

/** Where an id stands, or would stand, in an ascending list of ids. */
export function indexOfId(list, id) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function listOf(chat, threadId) {
  let list = chat.threads.get(threadId);
  if (!list) chat.threads.set(threadId, (list = []));
  return list;
}
