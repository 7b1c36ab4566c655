// The client's private chat with the bot.

import * as api from "./api.js";
import { Column } from "./column.js";
import { formDialog } from "./dialogs.js";
import { h, iconButton, replace } from "./dom.js";
import { t } from "./i18n.js";
import { menu } from "./menu.js";
import { Picker } from "./picker.js";
import { GENERAL } from "./world.js";

export class ClientColumn extends Column {
  constructor(parts) {
    super({ ...parts, name: "client" });
    this.picker = new Picker({ label: () => t("client"), choices: () => this.world.clients().map((user) => this.choice(user)), chosen: (id) => this.open(id) });
    this.unblock = h("button", { type: "button", class: "button primary wide", hidden: true, onclick: () => this.block(false) });
    this.buildPane();
    this.composer.element.after(this.unblock);
    this.element.append(this.head, this.pane);
  }

  me = () => (this.chatId === null ? null : { userId: this.chatId, anonymous: false });
  placeName = () => this.world.users.get(this.chatId)?.name ?? t("client");
  emptyText = () => t(this.chatId === null ? "noClients" : "emptyChat");
  choice = (user) => ({ key: user.id, name: user.name, note: [user.username && `@${user.username}`, user.language, user.blocked && t("blocked")].filter(Boolean).join(" · "), seed: user.id, unread: this.unread.ofChat(user.id) });
  owns = (chatId) => Boolean(this.world.users.get(chatId)?.is_client);

  refresh() {
    const clients = this.world.clients();
    const kept = this.chatId ?? this.memory.get("client");
    this.chatId = (clients.find((user) => user.id === kept) ?? clients[0])?.id ?? null;
    this.threadId = GENERAL;
    this.more = iconButton("more", t("menu"), { "aria-haspopup": "menu", onclick: () => this.menu() });
    replace(this.head, h("h2", { class: "column-title" }, t("client")), this.picker.element, iconButton("user", t("addClient"), { class: "new-client", onclick: () => this.newClient() }), this.more);
    this.drawHead();
    super.refresh();
  }

  drawHead() {
    const user = this.world.users.get(this.chatId);
    this.picker.show(user ? this.choice(user) : null);
    this.more.hidden = !user;
    this.composer.element.hidden = !user || Boolean(user.blocked);
    this.unblock.hidden = !user?.blocked;
    this.unblock.textContent = t("unblockBot");
  }

  open(id) {
    this.chatId = id;
    this.memory.set("client", id);
    this.drawHead();
    this.composer.moved();
    this.log.show();
    this.read();
    if (matchMedia("(pointer: fine)").matches) this.composer.input.focus();
  }

  onUser() {
    if (this.chatId === null) this.refresh();
    this.drawHead();
  }

  menu() {
    const { blocked } = this.world.users.get(this.chatId);
    menu([blocked ? { icon: "check", text: t("unblockBot"), run: () => this.block(false) } : { icon: "block", text: t("blockBot"), danger: true, run: () => this.block(true) }], this.more);
  }

  block(blocked) {
    return this.attempt(() => api.block({ user_id: this.chatId, blocked }));
  }

  newClient() {
    const fields = [
      { name: "name", label: t("name"), placeholder: t("anyName"), maxlength: 64 },
      { name: "username", label: t("username"), placeholder: "@username", maxlength: 33, pattern: "@?[A-Za-z][A-Za-z0-9_]{2,31}" },
      { name: "language", label: t("languageCode"), value: "ru", options: [["ru", "Русский"], ["en", "English"]] },
    ];
    const submit = async ({ name, username, language }) => {
      const answer = await api.newClient({ name: name || null, username: username.replace(/^@/, "") || null, language });
      this.world.putUser(answer.user);
      this.open(answer.user.id);
    };
    formDialog({ title: t("addClient"), fields, action: t("add"), submit, explain: (problem) => this.composer.explain(problem) });
  }
}
