// Small helpers over the DOM. Text is always set as text: nothing from the server becomes markup.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element; `props` are attributes, but `text`, `on` (listeners) and `data` (dataset). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets a text only when it is another: what stays the same is not read aloud, nor its selection lost. */
export function say(element, text) {
  if (element && element.textContent !== String(text)) element.textContent = text;
}

/** Puts texts into the elements that carry `data-value` with that name. */
export function fill(values, root = document) {
  for (const element of $$("[data-value]", root)) {
    const text = values[element.dataset.value];
    if (text !== undefined) say(element, text);
  }
}

/** Gives tones (quiet, good, warn, bad) to elements by `data-key`; CSS adds the sign to the colour. */
export function tone(tones, root = document) {
  for (const element of $$("[data-key]", root)) {
    const value = tones[element.dataset.key];
    if (value !== undefined && element.dataset.tone !== value) element.dataset.tone = value;
  }
}

/** Makes the children of `parent` show `items`, keeping the element of each key: focus stays where it is. */
export function list(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.item, child]));
  let before = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = known.get(key);
    known.delete(key);
    if (!element) {
      element = create(item);
      element.dataset.item = key;
    }
    if (element !== before) parent.insertBefore(element, before);
    else before = before.nextElementSibling;
    update(element, item);
  }
  for (const gone of known.values()) gone.remove();
}

/** A bar of what is used of a limit, which an assistive program reads as a meter. */
export function meter(element, used, limit, label) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  element.setAttribute("role", "meter");
  element.setAttribute("aria-valuemin", "0");
  element.setAttribute("aria-valuemax", String(limit));
  element.setAttribute("aria-valuenow", String(Math.min(used, limit)));
  if (label) element.setAttribute("aria-label", label);
  let bar = element.firstElementChild;
  if (!bar) {
    bar = element.appendChild(h("span", { class: "fill" }));
    element.classList.add("track");
  }
  bar.style.width = `${(100 * share).toFixed(1)}%`;
  element.dataset.full = share >= 0.95 ? "full" : share >= 0.75 ? "high" : "";
}
