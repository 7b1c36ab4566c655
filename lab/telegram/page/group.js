// A group with topics: the main one, or one of the technicians' groups.

import * as api from "./api.js";
import { Column } from "./column.js";
import { confirmDialog, formDialog } from "./dialogs.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { t } from "./i18n.js";
import { menu } from "./menu.js";
import { Picker, avatar } from "./picker.js";
import { Topics } from "./topics.js";
import { GENERAL } from "./world.js";

export class GroupColumn extends Column {
  byHand = false;
  chosen = new Map();

  /** `role`: "main" or "tech". */
  constructor({ role, ...parts }) {
    super({ ...parts, name: role === "main" ? "main" : "techs" });
    this.role = role;
    this.picker = new Picker({ label: () => t(this.label()), choices: () => this.world.groups(role).map((chat) => this.choice(chat)), chosen: (id) => this.openChat(id) });
    this.speaker = new Picker({ label: () => t("as"), choices: () => this.speakers(), chosen: (key) => this.speakAs(key) });
    this.speaker.element.classList.add("speaker");
    this.identity = this.speaker.element;
    this.topics = new Topics(this);
    this.paneHead = h("div", { class: "pane-head" });
    this.body = h("div", { class: "column-body", dataset: { view: "topics" } }, this.topics.element, this.buildPane(this.paneHead));
    this.element.append(this.head, this.body);
  }

  label = () => (this.role === "main" ? "main" : "techs");
  owns = (chatId) => this.world.chats.get(chatId)?.role === this.role;
  choice = (chat) => ({ key: chat.id, name: chat.title, note: this.world.people(chat).map((user) => user.name).join(", "), seed: chat.id, unread: this.unread.ofChat(chat.id) });
  topic = () => this.chat()?.topics.get(this.threadId);
  placeName = () => `${this.chat()?.title ?? ""}: ${this.topic()?.name ?? t("general")}`;
  emptyText = () => t(!this.chat() ? "noGroup" : this.threadId === GENERAL && this.chat().topics.size === 0 ? "emptyTopics" : "emptyTopic");

  // --- as whom one writes -------------------------------------------------------------------------

  speakers() {
    const chat = this.chat();
    if (!chat) return [];
    const people = this.world.people(chat);
    // A technician's group has no admins of the staff to hide behind, except its own people.
    const admin = people.find((user) => !user.is_technician) ?? people[0];
    const shown = people.map((user) => ({ key: String(user.id), userId: user.id, anonymous: false, name: user.name, note: user.username ? `@${user.username}` : "", seed: user.id }));
    if (admin) shown.push({ key: "anonymous", userId: admin.id, anonymous: true, name: t("anonymous"), note: chat.title, seed: chat.id });
    return shown;
  }

  speakingAs() {
    const all = this.speakers();
    return all.find((one) => one.key === this.chosen.get(this.chatId)) ?? all[0] ?? null;
  }

  me = () => this.speakingAs();
  identityName = () => this.speakingAs()?.name ?? null;

  speakAs(key) {
    this.chosen.set(this.chatId, key);
    this.speaker.show(this.speakingAs());
    this.composer.relabel();
    this.log.show();
    this.composer.input.focus();
  }

  // --- where one is -------------------------------------------------------------------------------

  refresh() {
    const groups = this.world.groups(this.role);
    const kept = this.chatId ?? this.memory.get(`${this.name}.chat`);
    const chat = groups.find((one) => one.id === kept) ?? groups[0];
    this.chatId = chat?.id ?? null;
    const thread = this.memory.get(`${this.name}.thread`);
    const stands = chat && (chat.topics.has(this.threadId) || (this.byHand && this.threadId === GENERAL));
    if (chat && !stands) this.threadId = chat.topics.has(thread) ? thread : this.liveliest(chat);
    this.drawHead();
    this.topics.show();
    this.speaker.show(this.speakingAs());
    this.drawPaneHead();
    super.refresh();
  }

  liveliest(chat) {
    const at = (threadId) => this.world.last(chat, threadId)?.message_id ?? threadId;
    return [...chat.topics.keys()].reduce((best, threadId) => (at(threadId) > at(best) ? threadId : best), chat.topics.keys().next().value ?? GENERAL);
  }

