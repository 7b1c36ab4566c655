// Tickets: search, filters whose counts follow each other, the worst first.

import { $, h, list, say } from "./dom.js";
import { filters } from "./filters.js";
import { duration, number } from "./format.js";
import { empty, STATE_TONES, stateName, statusName, ticketStatus } from "./pieces.js";
import { look } from "./shell.js";
import { t } from "./texts.js";

const STATUSES = ["NEW", "WORK", "CLOSED"];
const STATES = ["waiting", "unsent", "quarantined", "dead_letters", "crashed"];
const WAIT_LONG_S = 10;
const given = new URLSearchParams(location.search);

function chips(parent, name, values, textOf) {
  const chosen = given.get(name) ?? "";
  parent.append(
    ...["", ...values].map((value) =>
      h(
        "label",
        { class: "chip" },
        h("input", { type: "radio", name, value, checked: value === chosen }),
        h("span", {}, value ? textOf(value) : t("any"), " ", h("b", { data: { count: value } })),
      ),
    ),
  );
}

chips($("#statuses"), "status", STATUSES, statusName);
chips($("#states"), "state", STATES, (state) => t(`match-${state}`));
const read = filters($("#filters"), () => again());

function counts(parent, by) {
  for (const one of parent.querySelectorAll("b")) say(one, one.dataset.count ? number(by[one.dataset.count] ?? 0) : "");
}

function create(ticket) {
  const cell = (name, ...children) => h("td", { "data-label": t(`column-${name}`) }, ...children);
  return h(
    "tr",
    {},
    h("th", { scope: "row", "data-label": t("column-ticket") }, h("a", { href: `/tickets/${ticket.id}`, text: `#${ticket.id}` })),
    cell("status", h("span", { class: "status-text" }), " ", h("span", { class: "mark-word" })),
    cell("client"),
    cell("technician"),
    cell("node"),
    cell("waiting"),
    cell("unsent"),
    cell("crashes"),
  );
}

function update(row, ticket) {
  const [, status, client, technician, node, waiting, unsent, crashes] = row.children;
  const state = ticket.quarantined ? "quarantined" : ticket.state;
  say(status.children[0], ticketStatus(ticket.status));
  say(status.children[1], stateName(state));
  status.children[1].dataset.tone = STATE_TONES[state] ?? "quiet";
  say(client, ticket.client_name);
  say(technician, ticket.technician ?? "–");
  say(node, ticket.node ?? "–");
  say(waiting, ticket.waiting ? t("waiting-for", { n: number(ticket.waiting), duration: duration(ticket.wait_s) }) : "0");
  waiting.dataset.tone = ticket.waiting && ticket.wait_s > WAIT_LONG_S ? "warn" : "quiet";
  say(unsent, number(ticket.unsent));
  say(crashes, number(ticket.crashes));
  crashes.dataset.tone = ticket.crashes ? "warn" : "quiet";
}

function show(data) {
  counts($("#statuses"), data.by_status);
  counts($("#states"), data.by_state);
  const shown = data.tickets.length;
  say($("#total"), t(shown < data.total ? "tickets-total" : "tickets-all", { shown: number(shown), total: number(data.total) }));
  list($("#list tbody"), data.tickets, (ticket) => ticket.id, create, update);
  $("#list").hidden = shown === 0;
  empty($("#list-empty"), shown === 0, t("tickets-none"));
}

const again = look({ url: () => `/api/tickets?${read()}`, show });
