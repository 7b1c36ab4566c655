// Pieces that several pages show: budgets of groups, bars by name, traces, marks.

import { $, h, list, meter, say } from "./dom.js";
import { decimal, duration, number } from "./format.js";
import { named, t } from "./texts.js";

/** A short word with a sign and a colour of its own: meaning never hangs on the colour alone. */
export const mark = (text, tone) => h("span", { class: "mark-word", data: { tone }, text });

export const STATE_TONES = { quarantined: "bad", backing_off: "warn", draining: "warn", running: "good" };
export const NODE_TONES = { up: "good", serving: "good", starting: "quiet", draining: "warn", paused: "warn", dead: "bad", ended: "bad", unknown: "warn" };

/** Bars of counts by name, each against the largest. */
export function bars(parent, entries) {
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  list(
    parent,
    entries,
    (entry) => entry.name,
    () => h("li", { class: "bar-line" }, h("span", { class: "bar-name" }), h("span", { class: "bar-count" }), h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "fill" }))),
    (line, entry) => {
      const [name, count, track] = line.children;
      say(name, entry.text);
      say(count, number(entry.count));
      line.dataset.tone = entry.count && entry.tone ? entry.tone : "quiet";
      track.firstElementChild.style.width = `${(100 * entry.count) / most}%`;
    },
  );
}

/** A window of about a minute is a minute: the pace keeps a little distance from Telegram's own. */
const about = (seconds) => duration(seconds > 50 ? Math.round(seconds / 60) * 60 : seconds);

/** Groups against Telegram's 20 a minute, the fullest first. */
export function budgets(parent, all, atMost = Infinity) {
  const sorted = [...all].sort((a, b) => b.closed_for_s - a.closed_for_s || b.used - a.used || b.lost_s - a.lost_s);
  list(
    parent,
    sorted.slice(0, atMost),
    (one) => one.chat_id,
    () => h("li", { class: "budget" }, h("span", { class: "budget-name" }), h("span", { class: "budget-used" }), h("div", {}), h("span", { class: "sub" })),
    (line, one) => {
      const [name, used, track, sub] = line.children;
      const text = one.name === "main" ? t("budget-main") : one.name || String(one.chat_id);
      say(name, text);
      say(used, one.limit ? t("budget-used", { used: one.used, limit: one.limit, window: about(one.window_s) }) : t("unlimited", { used: one.used }));
      track.hidden = !one.limit;
      if (one.limit) meter(track, one.used, one.limit, text);
      const notes = [];
      if (one.closed_for_s > 0) notes.push(t("budget-closed", { duration: duration(Math.ceil(one.closed_for_s)) }));
      if (one.too_many) notes.push(t("budget-lost", { duration: duration(one.lost_s), n: one.too_many }));
      say(sub, notes.join(" · "));
      line.dataset.tone = one.closed_for_s > 0 ? "bad" : one.limit && one.used >= one.limit ? "warn" : "quiet";
    },
  );
  if (!sorted.length) parent.append(h("li", { class: "muted", text: t("budgets-none"), data: { item: "none" } }));
}

export function used(element, { used: n, limit }) {
  const name = element.dataset.key;
  say($(`[data-value='${name}']`, element), limit ? t("of", { used: decimal(n), limit: decimal(limit) }) : t("unlimited", { used: decimal(n) }));
  const bar = $("[data-meter]", element);
  bar.hidden = !limit;
  if (limit) meter(bar, n, limit, t(name));
  element.dataset.tone = limit && n >= limit ? "warn" : "quiet";
}

/** A failure's first line, its trace folded under it. */
export function trace(title, facts, text) {
  const summary = h("summary", {}, h("span", { class: "trace-title", text: title }), h("span", { class: "sub" }, ...facts));
  return h("details", { class: "trace" }, summary, h("pre", { class: "mono code", tabindex: 0, "aria-label": title, text }));
}

/** The last line of a traceback: the error itself. */
export const lastLine = (text) => (text ?? "").trimEnd().split("\n").at(-1).trim() || "–";

export const stateName = (state) => named("state", state);
/** The status of one ticket; `statusName` is of many. */
export const ticketStatus = (status) => named("ticket", status);
export const statusName = (status) => named("status", status);

export function empty(element, isEmpty, text) {
  element.hidden = !isEmpty;
  if (text) say(element, text);
}
