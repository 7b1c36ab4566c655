// Nodes: a card each, with the button that drains it.

import { act, ask, heard } from "./actions.js";
import { $, h, list, say } from "./dom.js";
import { ago, between, bytes, decimal, duration, number, percent, span } from "./format.js";
import { bars, empty, NODE_TONES, STATE_TONES, stateName } from "./pieces.js";
import { look } from "./shell.js";
import { named, t } from "./texts.js";

const cards = $("#list");
const mayAct = cards.dataset.operator === "yes";
let up = 0;

const FACTS = {
  beat: (node) => ago(node.beat_age_s),
  owned: (node) => number(node.owned),
  rate: (node) => (node.messages_per_s === null ? "–" : t("rate-value", { n: decimal(node.messages_per_s) })),
  handled: (node) => number(node.handled),
  lag: (node) => span(node.lag_s),
  cpu: (node) => percent(node.cpu_share),
  memory: (node) => bytes(node.memory_bytes),
  crashes: (node) => number(node.crashes),
  fenced: (node) => number(node.fenced),
  started: (node, now) => duration(between(node.started_at, now)),
  roles: (node) => node.roles.map((role) => named("role", role)).join(", ") || "–",
  version: (node) => node.version || "–",
  incarnation: (node) => node.incarnation || "–",
};

function create(node) {
  const facts = Object.keys(FACTS).map((name) => h("div", {}, h("dt", { text: t(`fact-${name}`) }), h("dd", { data: { fact: name } })));
  const drain = mayAct && h("button", { type: "button", class: "grave", text: t("act-drain"), on: { click: () => askDrain(node.name) } });
  return h(
    "li",
    { class: "card node-card" },
    h("div", { class: "card-head" }, h("h2", {}, h("span", { class: "node-name", text: node.name }), " ", h("span", { class: "mark-word" }), " ", h("span", { class: "self muted small-text" })), drain),
    h("dl", { class: "facts" }, ...facts),
    h("ul", { class: "bars" }),
  );
}

function update(card, node, now) {
  const word = $(".mark-word", card);
  const alive = node.status === "up" && node.state;
  say(word, alive ? t(`node-state-${node.state}`) : t(`node-status-${node.status}`));
  word.dataset.tone = NODE_TONES[alive ? node.state : node.status] ?? "quiet";
  say($(".self", card), node.is_self ? t("node-self") : node.status === "up" && !node.state ? t("node-silent") : "");
  for (const [name, tell] of Object.entries(FACTS)) say($(`[data-fact=${name}]`, card), tell(node, now));
  const states = Object.entries(node.actors).map(([name, count]) => ({ name, count, text: stateName(name), tone: STATE_TONES[name] }));
  bars($(".bars", card), states);
  const drain = $("button", card);
  if (drain) drain.disabled = node.status !== "up";
}

function show({ nodes, taken_at: now }) {
  up = nodes.filter((node) => node.status === "up").length;
  list(cards, nodes, (node) => node.run, create, (card, node) => update(card, node, now));
  empty($("#empty"), nodes.length === 0);
}

async function askDrain(node) {
  const text = [t("ask-drain-text")];
  if (up < 2) text.push(t("ask-drain-last"));
  const yes = await ask({ title: t("ask-drain", { node }), text, button: t("act-drain").replace("…", ""), grave: true });
  if (yes && (await act(`/api/nodes/${encodeURIComponent(node)}/drain`, {}, (done) => heard(done, t("done-drain", { node }))))) again();
}

const again = look({ url: () => "/api/nodes", show });
