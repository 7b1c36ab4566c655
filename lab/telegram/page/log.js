// The messages of one place. Only a window of them is in the page: thousands stay cheap.

import * as api from "./api.js";
import { batched, h, icon } from "./dom.js";
import { dayKey, dayName } from "./format.js";
import { t } from "./i18n.js";
import { emojiStrip, REACTIONS } from "./menu.js";
import { messageNode, sameRun, updateNode } from "./message.js";
import { indexOfId } from "./world.js";

const WINDOW = 80;
const STEP = 60;
const NODES_MAX = 320;
const EDGE_PX = 300;
const BOTTOM_PX = 60;
const PRESS_WAIT_MS = 12_000;

export class Log {
  /** `column`: `world`, `chatId`, `threadId`, `me()` → `{userId, anonymous}`, `reply`, `edit`, `failed`, `read`. */
  constructor(column) {
    this.column = column;
    this.list = h("div", { class: "messages", role: "log", tabindex: "0", onscroll: () => this.scrolled(), onkeydown: (event) => this.keyed(event), onclick: (event) => this.tapped(event) });
    this.count = h("span", { class: "unread" });
    this.jumpDown = h("button", { type: "button", class: "jump-down", hidden: true, onclick: () => this.toBottom() }, icon("down"), this.count);
    this.empty = h("p", { class: "empty" });
    this.element = h("div", { class: "log" }, this.list, this.empty, this.jumpDown);
    this.changed = new Set();
    this.missed = 0;
    this.flush = batched(() => this.update());
    // The list shrinks when the composer grows or a phone's keyboard opens: stay where we were.
    new ResizeObserver(() => this.following && this.stick()).observe(this.list);
    this.list.addEventListener("load", () => this.following && this.stick(), true);
    // What nobody sees is not read: another tab of the page, a phone's other view.
    this.visible = false;
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible) this.column.read();
    }).observe(this.element);
  }

  // --- what a message asks of its log -------------------------------------------------------

  get isGroup() { return this.column.chat()?.type !== "private"; }
  me = () => this.column.me()?.userId;
  message = (id) => this.column.world.message(this.column.chatId, id);
  name = (userId) => this.column.world.users.get(userId)?.name ?? this.column.world.bots.find((bot) => bot.id === userId)?.name ?? t("someone");
  reply = (id) => this.column.reply(id);
  edit = (id) => this.column.edit(id);
  canEdit = (message) => this.isOwn(message) && !message.from.anonymous && (message.kind === "text" || Boolean(message.text));

  /** Written by the identity that is chosen now: one's own anonymous words stand on the other side. */
  isOwn(message) {
    const me = this.column.me();
    if (!me) return false;
    return message.from.anonymous ? me.anonymous : !me.anonymous && message.from.id === me.userId;
  }

  async toggle(id, emoji) {
    const mine = this.message(id)?.reactions?.find((reaction) => reaction.from === this.me());
    await this.column.attempt(() => api.react({ user_id: this.me(), chat_id: this.column.chatId, message_id: id, emoji: mine?.emoji === emoji ? null : emoji }));
  }

  reactTo(id, anchor) {
    emojiStrip(REACTIONS, anchor, (emoji) => this.toggle(id, emoji));
  }

  async press(id, row, column, button) {
    if (button.classList.contains("busy")) return;
    button.classList.add("busy");
    const answer = await this.column.attempt(() => api.press({ user_id: this.me(), chat_id: this.column.chatId, message_id: id, row, column }));
    if (!answer) return void button.classList.remove("busy");
    // A bot that never answers must not leave the button spinning.
    setTimeout(() => button.classList.remove("busy"), PRESS_WAIT_MS);
  }

  answered() {
    for (const button of this.list.querySelectorAll(".key.busy")) button.classList.remove("busy");
  }

  // --- showing a place ----------------------------------------------------------------------

  ids() {
    return this.column.world.thread(this.column.chatId, this.column.threadId);
  }

  /** Draws the newest messages of the column's place; or those around `aroundId`. */
  show(aroundId = null) {
    const ids = this.ids();
    const at = aroundId === null ? ids.length : indexOfId(ids, aroundId) + WINDOW / 2;
    const end = Math.min(ids.length, Math.max(at, WINDOW));
    this.changed.clear();
    this.first = Math.max(0, end - WINDOW);
    this.end = end;
    // Not read aloud: only what comes in later is news.
    this.list.setAttribute("aria-busy", "true");
    this.list.setAttribute("aria-label", t("log", { name: this.column.placeName() }));
    this.list.replaceChildren();
    this.insert(this.first, this.end, null);
    this.following = this.end === ids.length && aroundId === null;
    if (this.following) this.stick();
    this.missed = 0;
    this.state();
    requestAnimationFrame(() => this.list.setAttribute("aria-busy", "false"));
  }

  insert(from, to, before) {
    const ids = this.ids();
    const fresh = document.createDocumentFragment();
    for (let at = from; at < to; at += 1) {
      const message = this.message(ids[at]);
      const node = messageNode(message, this);
      this.mark(node, this.message(ids[at - 1]), message, this.message(ids[at + 1]));
      fresh.append(...this.withDay(node, this.message(ids[at - 1]), message));
    }
    this.list.insertBefore(fresh, before);
  }

  /** Continues the list up to `to`; what was its last message may go on in the next one. */
  append(to, ids) {
    const last = ids[this.end - 1];
    this.insert(this.end, to, null);
    this.end = to;
    this.remark(last);
  }

  withDay(node, previous, message) {
    if (previous && dayKey(previous.date) === dayKey(message.date)) return [node];
    return [h("div", { class: "day", dataset: { for: message.message_id } }, h("span", {}, dayName(message.date))), node];
  }

  mark(node, previous, message, next) {
    node.classList.toggle("first", !sameRun(previous, message));
    node.classList.toggle("last", !sameRun(message, next));
  }

  node(id) {
    return this.list.querySelector(`[data-id="${Number(id)}"]`);
  }

  // --- keeping it in step ---------------------------------------------------------------------

  /** A message of this place is new, changed or gone; drawn with the next frame. */
  touch(id) {
    this.changed.add(id);
    this.flush();
  }

  update() {
    const ids = this.ids();
    const follow = this.following;
    const touched = [...this.changed].sort((a, b) => a - b);
    this.changed.clear();
    for (const id of touched) {
      const message = this.message(id);
      const node = this.node(id);
      if (!message || message.deleted) this.remove(id, node);
      else if (node) updateNode(node, message, this);
      else this.arrived(id, ids);
    }
    if (follow) {
      this.trimTop();
      this.stick();
      this.column.read();
    }
    this.state();
  }

  arrived(id, ids) {
    const at = indexOfId(ids, id);
    if (at < this.end) return; // older than what is shown
    if (!this.following) this.missed += 1;
    if (at !== this.end || (!this.following && this.list.childElementCount > NODES_MAX)) return;
    this.append(at + 1, ids);
    this.list.lastElementChild.classList.add("arrived");
  }

  remove(id, node) {
    if (!node) return;
    const day = this.list.querySelector(`.day[data-for="${Number(id)}"]`);
    node.remove();
    this.end -= 1;
    // The day's mark stays when others of that day follow it.
    if (day && !day.nextElementSibling?.matches(".message, .service")) day.remove();
    for (const other of this.list.querySelectorAll(".message")) this.remark(Number(other.dataset.id));
  }

  remark(id) {
    const ids = this.ids();
    const at = indexOfId(ids, id);
    const node = this.node(id);
    if (node) this.mark(node, this.message(ids[at - 1]), this.message(id), this.message(ids[at + 1]));
  }

  trimTop() {
    if (this.list.childElementCount <= NODES_MAX) return;
    while (this.list.querySelectorAll("[data-id]").length > WINDOW) this.list.firstElementChild.remove();
    this.first = Math.max(0, this.end - WINDOW);
  }

  // --- scrolling --------------------------------------------------------------------------------

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    const below = scrollHeight - scrollTop - clientHeight;
    const ids = this.ids();
    if (scrollTop < EDGE_PX && this.first > 0) this.older();
    if (below < EDGE_PX && this.end < ids.length) this.newer(ids);
    this.following = below < BOTTOM_PX && this.end === ids.length;
    if (this.following && this.missed) {
      this.missed = 0;
      this.column.read();
    }
    this.state();
  }

  older() {
    const from = Math.max(0, this.first - STEP);
    const anchor = this.list.querySelector("[data-id]");
    const before = anchor?.offsetTop ?? 0;
    this.list.setAttribute("aria-busy", "true");
    const start = this.list.firstElementChild;
    this.insert(from, this.first, start);
    this.first = from;
    this.list.scrollTop += (anchor?.offsetTop ?? 0) - before;
    requestAnimationFrame(() => this.list.setAttribute("aria-busy", "false"));
  }

  newer(ids) {
    this.append(Math.min(ids.length, this.end + STEP), ids);
  }

  stick() {
    this.list.scrollTop = this.list.scrollHeight;
  }

  toBottom() {
    if (this.end < this.ids().length) this.show();
    else this.list.scrollTo({ top: this.list.scrollHeight, behavior: calm() ? "auto" : "smooth" });
    this.following = true;
    this.missed = 0;
    this.column.read();
    this.state();
  }

  jump(id) {
    if (!this.node(id)) this.show(id);
    const node = this.node(id);
    if (!node) return;
    this.following = false;
    node.scrollIntoView({ block: "center", behavior: calm() ? "auto" : "smooth" });
    node.focus({ preventScroll: true });
    node.classList.remove("flash");
    requestAnimationFrame(() => node.classList.add("flash"));
  }

  state() {
    const away = !this.following && this.ids().length > 0 && this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight > BOTTOM_PX;
    this.jumpDown.hidden = !away;
    this.jumpDown.setAttribute("aria-label", this.missed ? `${t("newMessages")}: ${this.missed}` : t("jumpDown"));
    this.count.textContent = this.missed || "";
    this.count.hidden = !this.missed;
    this.empty.hidden = this.ids().length > 0;
    this.empty.textContent = this.column.emptyText();
  }

  // --- keyboard and touch -------------------------------------------------------------------------

  /** Arrow keys walk over the messages; R answers, E edits, plus reacts, as the tools beside them do. */
  keyed(event) {
    const current = event.target.closest(".message");
    const onMessage = current === event.target;
    if (["ArrowUp", "ArrowDown"].includes(event.key) && (onMessage || event.target === this.list)) {
      event.preventDefault();
      const all = [...this.list.querySelectorAll(".message")];
      const at = current ? all.indexOf(current) + (event.key === "ArrowUp" ? -1 : 1) : all.length - 1;
      this.activate(all[Math.max(0, Math.min(all.length - 1, at))]);
    } else if (onMessage && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const tool = { KeyR: ".icon-reply", Enter: ".icon-reply", KeyE: ".icon-edit", Equal: ".icon-smile", NumpadAdd: ".icon-smile" }[event.code];
      const button = tool && current.querySelector(`.tools ${tool}`)?.closest("button");
      if (button) {
        event.preventDefault();
        button.click();
      }
    }
  }

  tapped(event) {
    if (event.target.closest("button, a, video, audio, .spoiler")) return;
    const node = event.target.closest(".message");
    if (node && !String(getSelection())) this.activate(node, { scroll: false });
  }

  /** One message at a time takes part in the tab order, with its tools. */
  activate(node, { scroll = true } = {}) {
    if (!node) return;
    for (const other of this.list.querySelectorAll(".message.active")) this.reachable(other, false);
    this.reachable(node, true);
    node.focus({ preventScroll: !scroll });
  }

  reachable(node, on) {
    node.classList.toggle("active", on);
    for (const button of node.querySelectorAll(".tools button")) button.tabIndex = on ? 0 : -1;
  }
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
