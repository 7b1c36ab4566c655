// Short notes that go away by themselves; they stay while the pointer rests on them.

import { h } from "./dom.js";

const SHOWN_MS = 4500;
const AT_ONCE_MAX = 4;

export function toast(text, place = document.getElementById("toasts")) {
  const note = h("div", { class: "toast" }, text);
  const leave = () => {
    if (note.matches(":hover")) return void setTimeout(leave, 800);
    note.classList.add("leaving");
    setTimeout(() => note.remove(), 250);
  };
  place.append(note);
  while (place.children.length > AT_ONCE_MAX) place.firstElementChild.remove();
  setTimeout(leave, SHOWN_MS + text.length * 25);
}
