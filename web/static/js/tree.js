// The supervision tree of each node; branches fold, and stay as they were left.

import { $, h, list, say } from "./dom.js";
import { decimal } from "./format.js";
import { empty, NODE_TONES, STATE_TONES, stateName } from "./pieces.js";
import { look } from "./shell.js";
import { knows, t } from "./texts.js";

const stateText = (state) => (knows(`tree-state-${state}`) ? t(`tree-state-${state}`) : stateName(state));
const tell = (detail) => Object.entries(detail).map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? decimal(value) : value}`).join(" · ");

function create(node) {
  const name = node.ticket_id === null ? h("span", { class: "tree-name", text: node.name }) : h("a", { class: "tree-name", href: `/tickets/${node.ticket_id}`, text: node.name });
  const line = [name, h("span", { class: "muted small-text", text: t(`kind-${node.kind}`) }), h("span", { class: "mark-word" }), h("span", { class: "sub" })];
  if (!node.children.length) return h("li", { class: "tree-leaf" }, h("div", { class: "tree-line" }, ...line));
  return h("li", {}, h("details", { open: true }, h("summary", {}, h("div", { class: "tree-line" }, ...line)), h("ul", { class: "tree" })));
}

function update(item, node) {
  const line = $(".tree-line", item);
  say(line.children[2], node.state ? stateText(node.state) : "");
  line.children[2].hidden = !node.state;
  line.children[2].dataset.tone = STATE_TONES[node.state] ?? NODE_TONES[node.state] ?? "quiet";
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
