// Whatever changes something asks first, says what will happen, and tells what came of it.

import { post } from "./api.js";
import { $, h, say } from "./dom.js";
import { t } from "./texts.js";

const NOTICE_MS = 8000;

const dialog = $("#ask");

/**
 * Asks in a dialog.
 *
 * @param {{title: string, text: string[], button: string, grave?: boolean, fields?: HTMLElement[]}} question
 * @returns {Promise<Record<string, string> | null>} the fields' values by name; null: no
 */
export function ask({ title, text, button, grave = false, fields = [] }) {
  say($("#ask-title"), title);
  $("#ask-text").replaceChildren(...text.map((line) => h("p", { text: line })));
  $("#ask-fields").replaceChildren(...fields);
  const yes = $("#ask-yes");
  say(yes, button);
  yes.classList.toggle("grave", grave);
  dialog.returnValue = "";
  dialog.showModal();
  (fields.length ? $("input, select, textarea", $("#ask-fields")) : $("#ask-no")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData($("form", dialog))) : null),
      { once: true },
    );
  });
}

$("#ask-yes").value = "yes";
$("#ask-no").addEventListener("click", () => dialog.close("no"));
dialog.addEventListener("cancel", () => (dialog.returnValue = "no"));

/** A line of text that must be given, such as the reason of a change. */
export function reason() {
  return h("div", { class: "ask-field" }, h("label", { for: "ask-why", text: t("ask-why") }), h("input", { id: "ask-why", name: "why", required: true, maxlength: 500, autocomplete: "off" }));
}

/** A choice; `options` are pairs of value and text. */
export function choice(name, label, options) {
  const select = h("select", { id: `ask-${name}`, name }, ...options.map(([value, text]) => h("option", { value, text })));
  return h("div", { class: "ask-field" }, h("label", { for: `ask-${name}`, text: label }), select);
}

export function notice(text, bad = false) {
  const line = h("p", { class: "notice", data: { tone: bad ? "bad" : "good" }, text });
  $("#notices").append(line);
  setTimeout(() => line.remove(), NOTICE_MS);
}

/** Does it, and says what came of it: `told` makes lines of the answer. Returns whether it was done. */
export async function act(url, body, told) {
  try {
    const done = await post(url, body);
    for (const line of told(done)) notice(line);
    return true;
  } catch (error) {
    notice(t("failed", { error: error.status ? error.message : t("no-answer") }), true);
    return false;
  }
}

/** What to add to a notice: nobody was there to hear it, or nothing was to do. */
export function heard(done, text) {
  if (done.action === "") return [t("done-nothing")];
  return done.heard === false ? [text, t("done-unheard")] : [text];
}
