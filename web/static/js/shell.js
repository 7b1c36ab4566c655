// What every page has: the connection's state, pause, interval, theme, the verdict at the top.

import { $, fill, say } from "./dom.js";
import { Feed } from "./feed.js";
import { duration } from "./format.js";
import { keep, recall } from "./kept.js";
import { t } from "./texts.js";

const TICK_MS = 1000;
const LISTS_AT_MOST_MS = 2000; // lists are asked of the database: not oftener than this

const connection = $("#connection");
const pause = $("#pause");
const interval = $("#interval");
const feeds = [];
const states = new Map();
let announced = null;

/**
 * Begins to look: at the overview, from which every page shows the verdict, and at the page's own data.
 *
 * @param {{url?: () => string, show?: (data: object) => void, overview?: (data: object) => void,
 *   missing?: () => void}} page
 * @returns {() => void} asks for the page's own data at once, as after an action
 */
export function look({ url, show, overview, missing }) {
  const seconds = Number(recall("interval", "1"));
  interval.value = String([...interval.options].some((one) => Number(one.value) === seconds) ? seconds : 1);
  const intervalMs = () => 1000 * Number(interval.value);
  const follow = (name, options) => {
    const feed = new Feed({
      ...options,
      onState: (state) => {
        if (state === "missing") missing?.();
        else states.set(name, state);
        describe();
      },
    });
    feeds.push(feed);
    return feed;
  };
  follow("overview", {
    url: () => "/api/status",
    stream: "/api/stream",
    intervalMs: intervalMs(),
    onData: (data) => {
      glance(data);
      overview?.(data);
    },
  });
  const own = url && follow("own", { url, intervalMs: Math.max(LISTS_AT_MOST_MS, intervalMs()), onData: show });
  interval.addEventListener("change", () => {
    keep("interval", interval.value);
    for (const feed of feeds) feed.every(feed === own ? Math.max(LISTS_AT_MOST_MS, intervalMs()) : intervalMs());
  });
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    say(pause, t(paused ? "resume" : "pause"));
    for (const feed of feeds) feed.pause(paused);
  });
  pause.disabled = interval.disabled = false;
  setInterval(describe, TICK_MS);
  for (const feed of feeds) feed.restart();
  return () => own?.restart();
}

function describe() {
  const all = [...states.values()];
  const state = ["lost", "paused", "away", "live"].find((one) => all.includes(one)) ?? "";
  const ages = feeds.map((feed) => feed.updatedAt).filter((at) => at !== null);
  const age = ages.length ? Math.floor((Date.now() - Math.min(...ages)) / 1000) : null;
  connection.dataset.state = state;
  document.body.classList.toggle("stale", state === "lost" || state === "away");
  if (state === "lost") say(connection, age === null ? t("lost-first") : t("lost", { duration: duration(age) }));
  else if (state === "away") say(connection, t("away"));
  else if (state === "paused") say(connection, t("paused-state"));
  else if (state === "live") say(connection, age < 2 ? t("updated-now") : t("updated", { duration: duration(age) }));
  if ((state === "lost") !== (announced === "lost") && (state === "lost" || announced !== null)) {
    say($("#announcement"), t(state === "lost" ? "lost-said" : "back-said"));
  }
  if (state) announced = state;
}

/** What all pages tell of the overview. */
function glance(data) {
  const verdict = $("#verdict");
  verdict.dataset.level = data.state;
  say(verdict, t(`verdict-short-${data.state}`));
  count("dead", data.dead_letters);
  count("tickets", data.quarantined);
  fill({ foot: t("foot", { version: data.version, node: data.node }) });
}

function count(name, n) {
  const badge = $(`[data-count=${name}]`);
  badge.hidden = !n;
  say(badge, n ?? "");
}

// --- the theme ---------------------------------------------------------------------------------

const toggle = $("#theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

function themed() {
  toggle.dataset.now = isDark() ? "dark" : "light";
  document.dispatchEvent(new Event("themechange"));
}

toggle.hidden = false;
toggle.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  keep("theme", theme);
  themed();
});
dark.addEventListener("change", themed);
themed();

// The other language keeps what is searched for.
const other = $("#language");
other.addEventListener("click", () => {
  const query = new URLSearchParams(location.search);
  query.set("lang", other.lang);
  other.search = `?${query}`;
});
