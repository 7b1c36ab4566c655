// The overview: one banner, what flows, what is used of its limit, what went wrong.

import { get } from "./api.js";
import { Chart } from "./charts.js";
import { $, $$, fill, h, list, say, tone } from "./dom.js";
import { ago, between, brief, bytes, decimal, duration, number, percent, span } from "./format.js";
import { budgets, bars, NODE_TONES, STATE_TONES, stateName, statusName, used } from "./pieces.js";
import { look } from "./shell.js";
import { knows, t } from "./texts.js";

// When a number deserves a look; the hints beside the numbers say the same.
const WORRY = { queueWait: 1, turn: 0.5, commit: 0.2, delivery: 2, mailOldest: 10, outboxOldest: 60, lag: 0.1, gc: 0.1, cpu: 0.9, pending: 100 };
const HISTORY_MS = 60_000;
const HISTORY_AGAIN_MS = 10_000;
const BUDGETS_SHOWN = 6;
const STALE_S = 5;
const IN_SECONDS = new Set(["outbox_late", "mail_late", "loop_lag"]);

// Where a cause is to be looked into: the second click.
const WHERE = {
  quarantined: "/tickets?state=quarantined",
  dead_letters: "/dead",
  outbox_late: "/delivery",
  undeliverable: "/delivery",
  mail_late: "/tickets?sort=wait",
  restarts: "/tickets?sort=restarts",
  node_away: "/nodes",
  node_paused: "/nodes",
  loop_lag: "/nodes",
};

const warnIf = (is, grave = "warn") => (is ? grave : "quiet");

function show(data) {
  banner(data);
  nodes(data);
  const view = { ...flow(data), ...trouble(data), ...machinery(data), ...services(data) };
  fill(Object.fromEntries(Object.entries(view).map(([name, [text]]) => [name, text])));
  fill(Object.fromEntries(Object.entries(view).filter(([, one]) => one[2] !== undefined).map(([name, one]) => [`${name}.sub`, one[2]])));
  tone(Object.fromEntries(Object.entries(view).map(([name, [, level]]) => [name, level])));
  limits(data);
  who(data);
  budgets($("#budgets"), data.budgets, BUDGETS_SHOWN);
  const lost = data.budgets.reduce((sum, one) => sum + one.lost_s, data.bot.lost_s);
  fill({ lost: lost >= 1 ? t("budgets-lost", { duration: duration(lost) }) : "" });
}

// --- the banner --------------------------------------------------------------------------------

function banner(data) {
  $("#banner").dataset.level = data.state;
  say($("#headline"), t(`verdict-${data.state}`));
  list(
    $("#causes"),
    data.causes,
    (cause) => `${cause.code}-${cause.detail}`,
    ({ code }) => h("li", {}, h("strong"), h("span"), WHERE[code] && h("a", { href: WHERE[code], text: t("cause-show") })),
    (line, cause) => {
      const key = cause.code.replaceAll("_", "-");
      const detail = IN_SECONDS.has(cause.code) ? span(Number(cause.detail)) : cause.detail;
      say(line.children[0], knows(`cause-${key}`) ? t(`cause-${key}`, { detail }) : `${cause.code} ${detail}`);
      say(line.children[1], knows(cause.advice) ? t(cause.advice, { detail }) : "");
    },
  );
  say($("#activity"), [activity(data), ...doubts(data)].join(" "));
}

function activity(data) {
  const last = between(data.traffic.last_handled_at, data.taken_at);
  if (last === null) return t("activity-none");
  const isQuiet = data.state !== "down" && data.mailboxes.waiting === 0 && data.outbox.waiting === 0;
  return t("activity", { ago: ago(last) }) + (isQuiet ? ` ${t("activity-quiet")}` : "");
}

function doubts(data) {
  const found = [];
  if (!data.is_complete) found.push(t("incomplete"));
  if (data.stored_age_s !== null && data.stored_age_s > STALE_S) found.push(t("stored-old", { duration: duration(data.stored_age_s) }));
  return found;
}

