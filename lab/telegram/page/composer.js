// Where one writes: text, files, answers, corrections. Drafts stay with their place.

import * as api from "./api.js";
import { attachItems, sampleVoice, startRecording } from "./attach.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { duration, size, summary } from "./format.js";
import { said, t } from "./i18n.js";
import { menu } from "./menu.js";
import { toast } from "./toasts.js";

const FILES_MAX = 10;

export class Composer {
  /** `column`: `chatId`, `threadId`, `place()`, `me()`, `message(id)`, `lastOwn()`, `identity` (a picker's element or null). */
  constructor(column) {
    this.column = column;
    this.drafts = new Map();
    this.draft = fresh();
    // One after the other: quick messages must keep their order.
    this.queue = Promise.resolve();
    this.build();
  }

  build() {
    this.error = h("div", { class: "composer-error", role: "alert" });
    this.context = h("div", { class: "composer-context", hidden: true });
    this.files = h("div", { class: "composer-files", hidden: true });
    this.input = h("textarea", { class: "composer-input", rows: "1", dir: "auto", autocomplete: "off", oninput: () => this.typed(), onkeydown: (event) => this.keyed(event), onpaste: (event) => this.pasted(event) });
    this.chooser = h("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", onchange: () => { for (const file of this.chooser.files) this.addFile(file); this.chooser.value = ""; } });
    this.attach = h("button", { type: "button", class: "icon-button", "aria-haspopup": "menu", onclick: () => menu(attachItems(this, this.attach), this.attach, { above: true }) }, icon("attach"));
    this.go = h("button", { type: "submit", class: "icon-button send" }, icon("send"));
    this.recording = h("div", { class: "composer-recording", hidden: true });
    this.row = h("div", { class: "composer-row" }, this.column.identity, this.attach, this.input, this.go);
    this.element = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.submit(); } }, this.error, this.context, this.files, this.recording, this.row, this.chooser);
  }

  /** Words in the page's language, and whose name stands in the field. */
  relabel() {
    const name = this.column.identityName();
    const prompt = this.draft.files.length ? t("caption") : name ? t("messageAs", { name }) : t("message");
    this.input.placeholder = prompt;
    this.input.setAttribute("aria-label", prompt);
    for (const [button, text] of [[this.attach, t("attach")], [this.go, t("send")]]) {
      button.title = text;
      button.setAttribute("aria-label", text);
    }
  }

  /** Goes to the draft of the column's present place. */
  moved() {
    this.draft.text = this.input.value;
    const key = this.column.place();
    if (!this.drafts.has(key)) this.drafts.set(key, fresh());
    this.draft = this.drafts.get(key);
    this.input.value = this.draft.text;
    this.fail("");
    this.drawContext();
    this.drawFiles();
    this.relabel();
    this.fit();
  }

  // --- writing --------------------------------------------------------------------------------

  typed() {
    this.fail("");
    this.fit();
  }

  fit() {
    this.input.style.setProperty("height", "auto");
    this.input.style.setProperty("height", `${this.input.scrollHeight}px`);
    this.go.classList.toggle("ready", Boolean(this.input.value.trim() || this.draft.files.length));
  }

  keyed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && (this.draft.replyTo || this.draft.editing || this.draft.files.length)) {
      event.preventDefault();
      this.dropContext();
    } else if (event.key === "ArrowUp" && !this.input.value && !this.draft.editing) {
      const last = this.column.lastOwn();
      if (!last) return;
      event.preventDefault();
      this.edit(last);
    }
  }

  reply(message) {
    if (this.draft.editing) this.dropContext();
    this.draft.replyTo = message.message_id;
    this.drawContext();
    this.input.focus();
  }

  edit(message) {
    this.draft.replyTo = null;
    this.draft.editing = message.message_id;
    this.input.value = message.text;
    this.drawContext();
    this.fit();
    this.input.focus();
  }

  dropContext() {
    if (this.draft.editing) this.input.value = "";
    this.draft.editing = null;
    this.draft.replyTo = null;
    this.draft.files = [];
    this.drawContext();
    this.drawFiles();
    this.fit();
  }

  drawContext() {
    const { replyTo, editing } = this.draft;
    const message = this.column.message(editing ?? replyTo);
    this.context.hidden = !message;
    if (!message) return replace(this.context);
    const title = editing ? t("editing") : t("replyTo", { name: message.from.name });
    replace(this.context, icon(editing ? "edit" : "reply"), h("div", { class: "context-side" }, h("b", { dir: "auto" }, title), h("span", { dir: "auto" }, summary(message))), iconButton("close", t(editing ? "cancelEdit" : "cancelReply"), { onclick: () => { this.dropContext(); this.input.focus(); } }));
  }

  // --- files ----------------------------------------------------------------------------------

  pickFiles() {
    this.chooser.click();
  }

  addFile(file) {
    if (this.draft.files.length >= FILES_MAX) return;
    this.draft.files.push(file);
    this.drawFiles();
    this.relabel();
    this.fit();
    this.input.focus();
  }

  pasted(event) {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    for (const file of files) this.addFile(file);
  }

  drawFiles() {
    for (const image of this.files.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.files.hidden = this.draft.files.length === 0;
    replace(this.files, this.draft.files.map((file) => h("div", { class: "chip" },
      /^image\/(png|jpeg|webp|gif)$/.test(file.type) ? h("img", { src: URL.createObjectURL(file), alt: "" }) : icon("file"),
      h("span", { class: "context-side" }, h("b", {}, file.name), h("span", {}, size(file.size))),
      iconButton("close", `${t("cancel")}: ${file.name}`, { onclick: () => { this.draft.files = this.draft.files.filter((other) => other !== file); this.drawFiles(); this.relabel(); this.fit(); } }))));
  }

  async record() {
    let recorder;
    try {
      recorder = await startRecording();
    } catch {
      const { file, seconds } = sampleVoice();
      toast(t("micUnavailable"));
      return this.post({ kind: "voice", media: { duration: seconds }, file });
    }
    const time = h("span", {}, duration(0));
    const ticking = setInterval(() => { time.textContent = duration(recorder.elapsed()); }, 250);
    const finish = async (keep) => {
      clearInterval(ticking);
      this.recording.hidden = true;
      this.row.hidden = false;
      const { file, seconds } = await recorder.stop();
      if (keep) await this.post({ kind: "voice", media: { duration: seconds }, file });
      this.input.focus();
    };
    const sendIt = iconButton("send", t("send"), { class: "send ready", onclick: () => finish(true) });
    replace(this.recording, h("i", { class: "recording-dot" }), h("span", { class: "context-side" }, t("recording")), time, iconButton("trash", t("cancel"), { onclick: () => finish(false) }), sendIt);
    this.recording.hidden = false;
    this.row.hidden = true;
    sendIt.focus();
  }

  // --- sending --------------------------------------------------------------------------------

  submit() {
    const text = this.input.value.trim();
    const { files, replyTo, editing } = this.draft;
    if (!text && files.length === 0) return;
    const target = this.target();
    const draft = this.draft;
    this.input.value = "";
    Object.assign(draft, fresh());
    this.drawContext();
    this.drawFiles();
    this.relabel();
    this.fit();
    this.column.sending();
    this.later(draft, { text, files, replyTo, editing }, async () => {
      if (editing) return this.accept(await api.edit({ user_id: target.user_id, chat_id: target.chat_id, message_id: editing, text }));
      const parts = files.length ? files.map((file, at) => ({ file, text: at ? "" : text })) : [{ text }];
      for (const part of parts) this.accept(await api.send({ ...target, ...part, reply_to: replyTo }));
    });
  }

  /** Runs in turn; on failure what was written returns to its draft, so that nothing is lost. */
  later(draft, written, work) {
    this.queue = this.queue.then(async () => {
      try {
        await work();
      } catch (problem) {
        if (draft === this.draft && !this.input.value) {
          Object.assign(draft, written);
          this.input.value = written.text;
          this.drawContext();
          this.drawFiles();
          this.fit();
        } else if (draft !== this.draft && !draft.text) Object.assign(draft, written);
        this.fail(this.explain(problem));
      }
    });
    return this.queue;
  }

  target() {
    const me = this.column.me();
    return { user_id: me?.userId, chat_id: this.column.chatId, thread_id: this.column.threadId || null, anonymous: me?.anonymous || null };
  }

  /** Sends something that is no text, with the reply that is set. Errors are shown in place. */
  async post(content) {
    try {
      await this.deliver(content);
    } catch (problem) {
      this.fail(this.explain(problem));
    }
  }

  async deliver(content) {
    const reply_to = this.draft.replyTo;
    this.column.sending();
    this.accept(await api.send({ ...this.target(), ...content, reply_to }));
    if (this.draft.replyTo === reply_to) {
      this.draft.replyTo = null;
      this.drawContext();
    }
  }

  accept(answer) {
    if (answer?.message) this.column.accept(answer.message);
  }

  fail(text) {
    this.error.textContent = text;
  }

  explain(problem) {
    if (problem instanceof api.Unreachable) return t("unreachable");
    if (problem instanceof api.Refused) return t("failed", { what: said(problem.message) });
    throw problem;
  }
}

const fresh = () => ({ text: "", files: [], replyTo: null, editing: null });
