// The page: three columns over one world.

import * as api from "./api.js";
import { ClientColumn } from "./client.js";
import { batched, h, icon, replace } from "./dom.js";
import { GroupColumn } from "./group.js";
import { language, onLanguage, setLanguage, t } from "./i18n.js";
import { Live } from "./live.js";
import { Unread } from "./unread.js";
import { World } from "./world.js";

const RETRY_MS = 1000;

const world = new World();
const unread = new Unread();
const memory = sessionMemory();
const parts = { world, unread, memory };
const columns = [new ClientColumn(parts), new GroupColumn({ ...parts, role: "main" }), new GroupColumn({ ...parts, role: "tech" })];
const tabs = new Map();
let connection = "reconnecting";

// --- header and tabs --------------------------------------------------------------------------------

const state = h("span", { class: "connection", role: "status" });

function drawTop() {
  document.documentElement.lang = language;
  document.title = t("pageTitle");
  const address = statusAddress();
  replace(document.getElementById("top"),
    h("img", { class: "logo", src: "/page/icon.svg", alt: "", width: "32", height: "32" }),
    h("div", { class: "brand" }, h("h1", {}, "topicdesk"), h("p", {}, t("subtitle"))),
    state,
    address ? h("a", { class: "button status", title: t("status"), href: address, target: "_blank", rel: "noopener noreferrer" }, icon("poll"), h("span", {}, t("status"))) : null,
    h("button", { type: "button", class: "button language", lang: language === "ru" ? "en" : "ru", onclick: () => setLanguage(language === "ru" ? "en" : "ru") }, t("language")));
  drawConnection();
}

function drawConnection() {
  state.className = `connection ${connection}`;
  replace(state, h("i", {}), h("span", {}, t(connection)));
}

/** Only web addresses: whoever makes the link must not get a script into this page. */
function statusAddress() {
  const given = new URLSearchParams(location.search).get("status") ?? world.statusUrl;
  return given && /^https?:\/\//i.test(given) ? api.safeAddress(given) : null;
}

function drawTabs() {
  tabs.clear();
  replace(document.getElementById("tabs"), columns.map((column) => {
    const count = h("span", { class: "unread", hidden: true });
    const button = h("button", { type: "button", class: "tab", "aria-pressed": "false", dataset: { tab: column.name }, onclick: () => showTab(column.name) }, icon({ client: "contact", main: "topics", techs: "hash" }[column.name]), h("span", {}, t({ client: "tabClient", main: "tabMain", techs: "tabTechs" }[column.name])), count);
    tabs.set(column.name, { button, count });
    return button;
  }));
  showTab(document.getElementById("columns").dataset.tab);
  drawCounts();
}

function showTab(name) {
  document.getElementById("columns").dataset.tab = name;
  for (const [tab, { button }] of tabs) button.setAttribute("aria-pressed", String(tab === name));
}

function drawCounts() {
  for (const column of columns) {
    const sum = [...world.chats.keys()].filter((id) => column.owns(id)).reduce((total, id) => total + unread.ofChat(id), 0);
    const { count } = tabs.get(column.name);
    count.textContent = sum || "";
    count.hidden = !sum;
    count.setAttribute("aria-label", t("unread", { n: sum }));
  }
}

const countsSoon = batched(drawCounts);

// --- the world ----------------------------------------------------------------------------------------

function drawAll() {
  drawTop();
  drawTabs();
  for (const column of columns) column.refresh();
}

world.on("reset", drawAll);
onLanguage(drawAll);
world.on("message", (change) => columns.find((column) => column.owns(change.chat.id))?.onMessage(change));
world.on("topic", (change) => columns.find((column) => column.owns(change.chat.id))?.onTopic?.(change));
world.on("answer", (answer) => columns.forEach((column) => column.onAnswer(answer)));
world.on("user", () => columns[0].onUser());
world.on("chat", ({ chatId }) => columns.find((column) => column.owns(chatId))?.onChat?.(chatId));
unread.addEventListener("change", ({ detail }) => {
  countsSoon();
  columns.find((column) => column.owns(detail.chatId))?.onUnread?.(detail.chatId, detail.threadId);
});
document.addEventListener("visibilitychange", () => columns.forEach((column) => column.read()));

let waiting = []; // events that come while the world is being loaded

const live = new Live({
  onEvent: (change) => {
    if (change.type === "reset") load();
    else if (waiting) waiting.push(change);
    else world.apply(change);
  },
  onState: (now) => {
    connection = now;
    drawConnection();
  },
  onReturn: () => loaded && load(),
});

let loaded = false;
let loading = false;
let again = false;

/** Loads the world; events that come meanwhile are applied after it. Asked for while it runs, it runs once more. */
async function load() {
  waiting ??= [];
  again = loading;
  if (loading) return;
  loading = true;
  try {
    let raw;
    do {
      again = false;
      raw = await api.loadWorld();
    } while (again);
    world.load(raw);
  } catch {
    setTimeout(load, RETRY_MS);
    return;
  } finally {
    loading = false;
  }
  loaded = true;
  const late = waiting;
  waiting = null;
  for (const change of late) world.apply(change);
}

/** What is open stays open after a reload of the page, as long as its tab lives. */
function sessionMemory() {
  const key = "lab.places";
  let kept = {};
  try {
    kept = JSON.parse(sessionStorage.getItem(key)) ?? {};
  } catch {
    // No storage: the page begins anew each time.
  }
  return {
    get: (name) => kept[name],
    set(name, value) {
      kept[name] = value;
      try {
        sessionStorage.setItem(key, JSON.stringify(kept));
      } catch {
        // Kept until the page is left.
      }
    },
  };
}

for (const column of columns) document.getElementById("columns").append(column.element);
drawTop();
await live.open();
await load();