  drawHead() {
    const chat = this.chat();
    const many = this.world.groups(this.role).length > 1;
    if (many && chat) this.picker.show(this.choice(chat));
    const shown = many ? this.picker.element : chat ? h("div", { class: "picker plain" }, avatar(chat.title, chat.id), h("span", { class: "picker-side" }, h("b", { class: "picker-name", dir: "auto" }, chat.title), h("span", { class: "picker-note" }, this.choice(chat).note))) : null;
    replace(this.head, h("h2", { class: "column-title" }, t(this.label())), shown);
    this.composer.element.hidden = !chat;
  }

  drawPaneHead() {
    const topic = this.topic();
    const more = iconButton("more", t("menu"), { "aria-haspopup": "menu", onclick: () => menu(this.actions(topic), more) });
    const back = iconButton("back", t("back"), { class: "back", onclick: () => this.showTopics() });
    replace(this.paneHead, back, h("h3", { class: "pane-title", dir: "auto", title: topic?.name ?? t("general") }, topic?.name ?? t("general")), topic?.closed ? h("span", { class: "pane-state" }, icon("lock"), t("closedTopic")) : null, topic ? more : null);
  }

  showTopics() {
    this.body.dataset.view = "topics";
    const row = this.topics.rows.get(this.threadId)?.node;
    row?.focus();
  }

  openChat(id) {
    this.chatId = id;
    this.threadId = this.liveliest(this.chat());
    this.byHand = false;
    this.memory.set(`${this.name}.chat`, id);
    this.refresh();
  }

  open(threadId, { byHand = false } = {}) {
    this.byHand ||= byHand;
    this.threadId = threadId;
    this.memory.set(`${this.name}.thread`, threadId);
    if (byHand) this.body.dataset.view = "chat";
    this.drawPaneHead();
    this.topics.touch(threadId);
    this.composer.moved();
    this.log.show();
    this.read();
  }

  // --- topics ---------------------------------------------------------------------------------------

  actions(topic) {
    const toggle = topic.closed ? { icon: "unlock", text: t("reopenTopic"), run: () => this.change("reopen") } : { icon: "lock", text: t("closeTopic"), run: () => this.change("close") };
    const remove = async () => (await confirmDialog(t("sure", { name: topic.name }), t("deleteTopic"))) && this.change("delete");
    return [{ icon: "edit", text: t("rename"), run: () => this.nameTopic("rename", topic.name) }, toggle, { icon: "trash", text: t("deleteTopic"), danger: true, run: remove }];
  }

  request(action, more = {}) {
    return api.topic({ user_id: this.me().userId, chat_id: this.chatId, action, ...more });
  }

  change(action) {
    return this.attempt(() => this.request(action, { thread_id: this.threadId }));
  }

  createTopic() {
    this.nameTopic("create", "");
  }

  nameTopic(action, value) {
    const submit = async ({ name }) => {
      const answer = await this.request(action, action === "create" ? { name } : { name, thread_id: this.threadId });
      if (action !== "create") return;
      this.world.putTopic(this.chatId, answer.topic);
      this.open(answer.topic.thread_id, { byHand: true });
    };
    const fields = [{ name: "name", label: t("title"), value, required: true, maxlength: 128 }];
    formDialog({ title: t(action === "create" ? "createTopic" : "rename"), fields, action: t("save"), submit, explain: (problem) => this.composer.explain(problem) });
  }

  unreadOf = (threadId) => this.unread.of(this.chatId, threadId);

  // --- what happens in the world ------------------------------------------------------------------

  onMessage(change) {
    super.onMessage(change);
    if (change.chat.id === this.chatId) this.topics.touch(change.threadId);
  }

  onTopic({ chat, threadId, isNew }) {
    if (chat.id !== this.chatId) return;
    this.topics.touch(threadId);
    // Until somebody chooses, the column follows what is new, as one who watches would.
    if (isNew && !this.byHand) return this.open(threadId);
    if (threadId !== this.threadId) return;
    if (!chat.topics.has(threadId)) this.open(GENERAL);
    this.drawPaneHead();
  }

  onUnread(chatId, threadId) {
    if (chatId === this.chatId) this.topics.touch(threadId);
    if (this.owns(chatId) && this.picker.opened === undefined) this.drawHead();
  }
}
