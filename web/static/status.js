// Puts what the server says into the page, once a second. All texts come ready from the server.
"use strict";

const LOST_AFTER_MS = 4000; // several missed pictures: the numbers are old
const RECONNECT_MS = 2000;

const banner = document.getElementById("banner");
const connection = document.getElementById("connection");
let silence = 0;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // nothing new is not read aloud
}

function showCauses(causes) {
  const list = document.getElementById("causes");
  const shown = [...list.children];
  causes.forEach((cause, n) => setText(shown[n] ?? list.appendChild(document.createElement("li")), cause));
  shown.slice(causes.length).forEach((line) => line.remove());
}

function show(view) {
  banner.dataset.level = view.level;
  setText(document.getElementById("headline"), view.headline);
  showCauses(view.causes);
  for (const element of document.querySelectorAll("[data-field]")) {
    const text = view.fields[element.dataset.field];
    if (text !== undefined) setText(element, text);
  }
  for (const element of document.querySelectorAll("[data-key]")) {
    const tone = view.tones[element.dataset.key];
    if (tone !== undefined) element.dataset.tone = tone;
  }
  for (const bar of document.querySelectorAll("[data-bar]")) {
    const share = view.bars[bar.dataset.bar];
    if (share !== undefined) bar.setAttribute("width", `${share}%`);
  }
}

function setLive(live) {
  connection.classList.toggle("live", live);
  connection.classList.toggle("lost", !live);
  document.body.classList.toggle("old", !live);
  setText(connection, live ? connection.dataset.live : connection.dataset.lost);
}

function connect() {
  const events = new EventSource("/api/events");
  const watch = () => {
    clearTimeout(silence);
    silence = setTimeout(() => setLive(false), LOST_AFTER_MS);
  };
  watch();
  events.onmessage = (event) => {
    watch();
    setLive(true);
    show(JSON.parse(event.data));
  };
  events.onerror = () => {
    setLive(false);
    if (events.readyState === EventSource.CLOSED) setTimeout(recover, RECONNECT_MS);
  };
}

// A refused stream is not tried again by the browser: our right to look may have ended.
async function recover() {
  try {
    const answer = await fetch("/api/status");
    if (answer.status === 401 || answer.status === 403) location.reload();
    else connect();
  } catch {
    setTimeout(recover, RECONNECT_MS);
  }
}

connect();
