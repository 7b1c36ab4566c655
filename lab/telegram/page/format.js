// Times, sizes, names and colours as people read them.

import { language, t } from "./i18n.js";

const formats = new Map();

function format(kind, options) {
  const key = `${language}:${kind}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(language === "ru" ? "ru-RU" : "en-GB", options)));
  return found;
}

export const clock = (seconds) => format("clock", { hour: "2-digit", minute: "2-digit" }).format(seconds * 1000);

export const fullTime = (seconds) => format("full", { dateStyle: "long", timeStyle: "medium" }).format(seconds * 1000);

export function dayKey(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${at.getMonth()}-${at.getDate()}`;
}

export function dayName(seconds) {
  const now = Date.now() / 1000;
  if (dayKey(seconds) === dayKey(now)) return t("today");
  if (dayKey(seconds) === dayKey(now - 86400)) return t("yesterday");
  const options = { day: "numeric", month: "long" };
  const sameYear = new Date(seconds * 1000).getFullYear() === new Date().getFullYear();
  return format(sameYear ? "day" : "year", sameYear ? options : { ...options, year: "numeric" }).format(seconds * 1000);
}

/** For lists: a time today, a date otherwise. */
export function shortTime(seconds) {
  if (dayKey(seconds) === dayKey(Date.now() / 1000)) return clock(seconds);
  return format("short", { day: "2-digit", month: "2-digit" }).format(seconds * 1000);
}

export function duration(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.round(seconds)) : 0;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const [kilo, mega, giga, plain] = t("size").split(" ");
  if (bytes < 1000) return `${bytes} ${plain}`;
  for (const [limit, unit] of [[1e6, kilo], [1e9, mega]]) if (bytes < limit) return `${(bytes / limit * 1e3).toFixed(1)} ${unit}`;
  return `${(bytes / 1e9).toFixed(1)} ${giga}`;
}

const COLOURS = 7;

/** One of the seven name colours, always the same for one person. */
export const colour = (id) => Math.abs(Number(id) || 0) % COLOURS;

const segments = new Intl.Segmenter();

/** Whole characters as people see them, so that an emoji or an accent is never cut. */
export const graphemes = (text) => Array.from(segments.segment(text), (part) => part.segment);

export function initials(name) {
  const words = name.split(/\s+/).map((word) => graphemes(word).find((part) => /[\p{L}\p{N}]/u.test(part))).filter(Boolean);
  return (words.slice(0, 2).join("") || graphemes(name.trim())[0] || "?").toLocaleUpperCase();
}

/** The first letter or digit of a topic's name, as Telegram shows it in the topic's icon. */
export const topicLetter = (name) => (graphemes(name).find((part) => /[\p{L}\p{N}]/u.test(part)) ?? graphemes(name)[0] ?? "#").toLocaleUpperCase();

/** One to three emoji and nothing else: shown large, without a bubble. */
export function bigEmoji(text) {
  const parts = graphemes(text.trim());
  const isEmoji = (part) => /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})/u.test(part);
  return parts.length > 0 && parts.length <= 3 && parts.every(isEmoji);
}

/** A message in a few words, for quotes, lists and screen readers. */
export function summary(message, shorten = 160) {
  const text = message.text ? graphemes(message.text.slice(0, shorten * 2)).slice(0, shorten).join("").replace(/\s+/g, " ") : "";
  const kind = message.kind;
  if (message.service) return message.service;
  if (kind === "text") return text;
  const media = message.media ?? {};
  const what = { sticker: `${media.emoji ?? ""} ${t("sticker")}`, dice: `${media.emoji ?? "🎲"}`, document: media.name ?? t("document"), audio: media.title ?? media.name ?? t("audio"), poll: `${t("poll")}: ${media.question ?? ""}`, contact: `${t("contact")}: ${media.first_name ?? ""}`, venue: media.title ?? t("venue") }[kind] ?? t(kind);
  return text ? `${what}, ${text}` : what.trim();
}
