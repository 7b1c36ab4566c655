// Delivery: what waits to be sent and for what, budgets, bots.

import { $, fill, h, list, say, tone } from "./dom.js";
import { decimal, duration, number, span } from "./format.js";
import { bars, budgets, empty, mark } from "./pieces.js";
import { look } from "./shell.js";
import { named, t } from "./texts.js";

const LATE_S = 60;
const warnIf = (is) => (is ? "warn" : "quiet");

function show(data) {
  const { outbox } = data;
  const waiting = outbox.waiting === null ? null : outbox.waiting + (outbox.sending ?? 0);
  const tooMany = data.budgets.reduce((sum, one) => sum + one.too_many, data.bot.too_many);
  const view = {
    outbox: [number(waiting), warnIf(waiting && outbox.oldest_s > LATE_S)],
    "in-flight": [outbox.in_flight.limit ? t("of", { used: number(outbox.in_flight.used), limit: number(outbox.in_flight.limit) }) : number(outbox.in_flight.used), "quiet"],
    lanes: [number(outbox.lanes), "quiet"],
    sent: [number(data.sent), "quiet"],
    joined: [number(data.joined), "quiet"],
    superseded: [number(data.superseded), "quiet"],
    retries: [number(outbox.retries), "quiet"],
    doubles: [number(outbox.possible_doubles), warnIf(outbox.possible_doubles)],
    undeliverable: [number(outbox.undeliverable), warnIf(outbox.undeliverable)],
    "too-many": [number(tooMany), "quiet"],
    pauses: [duration(data.paused_s), "quiet"],
    "topics-lost": [number(data.topics_lost), warnIf(data.topics_lost)],
  };
  fill(Object.fromEntries(Object.entries(view).map(([name, [text]]) => [name, text])));
  tone(Object.fromEntries(Object.entries(view).map(([name, [, level]]) => [name, level])));
  fill({ "outbox.sub": waiting ? t("oldest-sub", { duration: duration(outbox.oldest_s) }) : waiting === 0 ? t("nothing-waits") : "" });
  budgets($("#budgets"), data.budgets);
  bots(data.bots);
  const calls = Object.entries(data.calls).sort((a, b) => b[1] - a[1]);
  bars($("#calls"), calls.map(([name, count]) => ({ name, count, text: name })));
  lanes(data.lanes);
}

const cell = (name, ...children) => h("td", { "data-label": t(`column-${name}`) }, ...children);

function bots(all) {
  list(
    $("#bots-table tbody"),
    all,
    (bot) => bot.id,
    (bot) => h("tr", {}, h("th", { scope: "row", "data-label": t("column-bot") }, bot.username ? `@${bot.username}` : String(bot.id), " ", bot.is_main && mark(t("bot-main"), "quiet")), cell("calls"), cell("too-many"), cell("failed"), cell("latency")),
    (row, bot) => {
      const [, calls, tooMany, failed, latency] = row.children;
      say(calls, number(bot.calls));
      say(tooMany, number(bot.too_many));
      say(failed, number(bot.failed));
      say(latency, span(bot.latency_s));
    },
  );
}

function laneName(lane) {
  const [kind, id] = lane.split(":");
  return { client: t("lane-client", { id }), main: t("lane-main"), mirror: t("lane-mirror"), press: t("lane-press") }[kind] ?? lane;
}

function lanes(all) {
  list(
    $("#lanes-table tbody"),
    all,
    (lane) => `${lane.lane}-${lane.ticket_id}`,
    (lane) =>
      h(
        "tr",
        {},
        h("th", { scope: "row", "data-label": t("column-lane"), title: lane.lane, text: laneName(lane.lane) }),
        cell("ticket", h("a", { href: `/tickets/${lane.ticket_id}`, text: `#${lane.ticket_id}` })),
        cell("unsent"),
        cell("oldest"),
        cell("attempts"),
        cell("first"),
        cell("error"),
      ),
    (row, lane) => {
      const [, , unsent, oldest, attempts, first, error] = row.children;
      say(unsent, number(lane.unsent));
      say(oldest, duration(lane.oldest_s));
      oldest.dataset.tone = warnIf(lane.oldest_s > LATE_S);
      say(attempts, decimal(lane.attempts));
      say(first, named("effect", lane.first));
      say(error, lane.error ?? "–");
      error.classList.toggle("trouble-text", Boolean(lane.error));
    },
  );
  $("#lanes-table").hidden = all.length === 0;
  empty($("#lanes-table-empty"), all.length === 0, t("lanes-none"));
}

look({ url: () => "/api/delivery", show });