function nodes(data) {
  list(
    $("#nodes"),
    data.nodes,
    (node) => node.run,
    () => h("li", { class: "node-chip" }, h("strong"), h("span", { class: "mark-word" }), h("span", { class: "sub" })),
    (chip, node) => {
      const state = node.status === "up" && node.state ? node.state : node.status;
      const [name, word, sub] = chip.children;
      say(name, node.name);
      say(word, node.status === "up" && node.state ? t(`node-state-${node.state}`) : t(`node-status-${node.status}`));
      word.dataset.tone = NODE_TONES[state] ?? "quiet";
      say(sub, node.status === "up" && !node.state ? t("node-silent") : t("node-line", { owned: number(node.owned), ago: ago(node.beat_age_s) }));
    },
  );
  if (!data.nodes.length) $("#nodes").append(h("li", { class: "muted", text: t("nodes-none"), data: { item: "none" } }));
}

// --- tiles: name -> [text, tone, what stands below] ----------------------------------------------

function timed(quantiles, which, worry) {
  if (!quantiles.count) return ["–", "quiet", t("not-measured")];
  const value = quantiles[which];
  return [span(value), warnIf(value > worry), t("median-sub", { p50: span(quantiles.p50_s) })];
}

/** What the database counts; `age` is how old its numbers are. */
function waiting(n, oldest, worry, age) {
  if (n !== null && age > STALE_S) return [number(n), "warn", t("as-of", { ago: ago(age) })];
  return [number(n), warnIf(n && oldest > worry), n ? t("oldest-sub", { duration: duration(oldest) }) : n === 0 ? t("nothing-waits") : ""];
}

function flow({ traffic, timings, mailboxes, outbox, taken_at: now, stored_age_s: age }) {
  const last = between(traffic.last_handled_at, now);
  const stuck = traffic.messages_per_s === 0 && mailboxes.waiting > 0 && mailboxes.oldest_s > WORRY.mailOldest;
  return {
    rate: [t("rate-value", { n: decimal(traffic.messages_per_s) }), warnIf(stuck), last === null ? t("never") : t("rate-sub", { ago: ago(last) })],
    "queue-wait": timed(timings.queue_wait, "p95_s", WORRY.queueWait),
    turn: timed(timings.turn, "p95_s", WORRY.turn),
    commit: timed(timings.commit, "p99_s", WORRY.commit),
    "delivery-time": timed(timings.delivery, "p95_s", WORRY.delivery),
    mail: waiting(mailboxes.waiting, mailboxes.oldest_s, WORRY.mailOldest, age),
    outbox: waiting(outbox.waiting === null ? null : outbox.waiting + (outbox.sending ?? 0), outbox.oldest_s, WORRY.outboxOldest, age),
    mailbox: [number(mailboxes.depth_max), warnIf(mailboxes.depth_limit && mailboxes.depth_max >= mailboxes.depth_limit), t("limit-sub", { limit: number(mailboxes.depth_limit) })],
  };
}

function trouble({ dead_letters: dead, quarantined, restarts, outbox, budgets: chats, bot }) {
  const tooMany = chats.reduce((sum, one) => sum + one.too_many, bot.too_many);
  return {
    "dead-letters": [number(dead), warnIf(dead)],
    quarantined: [number(quarantined), warnIf(quarantined, "bad")],
    crashes: [number(restarts.crashes), warnIf(restarts.crashes)],
    undeliverable: [number(outbox.undeliverable), warnIf(outbox.undeliverable)],
    "too-many": [number(tooMany), "quiet"],
    retries: [number(outbox.retries), "quiet"],
    doubles: [number(outbox.possible_doubles), warnIf(outbox.possible_doubles)],
    "backing-off": [number(restarts.backing_off), warnIf(restarts.backing_off)],
  };
}

function machinery({ ownership, loop, traffic }) {
  return {
    claims: [brief(ownership.claims), "quiet"],
    fenced: [number(ownership.fenced), "quiet"],
    "loop-lag": [span(loop.lag_max_s), warnIf(loop.lag_max_s > WORRY.lag), t("now-sub", { duration: span(loop.lag_s) })],
    gc: [span(loop.gc_pause_max_s), warnIf(loop.gc_pause_max_s > WORRY.gc), t("gc-sub", { n: number(loop.gc_pauses) })],
    memory: [bytes(loop.memory_bytes), "quiet"],
    cpu: [percent(loop.cpu_share), warnIf(loop.cpu_share > WORRY.cpu)],
    handled: [number(traffic.handled), "quiet"],
    intake: [number(traffic.updates_stored), "quiet", t("intake-sub", { duplicate: number(traffic.updates_duplicate), ignored: number(traffic.updates_ignored), refused: number(traffic.updates_refused) })],
  };
}

