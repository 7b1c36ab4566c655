// Choosing one of many people or groups: a button that opens a list with a search field.

import { h, icon, replace } from "./dom.js";
import { colour, initials } from "./format.js";
import { t } from "./i18n.js";
import { popup } from "./menu.js";

const SEARCH_FROM = 7;
const SHOWN_MAX = 200;

export const avatar = (name, seed, extra = "") => h("span", { class: `avatar c${colour(seed)} ${extra}`, "aria-hidden": "true" }, initials(name));

/** `choices()` gives `{key, name, note, seed, unread}`; `chosen(key)` is told what was picked. */
export class Picker {
  constructor({ label, choices, chosen }) {
    this.label = label;
    this.choices = choices;
    this.chosen = chosen;
    this.element = h("button", { type: "button", class: "picker", "aria-haspopup": "listbox", "aria-expanded": "false", onclick: () => this.open() });
  }

  show(current) {
    this.current = current;
    if (!current) return replace(this.element, h("span", { class: "picker-side" }, h("b", { class: "picker-name" }, this.label())));
    this.element.setAttribute("aria-label", `${this.label()}: ${current.name}`);
    replace(this.element, avatar(current.name, current.seed), h("span", { class: "picker-side" }, h("b", { class: "picker-name", dir: "auto" }, current.name), h("span", { class: "picker-note" }, current.note ?? "")), icon("down"));
  }

  open() {
    const all = this.choices();
    if (all.length === 0) return;
    const list = h("div", { role: "listbox", class: "listbox", "aria-label": this.label() });
    const search = h("input", { class: "search", type: "search", placeholder: t("find"), "aria-label": t("find"), oninput: () => fill(search.value) });
    const content = h("div", { class: "picker-list", onkeydown: (event) => this.walk(event, list) }, all.length >= SEARCH_FROM && search, list);
    const fill = (wanted) => {
      const needle = wanted.trim().toLocaleLowerCase();
      const found = all.filter((one) => `${one.name} ${one.note ?? ""}`.toLocaleLowerCase().includes(needle));
      replace(list, found.slice(0, SHOWN_MAX).map((one) => this.option(one)));
    };
    fill("");
    this.opened = popup(content, this.element);
    if (all.length >= SEARCH_FROM) search.focus();
    else (list.querySelector('[aria-selected="true"]') ?? list.firstElementChild)?.focus();
  }

  option(one) {
    const pick = () => {
      this.opened.hidePopover();
      this.chosen(one.key);
    };
    return h("div", { role: "option", tabindex: "-1", class: "option", "aria-selected": String(one.key === this.current?.key), dataset: { key: one.key }, onclick: pick, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } } },
      avatar(one.name, one.seed), h("span", { class: "picker-side" }, h("b", { class: "picker-name", dir: "auto" }, one.name), h("span", { class: "picker-note" }, one.note ?? "")),
      one.unread ? h("span", { class: "unread", "aria-label": t("unread", { n: one.unread }) }, one.unread) : null);
  }

  walk(event, list) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const options = [...list.children];
    const at = options.indexOf(document.activeElement);
    options[at < 0 ? 0 : (at + step + options.length) % options.length]?.focus();
  }
}
