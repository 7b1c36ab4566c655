// One message: a bubble with what belongs to it, or a pill for service messages.

import { safeAddress } from "./api.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { marked } from "./entities.js";
import { bigEmoji, clock, colour, fullTime, summary } from "./format.js";
import { said, t } from "./i18n.js";
import { mediaOf } from "./media.js";
import { avatar } from "./picker.js";

const GROUP_WITHIN_S = 300;

/** Messages of one author that follow each other closely are drawn as one run. */
export function sameRun(one, other) {
  return Boolean(one && other) && !one.service && !other.service && one.from.id === other.from.id && Boolean(one.from.anonymous) === Boolean(other.from.anonymous) && Math.abs(one.date - other.date) < GROUP_WITHIN_S;
}

// What each part was drawn from, so that a change redraws only its part: a playing video goes on under a new reaction.
const drawn = new WeakMap();

/**
 * `view` is the log that shows it: `isOwn(message)`, `isGroup`, `message(id)`, `name(userId)`, `me()`,
 * and the actions `reply`, `edit`, `reactTo`, `toggle`, `press`, `jump`.
 */
export function messageNode(message, view) {
  if (message.service) {
    return h("div", { class: "service", dataset: { id: message.message_id }, title: fullTime(message.date) }, h("span", { dir: "auto" }, said(message.service)));
  }
  const own = view.isOwn(message);
  const node = h("article", { class: own ? "message own" : "message", dataset: { id: message.message_id }, tabindex: "-1" },
    view.isGroup && !own ? avatar(message.from.name, message.from.id, message.from.is_bot ? "bot" : "") : null,
    h("div", { class: "stack" }, h("div", { class: "bubble" }), h("div", { class: "keyboard" })),
    tools(message, view));
  drawn.set(node, {});
  updateNode(node, message, view);
  return node;
}

/** Redraws what differs from what the node shows. */
export function updateNode(node, message, view) {
  if (message.service) return;
  const kept = drawn.get(node);
  const [bubble, keyboard] = node.querySelector(".stack").children;
  const replied = message.reply_to ? view.message(message.reply_to) : null;
  const body = JSON.stringify([message.text, message.entities, message.media, message.edited, message.from.name, replied && [replied.text, replied.deleted]]);
  if (kept.body !== body) {
    kept.body = body;
    drawBody(bubble, message, view, replied);
    node.setAttribute("aria-label", `${message.from.name}, ${clock(message.date)}: ${summary(message)}`);
  }
  const reactions = JSON.stringify(message.reactions ?? []);
  if (kept.reactions !== reactions) {
    kept.reactions = reactions;
    bubble.querySelector(".reactions").replaceWith(reactionsRow(message, view));
  }
  const buttons = JSON.stringify(message.buttons ?? []);
  if (kept.buttons !== buttons) {
    kept.buttons = buttons;
    replace(keyboard, (message.buttons ?? []).map((row, rowAt) => h("div", { class: "keyboard-row" }, row.map((button, at) => keyboardButton(button, message, rowAt, at, view)))));
  }
}

function drawBody(bubble, message, view, replied) {
  const media = mediaOf(message);
  const text = message.text ?? "";
  const big = message.kind === "text" && !message.entities?.length && bigEmoji(text);
  bubble.className = ["bubble", media?.bare && !replied ? "bare" : "", media?.visual ? "visual" : "", big ? "big" : "", text ? "" : "textless"].filter(Boolean).join(" ");
  replace(bubble,
    view.isGroup && !view.isOwn(message) ? h("div", { class: `name n${colour(message.from.id)}` }, h("span", { dir: "auto" }, message.from.name), message.from.is_bot && !message.from.anonymous ? h("small", {}, "bot") : null, message.from.anonymous ? h("small", {}, t("anonymous")) : null) : null,
    message.forwarded ? h("div", { class: "forwarded" }, t("forwarded")) : null,
    message.reply_to ? quote(message.reply_to, replied, view) : null,
    media ? h("div", { class: "media" }, media.node) : null,
    text ? h("div", { class: "text", dir: "auto" }, marked(text, message.entities)) : null,
    h("div", { class: "reactions" }),
    h("time", { class: "meta", title: fullTime(message.date), datetime: new Date(message.date * 1000).toISOString() }, message.edited ? h("span", { class: "edited" }, t("edited")) : null, clock(message.date)));
  drawn.get(bubble.closest(".message")).reactions = undefined;
}

function quote(id, replied, view) {
  if (!replied || replied.deleted) return h("div", { class: "quote gone" }, t("deleted"));
  return h("button", { type: "button", class: `quote n${colour(replied.from.id)}`, onclick: () => view.jump(id) }, h("b", { dir: "auto" }, replied.from.name), h("span", { dir: "auto" }, summary(replied)));
}

function reactionsRow(message, view) {
  const byEmoji = Map.groupBy(message.reactions ?? [], (reaction) => reaction.emoji);
  const chips = [...byEmoji].map(([emoji, given]) => {
    const mine = given.some((reaction) => reaction.from === view.me());
    const names = given.map((reaction) => view.name(reaction.from)).join(", ");
    return h("button", { type: "button", class: mine ? "reaction mine" : "reaction", "aria-pressed": String(mine), title: names, "aria-label": `${emoji} ${names}`, onclick: () => view.toggle(message.message_id, emoji) }, emoji, h("b", {}, given.length));
  });
  return h("div", { class: "reactions" }, chips);
}

function keyboardButton(button, message, row, column, view) {
  const href = button.url ? safeAddress(button.url) : null;
  if (button.url) return h("a", { class: "key", href, target: "_blank", rel: "noopener noreferrer" }, h("span", { dir: "auto" }, button.text), icon("link"));
  const element = h("button", { type: "button", class: "key", onclick: () => view.press(message.message_id, row, column, element) }, h("span", { dir: "auto" }, button.text));
  return element;
}

function tools(message, view) {
  const id = message.message_id;
  const able = { tabindex: "-1" };
  const react = iconButton("smile", t("react"), { ...able, "aria-haspopup": "true", onclick: () => view.reactTo(id, react) });
  return h("div", { class: "tools" },
    iconButton("reply", t("reply"), { ...able, onclick: () => view.reply(id) }),
    react,
    view.canEdit(message) ? iconButton("edit", t("edit"), { ...able, onclick: () => view.edit(id) }) : null);
}
