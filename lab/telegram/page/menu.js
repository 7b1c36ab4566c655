// Pop-up menus and the emoji strip: closed by Escape, a press elsewhere or a choice.

import { h, icon } from "./dom.js";

const GAP_PX = 6;

/** Puts a popover beside its anchor, inside the window. */
function place(popup, anchor, { above = false } = {}) {
  const at = anchor.getBoundingClientRect();
  const box = popup.getBoundingClientRect();
  const left = Math.min(Math.max(GAP_PX, at.left), innerWidth - box.width - GAP_PX);
  const fitsAbove = at.top - box.height - GAP_PX > 0;
  const fitsBelow = at.bottom + box.height + GAP_PX < innerHeight;
  const top = (above && fitsAbove) || !fitsBelow ? Math.max(GAP_PX, at.top - box.height - GAP_PX) : at.bottom + GAP_PX;
  popup.style.setProperty("left", `${left}px`);
  popup.style.setProperty("top", `${top}px`);
}

export function popup(content, anchor, options = {}) {
  const element = h("div", { class: `popup ${options.class ?? ""}`, popover: "auto" }, content);
  const host = anchor.closest("dialog") ?? document.body;
  host.append(element);
  element.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    const inside = element.contains(document.activeElement) || document.activeElement === document.body;
    element.remove();
    anchor.setAttribute("aria-expanded", "false");
    if (inside && anchor.isConnected) anchor.focus({ preventScroll: true });
    options.closed?.();
  });
  element.showPopover();
  anchor.setAttribute("aria-expanded", "true");
  place(element, anchor, options);
  return element;
}

/** `items`: `{icon, text, run, danger}`; walked through with the arrow keys. */
export function menu(items, anchor, options = {}) {
  const buttons = items.map((item) => h("button", { type: "button", role: "menuitem", class: item.danger ? "menu-item danger" : "menu-item", onclick: () => choose(item) }, icon(item.icon), h("span", {}, item.text)));
  const opened = popup(h("div", { role: "menu", class: "menu", onkeydown: walk(buttons) }, buttons), anchor, options);
  buttons[0]?.focus();

  function choose(item) {
    opened.hidePopover();
    item.run();
  }
}

export const REACTIONS = ["👍", "❤", "🔥", "🎉", "👏", "😁", "🤔", "👎"];

export function emojiStrip(emojis, anchor, choose, options = {}) {
  const buttons = emojis.map((emoji) => h("button", { type: "button", class: "emoji-button", onclick: () => { opened.hidePopover(); choose(emoji); } }, emoji));
  const opened = popup(h("div", { class: "emoji-strip", onkeydown: walk(buttons) }, buttons), anchor, { above: true, ...options });
  buttons[0].focus();
}

function walk(buttons) {
  return (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    buttons[(at + step + buttons.length) % buttons.length].focus();
  };
}
