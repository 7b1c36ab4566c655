// Dead letters: why each was given up; retry or drop one, or all that match the filter.

import { act, ask, heard, notice, reason } from "./actions.js";
import { $, h, list, say } from "./dom.js";
import { filters } from "./filters.js";
import { moment, number } from "./format.js";
import { empty, lastLine, trace } from "./pieces.js";
import { look } from "./shell.js";
import { named, t } from "./texts.js";

const letters = $("#letters");
const mayAct = letters.dataset.operator === "yes";
const read = filters($("#filters"), () => again());
let total = 0;

function create(letter) {
  const whose = letter.ticket_id === null ? h("span", { text: t("dead-of-desk") }) : h("a", { href: `/tickets/${letter.ticket_id}`, text: `${t("page-ticket")} #${letter.ticket_id}` });
  const facts = [`#${letter.id} · ${letter.kind ? named("message", letter.kind) : "–"} · ${moment(letter.created_at)} · ${t("dead-attempts", { n: letter.attempts })}`];
  const line = h("li", { class: "letter" }, trace(lastLine(letter.error), facts, letter.error), h("div", { class: "letter-side" }, whose));
  if (mayAct) {
    const button = (name, grave) => h("button", { type: "button", class: grave ? "grave" : null, text: t(`act-${name}`), "aria-label": `${t(`act-${name}`)} #${letter.id}`, on: { click: () => one(name, letter.id) } });
    line.lastChild.append(button("retry", false), button("drop", true));
  }
  return line;
}

function show(data) {
  total = data.total;
  const shown = data.letters.length;
  say($("#total"), t(shown < total ? "dead-total" : "tickets-all", { shown: number(shown), total: number(total) }));
  list(letters, data.letters, (letter) => letter.id, create, () => {});
  letters.hidden = shown === 0;
  empty($("#letters-empty"), shown === 0);
  for (const id of ["retry-all", "drop-all"]) if ($(`#${id}`)) $(`#${id}`).disabled = total === 0;
}

async function one(name, id) {
  const drops = name === "drop";
  const values = await ask({ title: t(`ask-${name}`, { id }), text: [t(`ask-${name}-text`)], button: t(`act-${name}`).replace("…", ""), grave: drops, fields: drops ? [reason()] : [] });
  if (values && (await act(`/api/dead/${id}/${name}`, drops ? { why: values.why } : {}, (done) => heard(done, t(`done-${name}`, { id }))))) again();
}

async function all(name) {
  const drops = name === "drop";
  const expected = total;
  const values = await ask({ title: t(`ask-${name}-all`, { n: number(expected) }), text: [t(`ask-${name}-text`), t("ask-all-text")], button: t(`act-${name}`).replace("…", ""), grave: drops, fields: drops ? [reason()] : [] });
  if (!values) return;
  const filter = read();
  const ticket = filter.get("ticket");
  const body = { expected, query: filter.get("query") ?? "", ticket: ticket ? Number(ticket) : null, ...(drops && { why: values.why }) };
  const told = (done) => {
    if (done.kept.length) notice(t("done-kept", { why: done.kept.join("; ") }), true);
    return [t(`done-${name}-all`, { n: number(done.done) })];
  };
  await act(`/api/dead/${name}`, body, told);
  again();
}

for (const name of ["retry", "drop"]) $(`#${name}-all`)?.addEventListener("click", () => all(name));

const again = look({ url: () => `/api/dead?${read()}`, show });
