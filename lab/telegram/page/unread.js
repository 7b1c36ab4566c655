// How many messages nobody has looked at yet, by place.

import { GENERAL } from "./world.js";

const key = (chatId, threadId) => `${chatId}/${threadId ?? GENERAL}`;

export class Unread extends EventTarget {
  counts = new Map();

  add(chatId, threadId) {
    this.counts.set(key(chatId, threadId), this.of(chatId, threadId) + 1);
    this.tell(chatId, threadId);
  }

  read(chatId, threadId) {
    if (this.counts.delete(key(chatId, threadId))) this.tell(chatId, threadId);
  }

  of(chatId, threadId) {
    return this.counts.get(key(chatId, threadId)) ?? 0;
  }

  ofChat(chatId) {
    let sum = 0;
    for (const [place, count] of this.counts) if (place.startsWith(`${chatId}/`)) sum += count;
    return sum;
  }

  tell(chatId, threadId) {
    this.dispatchEvent(new CustomEvent("change", { detail: { chatId, threadId } }));
  }
}
