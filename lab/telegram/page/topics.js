// The list of a group's topics: live titles, the last words, what is unread.

import { batched, h, icon, iconButton, replace } from "./dom.js";
import { graphemes, shortTime, summary, topicLetter } from "./format.js";
import { said, t } from "./i18n.js";
import { GENERAL } from "./world.js";

// Telegram's six icon colours, in the order of their names in the style sheet.
const ICON_COLOURS = [7322096, 16766590, 13338331, 9367192, 16749490, 16478047];
const PREVIEW = 60;

export class Topics {
  /** `column`: `world`, `chat()`, `threadId`, `unreadOf(threadId)`, `open(threadId)`, `createTopic()`. */
  constructor(column) {
    this.column = column;
    this.rows = new Map();
    this.list = h("div", { class: "topic-list", role: "listbox", tabindex: "-1", onkeydown: (event) => this.walk(event) });
    this.add = iconButton("plus", t("createTopic"), { onclick: () => column.createTopic() });
    this.heading = h("h3", {});
    this.element = h("div", { class: "topics" }, h("div", { class: "topics-head" }, this.heading, this.add), this.list);
    this.dirty = new Set();
    this.flush = batched(() => this.update());
  }

  /** Everything anew: another group or another language. */
  show() {
    const chat = this.column.chat();
    this.heading.textContent = t("topicsShort");
    this.list.setAttribute("aria-label", chat ? t("topics", { name: chat.title }) : "");
    for (const name of ["aria-label", "title"]) this.add.setAttribute(name, t("createTopic"));
    this.add.hidden = !chat;
    this.rows.clear();
    this.list.replaceChildren();
    if (!chat) return;
    for (const threadId of [GENERAL, ...chat.topics.keys()]) this.dirty.add(threadId);
    this.update();
  }

  touch(threadId) {
    this.dirty.add(threadId);
    this.flush();
  }

  update() {
    const chat = this.column.chat();
    if (!chat) return;
    for (const threadId of this.dirty) this.draw(chat, threadId);
    this.dirty.clear();
    this.order(chat);
    const open = this.rows.get(this.column.threadId) ?? this.rows.get(GENERAL);
    for (const row of this.rows.values()) {
      row.node.setAttribute("aria-selected", String(row === open && this.column.threadId !== null));
      row.node.tabIndex = row === open ? 0 : -1;
    }
  }

  draw(chat, threadId) {
    const topic = chat.topics.get(threadId);
    if (!topic && threadId !== GENERAL) {
      this.rows.get(threadId)?.node.remove();
      this.rows.delete(threadId);
      return;
    }
    const row = this.rows.get(threadId) ?? this.make(threadId);
    const name = topic?.name ?? t("general");
    const last = this.column.world.last(chat, threadId);
    const unread = this.column.unreadOf(threadId);
    if (row.name.textContent !== name) {
      const renamed = row.name.textContent !== "";
      row.name.textContent = name;
      row.node.title = name;
      replace(row.icon, topic ? topicLetter(name) : icon("hash"));
      row.icon.className = `topic-icon ${topic ? `i${Math.max(0, ICON_COLOURS.indexOf(topic.icon_color))}` : "general"}`;
      if (renamed) this.glow(row.node);
    }
    row.node.classList.toggle("closed", Boolean(topic?.closed));
    row.state.hidden = !topic?.closed;
    row.time.textContent = last ? shortTime(last.date) : "";
    replace(row.last, last ? preview(last) : "");
    row.unread.textContent = unread || "";
    row.unread.hidden = !unread;
    row.unread.setAttribute("aria-label", t("unread", { n: unread }));
    row.at = last ? (last.at ?? last.date) : 0;
    row.id = last ? last.message_id : threadId;
  }

  make(threadId) {
    const row = { icon: h("span", { "aria-hidden": "true" }), name: h("b", { class: "topic-name", dir: "auto" }), time: h("time", {}), last: h("span", { class: "topic-last" }), unread: h("span", { class: "unread" }), state: h("span", { class: "topic-lock", title: t("closedTopic") }, icon("lock")) };
    const pick = () => this.column.open(threadId, { byHand: true });
    row.node = h("div", { class: "topic", role: "option", dataset: { thread: threadId }, onclick: pick, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } } },
      row.icon, h("span", { class: "topic-side" }, row.name, h("span", { class: "topic-bottom" }, row.last, row.state, row.time, row.unread)));
    this.rows.set(threadId, row);
    this.list.append(row.node);
    return row;
  }

  /** General first, then by the last message; only rows that are out of place are moved. */
  order(chat) {
    const wanted = [...this.rows].filter(([threadId]) => threadId === GENERAL || chat.topics.has(threadId)).sort(([a, one], [b, other]) => (b === GENERAL) - (a === GENERAL) || other.at - one.at || other.id - one.id);
    let place = this.list.firstElementChild;
    for (const [, row] of wanted) {
      if (row.node === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.node, place);
    }
  }

  glow(node) {
    node.classList.remove("renamed");
    requestAnimationFrame(() => node.classList.add("renamed"));
  }

  walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = [...this.list.children];
    rows[(rows.indexOf(document.activeElement) + step + rows.length) % rows.length].focus();
  }
}

function preview(message) {
  if (message.service) return said(message.service);
  const text = summary(message, PREVIEW);
  return [h("i", {}, `${graphemes(message.from.name).slice(0, 20).join("")}: `), text];
}
