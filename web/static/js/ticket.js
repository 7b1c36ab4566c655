// One ticket: where its messages are, what failed, who has it, and what an operator may do.

import { act, ask, choice, heard, reason } from "./actions.js";
import { get } from "./api.js";
import { $, $$, h, list, say } from "./dom.js";
import { between, duration, moment, number, precise } from "./format.js";
import { empty, lastLine, stateName, ticketStatus, trace } from "./pieces.js";
import { look } from "./shell.js";
import { steps } from "./timeline.js";
import { named, t } from "./texts.js";

const ticketNumber = $("#whole").dataset.number;
const url = `/api/tickets/${ticketNumber}`;

function show(data) {
  $("#whole").hidden = false;
  $("#missing").hidden = true;
  headline(data);
  facts(data);
  steps($("#steps"), data.steps);
  empty($("#steps-empty"), data.steps.length === 0);
  waits(data);
  owners(data.owners);
  failures(data);
  log(data.log);
  say($("#snapshot"), data.snapshot ? JSON.stringify(data.snapshot, null, 2) : "–");
  for (const button of $$("#actions button")) {
    const isStopped = Boolean(data.ticket.quarantined);
    button.disabled = button.dataset.act === "release" ? !isStopped : button.dataset.act === "quarantine" ? isStopped : false;
  }
}

function headline({ ticket }) {
  const [level, text] = ticket.quarantined
    ? ["down", t("headline-quarantined", { why: ticket.quarantined })]
    : ticket.dead_letters
      ? ["degraded", t("headline-dead", { n: ticket.dead_letters })]
      : ticket.waiting
        ? [ticket.wait_s > 10 ? "degraded" : "well", t("headline-waiting", { n: ticket.waiting, duration: duration(ticket.wait_s) })]
        : ticket.unsent
          ? ["well", t("headline-unsent", { n: ticket.unsent })]
          : ["well", t(ticket.status === "CLOSED" ? "headline-closed" : "headline-quiet")];
  $("#state").dataset.level = level;
  say($("#headline"), text);
  say($("#about"), t("ticket-about", { status: ticketStatus(ticket.status), state: stateName(ticket.state), client: ticket.client_name, opened: moment(ticket.created_at) }));
}

function facts(data) {
  const { ticket } = data;
  const known = data.owner_status === null && data.owner ? t("owner-gone", { owner: data.owner }) : data.owner;
  const rows = {
    status: ticketStatus(ticket.status),
    state: stateName(ticket.state),
    client: `${ticket.client_name}${data.client_username ? ` @${data.client_username}` : ""} (${data.client_id})`,
    technician: ticket.technician ?? t("nobody"),
    owner: known ?? t("nobody"),
    epoch: `${data.epoch}, ${data.version}`,
    seq: t("seq-of", { handled: number(data.handled_seq), last: number(data.last_seq) }),
    workflow: data.workflow,
    topic: data.main_thread_id === null ? "–" : `${data.main_chat_id} / ${data.main_thread_id}`,
    opened: moment(ticket.created_at),
    closed: ticket.closed_at ? moment(ticket.closed_at) : "–",
  };
  list(
    $("#facts"),
    Object.entries(rows),
    ([name]) => name,
    ([name]) => h("div", {}, h("dt", { text: t(`fact-${name}`) }), h("dd")),
    (row, [, text]) => say(row.children[1], text),
  );
  if (data.former_ticket_id && !$("#former")) {
    $("#facts").after(h("p", { id: "former", class: "small-text" }, `${t("fact-former")}: `, h("a", { href: `/tickets/${data.former_ticket_id}`, text: `#${data.former_ticket_id}` })));
  }
}

