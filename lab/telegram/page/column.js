// One of the three columns: a place, its messages, and somebody who writes there.

import { Composer } from "./composer.js";
import { alertDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { Log } from "./log.js";
import { toast } from "./toasts.js";
import { GENERAL } from "./world.js";

export class Column {
  chatId = null;
  threadId = GENERAL;
  identity = null;

  /** `name` is the phone's tab: "client", "main" or "techs". */
  constructor({ name, world, unread, memory }) {
    Object.assign(this, { name, world, unread, memory });
    this.head = h("header", { class: "column-head" });
    this.notes = h("div", { class: "column-toasts", role: "status" });
    this.title = h("h2", { class: "column-title" });
    this.element = h("section", { class: `column ${name}`, dataset: { name } });
  }

  /** Called by the kinds of columns once what their composer needs is there. */
  buildPane(...above) {
    this.log = new Log(this);
    this.log.element.append(this.notes);
    this.composer = new Composer(this);
    this.pane = h("div", { class: "pane", ondragover: (event) => this.dragged(event, true), ondragleave: (event) => this.dragged(event, false), ondrop: (event) => this.dropped(event) },
      above, this.log.element, this.composer.element, h("div", { class: "drop-note", "aria-hidden": "true" }));
    return this.pane;
  }

  /** Everything anew: after loading, or in another language. */
  refresh() {
    this.pane.querySelector(".drop-note").textContent = t("dropHere");
    this.composer.moved();
    this.log.show();
    this.read();
  }

  chat = () => this.world.chats.get(this.chatId);
  place = () => `${this.chatId}/${this.threadId}`;
  message = (id) => (id ? this.world.message(this.chatId, id) : undefined);
  shows = (chatId, threadId) => chatId === this.chatId && threadId === this.threadId;
  sending() { this.log.following = true; }
  accept(message) { this.world.putMessage(message); }
  reply(id) { this.composer.reply(this.message(id)); }
  edit(id) { this.composer.edit(this.message(id)); }
  identityName() { return null; }

  read() {
    if (this.log.visible && this.log.following && !document.hidden) this.unread.read(this.chatId, this.threadId);
  }

  /** The newest own message that can be edited. */
  lastOwn() {
    const ids = this.world.thread(this.chatId, this.threadId);
    for (let at = ids.length - 1; at >= 0; at -= 1) {
      const message = this.message(ids[at]);
      if (this.log.canEdit(message)) return message;
    }
    return null;
  }

  /** Does what the server is asked for; a refusal is shown in place and gives `null`. */
  async attempt(action) {
    try {
      this.composer.fail("");
      return await action();
    } catch (problem) {
      this.composer.fail(this.composer.explain(problem));
      return null;
    }
  }

  // --- what happens in the world ----------------------------------------------------------------

  onMessage({ chat, message, threadId, isNew, type }) {
    const here = this.shows(chat.id, threadId);
    if (here) this.log.touch(message.message_id);
    if (!isNew || type !== "message" || message.service || this.log.isOwn(message)) return;
    if (!(here && this.log.visible && this.log.following && !document.hidden)) this.unread.add(chat.id, threadId);
  }

  onAnswer(answer) {
    if (answer.chat_id !== this.chatId) return;
    this.log.answered();
    if (!answer.text) return;
    if (answer.alert) alertDialog(answer.text);
    else toast(answer.text, this.notes);
  }

  // --- files dropped on the column ------------------------------------------------------------

  dragged(event, over) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (over || !this.pane.contains(event.relatedTarget)) this.pane.classList.toggle("dropping", over);
  }

  dropped(event) {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    this.pane.classList.remove("dropping");
    for (const file of event.dataTransfer.files) this.composer.addFile(file);
  }
}

