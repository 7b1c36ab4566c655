// The supervision tree of each node; branches fold, and stay as they were left.

import { $, h, list, say } from "./dom.js";
import { bytes, decimal, duration } from "./format.js";
import { empty, NODE_TONES, STATE_TONES, stateName } from "./pieces.js";
import { look } from "./shell.js";
import { knows, named, t } from "./texts.js";

const OWN_TONES = { silent: "warn", "open circuit": "bad" };

function stateText(state) {
  const key = `tree-state-${state.replaceAll(" ", "-")}`;
  return knows(key) ? t(key) : stateName(state);
}

function told([name, value]) {
  const text = typeof value !== "number" ? value : name.endsWith("_s") ? duration(value) : name.endsWith("_bytes") ? bytes(value) : decimal(value);
  return knows(`detail-${name}`) ? t(`detail-${name}`, { n: text }) : `${name}: ${text}`;
}

const tell = (detail) => Object.entries(detail).map(told).filter(Boolean).join(" · ");

/** Actors by state carry the state as their name; the others are parts of the program. */
const nameOf = (node) => (node.kind === "actors" && node.name === node.state ? stateName(node.name) : named("part", node.name));

function create(node) {
  const name = node.ticket_id === null ? h("span", { class: "tree-name", text: node.kind === "node" ? node.name : nameOf(node), title: node.name }) : h("a", { class: "tree-name", href: `/tickets/${node.ticket_id}`, text: `${t("page-ticket")} #${node.name}` });
  const line = [name, h("span", { class: "muted small-text", text: t(`kind-${node.kind}`) }), h("span", { class: "mark-word" }), h("span", { class: "sub" })];
  if (!node.children.length) return h("li", { class: "tree-leaf" }, h("div", { class: "tree-line" }, ...line));
  return h("li", {}, h("details", { open: true }, h("summary", {}, h("div", { class: "tree-line" }, ...line)), h("ul", { class: "tree" })));
}

function update(item, node) {
  const line = $(".tree-line", item);
  say(line.children[2], node.state ? stateText(node.state) : "");
  line.children[2].hidden = !node.state || node.name === node.state;
  const tone = STATE_TONES[node.state] ?? NODE_TONES[node.state] ?? OWN_TONES[node.state] ?? "quiet";
  line.children[2].dataset.tone = tone;
  say(line.children[3], tell(node.detail));
  const branch = $("ul.tree", item);
  if (branch) draw(branch, node.children);
}

const draw = (parent, nodes) => list(parent, nodes, (node) => `${node.kind}-${node.name}-${node.children.length ? "branch" : "leaf"}`, create, update);

function show({ roots }) {
  const top = $("#roots > ul") ?? $("#roots").appendChild(h("ul", { class: "tree card" }));
  draw(top, roots);
  top.hidden = roots.length === 0;
  empty($("#empty"), roots.length === 0);
}

look({ url: () => "/api/tree", show });
