// How numbers and times are written. Durations come in seconds, moments as ISO 8601.

import { language, t } from "./texts.js";

const NOTHING = "–";
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KIB = 1024;

const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" });

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export const number = (value) => (known(value) ? whole.format(value) : NOTHING);
export const brief = (value) => (known(value) ? short.format(value) : NOTHING);
export const decimal = (value) => (known(value) ? (Math.abs(value) < 100 ? tenths : whole).format(value) : NOTHING);
export const percent = (share) => (known(share) ? `${tenths.format(100 * share)} %` : NOTHING);

/** A short time: 0.4 ms, 12 ms, 1.3 s, then as `duration`. */
export function span(seconds) {
  if (!known(seconds)) return NOTHING;
  if (seconds < 1) return t("unit-ms", { n: (seconds < 0.01 ? tenths : whole).format(1000 * seconds) });
  if (seconds < 10) return t("unit-s", { n: tenths.format(seconds) });
  return duration(seconds);
}

/** Two units at most: what a person says. */
export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const s = Math.max(0, Math.floor(seconds));
  if (s < MINUTE) return t("unit-s", { n: s });
  if (s < 10 * MINUTE && s % MINUTE) return t("unit-min-s", { n: Math.floor(s / MINUTE), rest: s % MINUTE });
  if (s < HOUR) return t("unit-min", { n: Math.floor(s / MINUTE) });
  if (s < DAY) return t("unit-h", { n: Math.floor(s / HOUR), rest: Math.floor((s % HOUR) / MINUTE) });
  return t("unit-d", { n: Math.floor(s / DAY), rest: Math.floor((s % DAY) / HOUR) });
}

export function bytes(value) {
  if (!known(value)) return NOTHING;
  const mib = value / KIB / KIB;
  return mib < KIB ? t("unit-mib", { n: decimal(mib) }) : t("unit-gib", { n: tenths.format(mib / KIB) });
}

export const ago = (seconds) => (known(seconds) ? t("ago", { duration: duration(seconds) }) : NOTHING);

/** Seconds from one moment to another. */
export const between = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);

/** The time of day, with the date when it is not today's. */
export function moment(iso) {
  if (!iso) return NOTHING;
  const at = new Date(iso);
  return (at.toDateString() === new Date().toDateString() ? clock : dated).format(at);
}

export const precise = (iso) => (iso ? full.format(new Date(iso)) : "");
