// A message's way: received → handled → committed → sent → confirmed, with how long each step took.

import { h, list } from "./dom.js";
import { between, moment, precise, span } from "./format.js";
import { named, t } from "./texts.js";

const STAGES = ["received", "handled", "committed", "sent", "confirmed"];
const OF_THE_DESK = new Set(["TopicOpened", "Deleted", "DeliveryFailed", "TimerFired", "Unreadable"]);
const TONES = { waiting: "quiet", sending: "quiet", sent: "good", superseded: "quiet", undeliverable: "bad" };

/** The newest first; what has changed is drawn anew, what was folded open stays open. */
export function steps(parent, all) {
  list(
    parent,
    [...all].reverse(),
    (step) => step.seq,
    () => h("li", { class: "step" }),
    (line, step) => {
      const now = JSON.stringify(step);
      if (line.dataset.drawn === now) return;
      const isOpen = line.querySelector("details")?.open ?? false;
      line.dataset.drawn = now;
      line.replaceChildren(...draw(step, isOpen));
    },
  );
}

function draw(step, isOpen) {
  const from = step.from_client ? "client" : OF_THE_DESK.has(step.kind) ? "desk" : "staff";
  const head = h("p", { class: "step-head" }, h("strong", { text: `#${step.seq} ${named("message", step.kind)}`, title: step.kind }), h("span", { class: "muted", text: t(`from-${from}`) }));
  if (step.attempts > 1) head.append(h("span", { class: "mark-word", data: { tone: "warn" }, text: t("step-attempts", { n: step.attempts }) }));
  const by = step.owner ? t("step-by", { owner: step.owner, epoch: step.epoch ?? "–" }) : "";
  const foot = [step.events.join(", "), by].filter(Boolean).join(" · ");
  const below = h("div", { class: "step-foot" }, h("span", { class: "sub", text: foot }), step.sent.length > 0 && effects(step.sent, isOpen));
  return [head, way(step), below];
}

function moments(step) {
  const real = step.sent.filter((one) => one.state !== "superseded");
  const latest = (name) => (real.length && real.every((one) => one[name]) ? real.map((one) => one[name]).sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1) : null);
  return { received: step.received_at, handled: step.handled_at, committed: step.committed_at, sent: latest("sent_at"), confirmed: latest("confirmed_at") };
}

function way(step) {
  const at = moments(step);
  const isFailed = step.sent.some((one) => one.state === "undeliverable");
  const hasNothing = step.sent.length === 0 && step.committed_at;
  let before = null;
  let isWaiting = false;
  const stages = STAGES.filter((name) => !(hasNothing && name === "confirmed")).map((name) => {
    const when = at[name];
    const stage = h("li", { data: { done: when ? "yes" : isFailed && (name === "sent" || name === "confirmed") ? "bad" : "no" } });
    const title = hasNothing && name === "sent" ? t("step-nothing") : t(`step-${name}`);
    const took = when ? (before ? `+${span(Math.max(0, between(before, when)))}` : moment(when)) : hasNothing || isWaiting ? "" : t(isFailed ? "sent-undeliverable" : "step-waits");
    if (!when) isWaiting = true;
    else before = when;
    stage.append(h("span", { class: "stage-name", text: title }), h("span", { class: "stage-time", text: took, title: precise(when) }));
    return stage;
  });
  return h("ol", { class: "way" }, ...stages);
}

function effects(sent, isOpen) {
  const lines = sent.map((one) =>
    h(
      "li",
      {},
      h("strong", { text: named("effect", one.kind), title: one.kind }),
      h("span", { class: "mono", text: one.lane }),
      h("span", { class: "mark-word", data: { tone: TONES[one.state] ?? "quiet" }, text: named("sent", one.state) }),
      one.attempts > 1 && h("span", { text: t("step-attempts", { n: one.attempts }) }),
      one.confirmed_at && h("span", { class: "muted", text: moment(one.confirmed_at), title: precise(one.confirmed_at) }),
      one.error && h("span", { class: "trouble-text", text: one.error }),
    ),
  );
  const shown = isOpen || sent.some((one) => one.state === "undeliverable" || one.error);
  return h("details", { open: shown }, h("summary", { text: t("effects", { n: sent.length }) }), h("ul", { class: "lines effects" }, ...lines));
}
