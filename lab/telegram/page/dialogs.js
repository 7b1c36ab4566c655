// Native dialogs: the browser keeps the focus inside and closes them with Escape.

import { h, iconButton } from "./dom.js";
import { t } from "./i18n.js";

function open(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove(), { once: true });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
  return dialog;
}

export function lightbox(url, alt) {
  const dialog = h("dialog", { class: "lightbox", "aria-label": alt }, h("img", { src: url, alt }), iconButton("close", t("close"), { class: "lightbox-close", onclick: () => dialog.close() }));
  open(dialog);
}

/** What a bot wants to be read before anything else. */
export function alertDialog(text) {
  const dialog = h("dialog", { class: "dialog", role: "alertdialog", "aria-label": t("alert") },
    h("p", { class: "dialog-text" }, text),
    h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button primary", autofocus: true, onclick: () => dialog.close() }, "OK")));
  open(dialog);
}

export function confirmDialog(text, yes) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "dialog", role: "alertdialog", "aria-label": text },
      h("p", { class: "dialog-text" }, text),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("cancel")),
        h("button", { type: "button", class: "button danger", onclick: () => dialog.close("yes") }, yes)));
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    open(dialog);
  });
}

/**
 * A small form. `fields`: `{name, label, value, placeholder, rows, required, maxlength, options}`;
 * `submit(values)` may throw a sentence, which is shown while the form stays open.
 */
export function formDialog({ title, fields, action, submit, explain }) {
  const inputs = fields.map(({ name, label, rows, options, ...rest }) => {
    const attributes = { name, id: `field-${name}`, ...rest };
    if (options) return [label, h("select", attributes, options.map(([value, text]) => h("option", { value, selected: value === rest.value }, text)))];
    return [label, rows ? h("textarea", { ...attributes, rows }) : h("input", { autocomplete: "off", ...attributes })];
  });
  const error = h("p", { class: "dialog-error", role: "alert" });
  const go = h("button", { type: "submit", class: "button primary" }, action);
  const form = h("form", { method: "dialog", onsubmit: accept },
    h("h2", {}, title),
    inputs.map(([label, input]) => h("label", { for: input.id }, h("span", {}, label), input)),
    error,
    h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("cancel")), go));
  const dialog = h("dialog", { class: "dialog", "aria-label": title }, form);

  async function accept(event) {
    event.preventDefault();
    go.disabled = true;
    try {
      await submit(Object.fromEntries(inputs.map(([, input]) => [input.name, input.value.trim()])));
      dialog.close();
    } catch (problem) {
      error.textContent = explain(problem);
    } finally {
      go.disabled = false;
    }
  }

  open(dialog);
  inputs[0]?.[1].focus();
}
