// The page's language: what was chosen last, else the browser's.

import { TEXTS, translated } from "./texts.js";

const KEY = "lab.language";
const preferred = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2)).find((tag) => tag in TEXTS);

export let language = remembered() ?? preferred ?? "en";
const listeners = [];

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in TEXTS ? kept : null;
  } catch {
    return null; // storage may be forbidden; the page works without
  }
}

export function setLanguage(chosen) {
  language = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Forgotten with this tab, nothing more.
  }
  document.documentElement.lang = chosen;
  for (const listener of listeners) listener();
}

export const onLanguage = (listener) => listeners.push(listener);

/** The text of a key; `{name}` in it is filled from `args`. */
export function t(key, args = {}) {
  const text = TEXTS[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in args ? String(args[name]) : whole));
}

export const said = (sentence) => translated(sentence, language);
