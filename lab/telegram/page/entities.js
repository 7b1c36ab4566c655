// Marked-up text as nodes. Offsets count UTF-16 units, as JavaScript's own strings do.

import { safeAddress } from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", blockquote: "blockquote", expandable_blockquote: "blockquote" };
const MARKS = new Set(["mention", "text_mention", "hashtag", "cashtag", "bot_command"]);

/** Nodes for a text and its entities; entities that cross each other or lie outside are cut to fit. */
export function marked(text, entities = []) {
  const fitting = entities
    .map((entity) => ({ ...entity, start: Math.max(0, entity.offset), end: Math.min(text.length, entity.offset + entity.length) }))
    .filter((entity) => entity.end > entity.start)
    .sort((a, b) => a.start - b.start || b.end - a.end);
  return build(text, fitting, 0, text.length);
}

function build(text, entities, from, to) {
  const nodes = [];
  let at = from;
  while (entities.length > 0) {
    const [entity, ...rest] = entities;
    const inside = rest.filter((other) => other.start < entity.end).map((other) => ({ ...other, end: Math.min(other.end, entity.end) }));
    // What reaches beyond the outer entity goes on after it.
    const after = rest.filter((other) => other.end > entity.end).map((other) => ({ ...other, start: Math.max(other.start, entity.end) }));
    if (entity.start > at) nodes.push(document.createTextNode(text.slice(at, entity.start)));
    nodes.push(element(entity, text.slice(entity.start, entity.end), build(text, inside, entity.start, entity.end)));
    at = entity.end;
    entities = after.sort((a, b) => a.start - b.start || b.end - a.end);
  }
  if (at < to) nodes.push(document.createTextNode(text.slice(at, to)));
  return nodes;
}

function element(entity, text, children) {
  const { type } = entity;
  if (type in TAGS) return h(TAGS[type], {}, children);
  if (type === "pre") return h("pre", { dataset: { language: entity.language ?? "" } }, h("code", {}, children));
  if (type === "spoiler") return spoiler(children);
  if (MARKS.has(type)) return h("span", { class: "mark" }, children);
  const target = { url: text, text_link: entity.url ?? "", email: `mailto:${text}`, phone_number: `tel:${text}` }[type];
  const href = target === undefined ? null : safeAddress(target);
  if (href) return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, children);
  return h("span", {}, children);
}

function spoiler(children) {
  const show = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    hidden.classList.add("shown");
    for (const name of ["role", "tabindex", "aria-label"]) hidden.removeAttribute(name);
  };
  const hidden = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": t("spoiler"), onclick: show, onkeydown: show }, h("span", {}, children));
  return hidden;
}
