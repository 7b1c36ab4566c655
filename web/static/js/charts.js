// Two charts of the history, drawn by uPlot in the page's own colours.

import { $ } from "./dom.js";
import { decimal } from "./format.js";
import { language, t } from "./texts.js";

const HEIGHT = 220;
const SCALE_MIN = { rate: 1, count: 5, ms: 10 }; // a quiet hour is drawn flat, not as a mountain of noise

// A line needs two neighbours: where few points are known they are drawn as dots.
const SPARSE = 12;
const isSparse = (plot, n) => plot.data[n].filter((value) => value !== null).length < SPARSE;

// Colour, dash and which scale: lines are told apart without their colour, too.
const STYLES = [
  { colour: "--fill", width: 2 },
  { colour: "--good", width: 2, dash: [6, 4] },
  { colour: "--warn", width: 2, dash: [2, 3] },
];

/** What a custom property is right now; canvas knows no light-dark(). */
function colour(name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export class Chart {
  #plot = null;
  #data = null;

  /** @param {Array<{text: string, scale: string, factor?: number, column: string}>} lines */
  constructor(element, lines) {
    this.element = element;
    this.lines = lines;
    new ResizeObserver(() => this.#resize()).observe(element);
    document.addEventListener("themechange", () => this.#draw());
  }

  show(history) {
    const column = ({ column: name, factor = 1 }) => (history.columns[name] ?? history.at.map(() => null)).map((value) => (value === null ? null : value * factor));
    this.#data = [history.at, ...this.lines.map(column)];
    this.#draw();
    this.#describe();
  }

  #draw() {
    if (!this.#data) return;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#data, this.element);
  }

  #resize() {
    const width = this.element.clientWidth;
    if (this.#plot && width && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #options() {
    const [text, grid] = [colour("--muted"), colour("--line")];
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const scales = [...new Set(this.lines.map((line) => line.scale))];
    return {
      width: this.element.clientWidth || 300,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      legend: { live: true },
      scales: { x: { time: true }, ...Object.fromEntries(scales.map((scale) => [scale, { range: (_, low, high) => [0, Math.max(SCALE_MIN[scale], (high ?? 0) * 1.1)] }])) },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((at) => clock.format(at * 1000)), space: 60, size: 28 },
        ...scales.map((scale, n) => ({ ...axis, scale, side: n ? 1 : 3, size: 48, grid: n ? { show: false } : axis.grid, values: (_, ticks) => ticks.map(decimal) })),
      ],
      series: [
        { label: t("chart-time"), value: (_, at) => (at ? clock.format(at * 1000) : "") },
        ...this.lines.map((line, n) => {
          const style = STYLES[n];
          return { label: line.text, scale: line.scale, stroke: colour(style.colour), width: style.width, dash: style.dash, points: { show: isSparse, size: 6, fill: colour(style.colour) }, value: (_, value) => decimal(value) };
        }),
      ],
    };
  }

  /** The same in words, for those who do not see the picture. */
  #describe() {
    const told = this.lines.map((line, n) => {
      const values = this.#data[n + 1].filter((value) => value !== null);
      return t("chart-summary", { name: line.text, last: decimal(values.at(-1)), most: decimal(values.length ? Math.max(...values) : null) });
    });
    const title = $("figcaption", this.element.closest("figure")).firstChild.textContent.trim();
    this.element.setAttribute("aria-label", `${title}. ${told.join("; ")}`);
  }
}