function waits({ ticket, unsent, timers, taken_at: now }) {
  say($("#inbox"), ticket.waiting ? t("inbox-line", { n: number(ticket.waiting), duration: duration(ticket.wait_s) }) : t("waits-nothing"));
  list(
    $("#unsent"),
    unsent,
    (lane) => lane.lane,
    (lane) => h("li", {}, h("strong", { class: "mono", text: lane.lane }), h("span"), h("span", { class: "trouble-text" })),
    (line, lane) => {
      say(line.children[1], t("unsent-line", { n: number(lane.unsent), at: moment(lane.oldest_at), attempts: number(lane.attempts), first: named("effect", lane.first) }));
      const later = lane.not_before && between(now, lane.not_before) > 0 ? t("not-before", { at: moment(lane.not_before) }) : null;
      say(line.children[2], [lane.error, later].filter(Boolean).join(" · "));
    },
  );
  empty($("#unsent-empty"), unsent.length === 0);
  list(
    $("#timers"),
    timers,
    (timer) => timer.name,
    (timer) => h("li", {}, h("strong", { text: timer.name }), h("span", { title: precise(timer.due_at) })),
    (line, timer) => {
      const left = between(now, timer.due_at);
      say(line.children[1], left >= 0 ? t("timer-due", { duration: duration(left) }) : t("timer-late", { duration: duration(-left) }));
    },
  );
  empty($("#timers-empty"), timers.length === 0);
}

function owners(periods) {
  list(
    $("#owners"),
    periods,
    (period) => `${period.epoch}-${period.owner}`,
    (period) => h("li", {}, h("strong", { class: "mono", text: period.owner }), h("span"), h("span", { class: "mark-word", data: { tone: "good" } })),
    (line, period) => {
      const when = period.first_at ? ` · ${moment(period.first_at)} – ${moment(period.last_at)}` : "";
      say(line.children[1], t("owner-line", { epoch: period.epoch, n: number(period.handled) }) + when);
      say(line.children[2], period.is_present ? t("owner-present") : "");
      line.children[2].hidden = !period.is_present;
    },
  );
  empty($("#owners-empty"), periods.length === 0);
}

function failures({ crashes, dead_letters: dead }) {
  const all = [
    ...crashes.map((crash) => ({ key: `c${crash.at}${crash.seq}`, at: crash.at, title: crash.error, facts: t("crash-line", { seq: crash.seq ?? "–", node: crash.node }), text: crash.trace })),
    ...dead.map((letter) => ({ key: `d${letter.id}`, at: letter.created_at, title: lastLine(letter.error), facts: t("dead-line", { id: letter.id, seq: letter.seq ?? "–", attempts: letter.attempts }), text: letter.error })),
  ].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  list($("#crashes"), all, (one) => one.key, (one) => h("li", {}, trace(one.title, [`${moment(one.at)} · ${one.facts}`], one.text)), () => {});
  empty($("#crashes-empty"), all.length === 0);
}

function log(lines) {
  list(
    $("#log"),
    [...lines].reverse(),
    (line) => `${line.seq}-${line.action}-${line.at}`,
    (line) => h("li", {}, h("time", { datetime: line.at, title: precise(line.at), text: moment(line.at) }), h("strong", { text: line.action }), h("span", { class: "muted", text: line.actor }), h("span", { class: "mono", text: told(line.payload) })),
    () => {},
  );
}

const told = (payload) => Object.entries(payload).map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`).join(" ");

// --- actions -------------------------------------------------------------------------------------

const FIELDS = {
  poke: async () => [],
  release: async () => [],
  quarantine: async () => [reason()],
  move: async () => {
    const { nodes } = await get("/api/nodes").catch(() => ({ nodes: [] }));
    const up = nodes.filter((node) => node.status === "up").map((node) => [node.name, node.name]);
    return [choice("node", t("ask-move-node"), [["", t("ask-move-idlest")], ...up])];
  },
};

const BODIES = { poke: () => ({}), release: () => ({}), quarantine: ({ why }) => ({ why }), move: ({ node }) => ({ node: node || null }) };

async function press(name) {
  const ticket = ticketNumber;
  const fields = await FIELDS[name]();
  const values = await ask({ title: t(`ask-${name}`, { ticket }), text: [t(`ask-${name}-text`)], button: t(`act-${name}`).replace("…", ""), grave: name === "quarantine", fields });
  if (!values) return;
  const answered = (done) => heard(done, t(`done-${name}`, { ticket, node: done.node ?? "–" }));
  if (await act(`${url}/${name}`, BODIES[name](values), answered)) again();
}

for (const button of $$("#actions button")) button.addEventListener("click", () => press(button.dataset.act));

function missing() {
  $("#whole").hidden = true;
  $("#missing").hidden = false;
  for (const button of $$("#actions button")) button.disabled = true;
}

const again = look({ url: () => url, show, missing });