function services({ health, webhook }) {
  const one = (name) => {
    const { ok, latency_s: latency, detail } = health[name];
    const below = ok ? (latency === null ? "" : t("answered-in", { duration: span(latency) })) : detail;
    return [t(ok ? "answers" : "answers-not"), ok ? "good" : name === "postgres" ? "bad" : "warn", below];
  };
  const notes = [];
  if (webhook.lag_s !== null) notes.push(t("updates-late", { duration: span(webhook.lag_s) }));
  if (webhook.pending !== null) notes.push(t("updates-pending", { n: number(webhook.pending) }));
  if (webhook.error) notes.push(webhook.error);
  const worry = Boolean(webhook.error) || webhook.pending > WORRY.pending;
  return {
    postgres: one("postgres"),
    redis: one("redis"),
    telegram: one("telegram"),
    "updates-in": [t(`by-${webhook.mode}`), warnIf(worry), notes.join(" · ")],
  };
}

// --- bars ----------------------------------------------------------------------------------------

function limits({ bot, outbox, mailboxes, restarts }) {
  const all = { "bot-budget": bot, "in-flight": outbox.in_flight, window: mailboxes.window, "restart-budget": restarts };
  for (const element of $$(".used[data-key]")) used(element, all[element.dataset.key]);
}

const STATUSES = ["NEW", "WORK", "CLOSED"];
const STATES = ["running", "queued", "idle", "backing_off", "quarantined", "draining"];

function who(data) {
  const open = Object.entries(data.tickets).filter(([name]) => name !== "CLOSED");
  fill({
    "tickets.open": open.length ? number(open.reduce((sum, [, n]) => sum + n, 0)) : "–",
    actors: number(Object.values(data.actors).reduce((sum, n) => sum + n, 0)),
  });
  const names = [...new Set([...STATUSES, ...Object.keys(data.tickets)])].filter((name) => name !== "CLOSED");
  bars($("#tickets"), names.map((name) => ({ name, text: statusName(name), count: data.tickets[name] ?? 0 })));
  bars($("#actors"), STATES.map((name) => ({ name, text: stateName(name), count: data.actors[name] ?? 0, tone: STATE_TONES[name] })));
}

// --- history -------------------------------------------------------------------------------------

const charts = [
  new Chart($("#chart-flow"), [
    { text: t("series-handled"), scale: "rate", column: "handled" },
    { text: t("series-sent"), scale: "rate", column: "sent" },
    { text: t("series-outbox-waiting"), scale: "count", column: "outbox_waiting" },
  ]),
  new Chart($("#chart-times"), [
    { text: t("series-queue-wait"), scale: "ms", column: "queue_wait_p95_s", factor: 1000 },
    { text: t("series-turn"), scale: "ms", column: "turn_p95_s", factor: 1000 },
    { text: t("series-commit"), scale: "ms", column: "commit_p99_s", factor: 1000 },
  ]),
];
let historyTimer = 0;

let isDrawn = false;

async function history() {
  clearTimeout(historyTimer);
  let wait = HISTORY_MS;
  try {
    if (!document.hidden) {
      const data = await get(`/api/history?span=${$("input[name=span]:checked").value}`);
      const isEmpty = !Object.values(data.columns).some((column) => column.some((value) => value !== null));
      isDrawn = !isEmpty;
      $("#chart-empty").hidden = !isEmpty;
      say($("#chart-empty"), t("chart-empty"));
      $(".charts").hidden = isEmpty;
      if (!isEmpty) for (const chart of charts) chart.show(data);
    }
  } catch {
    // The connection's state is told at the top; the charts keep what they had.
    wait = HISTORY_AGAIN_MS;
    if (!isDrawn) {
      $(".charts").hidden = true;
      $("#chart-empty").hidden = false;
      say($("#chart-empty"), t("chart-away"));
    }
  }
  historyTimer = setTimeout(history, wait);
}

for (const choice of $$("input[name=span]")) choice.addEventListener("change", history);
document.addEventListener("visibilitychange", () => document.hidden || history());
look({ overview: show });
history();
