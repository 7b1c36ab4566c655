// Building the page's nodes. Text only ever becomes text nodes: there is no way to pass HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `on…` properties are listeners, `style` and `dataset` are objects, `false` and `null` are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    // Through the object model: the content security policy forbids style attributes.
    else if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

// Drawn on a 24 × 24 grid with round strokes.
const ICONS = {
  attach: ["M20 11.5l-8.3 8.3a5.2 5.2 0 0 1-7.4-7.4l8.6-8.6a3.5 3.5 0 0 1 5 5l-8.5 8.5a1.8 1.8 0 0 1-2.5-2.5l7.7-7.7"],
  back: ["M15 5l-7 7 7 7"],
  block: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M6 6l12 12"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  close: ["M6 6l12 12M18 6L6 18"],
  contact: ["M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4.5 20c.8-3.6 3.9-5.5 7.5-5.5s6.7 1.9 7.5 5.5"],
  dice: ["M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z", "M8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01"],
  down: ["M6 9l6 6 6-6"],
  edit: ["M4 20l1-4.5L16.5 4a2.1 2.1 0 0 1 3 0l.5.5a2.1 2.1 0 0 1 0 3L8.5 19z", "M14.5 6l3.5 3.5"],
  file: ["M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9z", "M13 3v6h6"],
  hash: ["M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16"],
  link: ["M7 17L17 7M9 7h8v8"],
  lock: ["M7 11h10a1.5 1.5 0 0 1 1.5 1.5v6A1.5 1.5 0 0 1 17 20H7a1.5 1.5 0 0 1-1.5-1.5v-6A1.5 1.5 0 0 1 7 11z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  mic: ["M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3z", "M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21"],
  more: ["M12 5.5h.01M12 12h.01M12 18.5h.01"],
  pause: ["M8.5 6v12M15.5 6v12"],
  photo: ["M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z", "M3.5 17l5-5 4.5 4.5 3-3 4.5 4M16 8.5h.01"],
  pin: ["M12 21s7-6.5 7-11.5a7 7 0 0 0-14 0C5 14.5 12 21 12 21z", "M12 7a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z"],
  play: ["M8 5.5v13l10.5-6.5z"],
  plus: ["M12 5v14M5 12h14"],
  poll: ["M5 20v-7M12 20V4M19 20v-11"],
  reply: ["M10 6l-6 5.5L10 17v-3.5c5 0 8 1.5 10 5 0-6-3.5-9.5-10-9.5z"],
  send: ["M4 12L3.5 4.5 21 12 3.5 19.5 4 12zm0 0h8"],
  smile: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M8 14c1 1.7 2.4 2.5 4 2.5s3-.8 4-2.5M9 9.5h.01M15 9.5h.01"],
  sticker: ["M20 13V7a3 3 0 0 0-3-3H7a3 3 0 0 0-3 3v10a3 3 0 0 0 3 3h6z", "M20 13h-4a3 3 0 0 0-3 3v4"],
  topics: ["M4 6h16M4 12h16M4 18h10"],
  trash: ["M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13"],
  unlock: ["M7 11h10a1.5 1.5 0 0 1 1.5 1.5v6A1.5 1.5 0 0 1 17 20H7a1.5 1.5 0 0 1-1.5-1.5v-6A1.5 1.5 0 0 1 7 11z", "M8.5 11V8a3.5 3.5 0 0 1 6.8-1"],
  user: ["M10 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M3 20c.7-3.6 3.4-5.5 7-5.5 1.5 0 2.9.3 4 1M18.5 14v6M15.5 17h6"],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const line of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    svg.append(path);
  }
  return svg;
}

/** A button that shows only an icon; `label` is its name for everybody who does not see it. */
export function iconButton(name, label, properties = {}) {
  return h("button", { type: "button", "aria-label": label, title: label, ...properties, class: `icon-button ${properties.class ?? ""}` }, icon(name));
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Calls `work` once before the next frame, however often it is asked for; also works while the tab is hidden. */
export function batched(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const run = () => {
      asked = false;
      work();
    };
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  };
}
