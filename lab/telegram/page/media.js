// What a message carries besides text. Unknown kinds are named, never dropped.

import { h, icon, svg } from "./dom.js";
import { lightbox } from "./dialogs.js";
import { colour, initials, size } from "./format.js";
import { t } from "./i18n.js";
import { player } from "./player.js";

const STICKER_PX = 168;

/** `{node, bare}`: `bare` media stand without a bubble; `null` when there is nothing to show. */
export function mediaOf(message) {
  const media = message.media ?? {};
  const make = KINDS[message.kind];
  if (make) return make(media, message);
  if (message.kind === "text" || message.service) return null;
  const known = t(message.kind);
  return { node: h("p", { class: "unknown" }, known === message.kind ? t("unknownKind", { kind: message.kind }) : known) };
}

const KINDS = {
  photo: (media, message) => ({ node: photo(media, t("photoAlt", { name: message.from.name })), visual: true }),
  video: (media) => ({ node: video(media, { controls: true }), visual: true }),
  animation: (media) => ({ node: media.mime?.startsWith("image/") ? photo(media, t("animation")) : video(media, { loop: true, muted: true, autoplay: true, badge: "GIF" }), visual: true }),
  video_note: (media) => ({ node: h("div", { class: "round" }, video({ ...media, width: 1, height: 1 }, { controls: true })), bare: true }),
  sticker: (media) => ({ node: sticker(media), bare: true }),
  voice: (media) => ({ node: player(media) }),
  audio: (media) => ({ node: player(media, { name: [media.performer, media.title ?? media.name].filter(Boolean).join(" — ") || t("audio") }) }),
  document: (media) => ({ node: fileCard(media) }),
  location: (media) => ({ node: map(media), visual: true }),
  venue: (media) => ({ node: h("div", {}, map(media), h("p", { class: "card-title" }, media.title ?? t("venue")), h("p", { class: "card-note" }, media.address ?? "")) }),
  contact: (media) => ({ node: contact(media) }),
  poll: (media) => ({ node: poll(media) }),
  dice: (media) => ({ node: dice(media), bare: true }),
};

function frame(media, child) {
  const width = media.width > 0 ? media.width : 4;
  const height = media.height > 0 ? media.height : 3;
  // Very long pictures are cut, as messengers do: the whole is one press away.
  const ratio = Math.min(Math.max(width / height, 0.6), 2.4);
  return h("div", { class: "frame", style: { "aspect-ratio": String(ratio) } }, child);
}

function photo(media, alt) {
  const image = h("img", { src: media.url, alt, loading: "lazy", decoding: "async", draggable: "false" });
  const button = h("button", { type: "button", class: "photo", "aria-label": `${t("open_photo")}: ${alt}`, onclick: () => lightbox(media.url, alt) }, image);
  const framed = frame(media, button);
  // The Bot API's sizes of a sample may not be those of the picture: trust the picture.
  image.addEventListener("load", () => framed.style.setProperty("aspect-ratio", String(Math.min(Math.max(image.naturalWidth / image.naturalHeight, 0.6), 2.4))), { once: true });
  image.addEventListener("error", () => framed.classList.add("broken"), { once: true });
  return framed;
}

function video(media, { badge = null, ...flags }) {
  const element = h("video", { src: media.url, preload: "metadata", playsinline: true, ...flags });
  element.muted = Boolean(flags.muted);
  const framed = frame(media, element);
  if (badge) framed.append(h("span", { class: "badge-corner" }, badge));
  element.addEventListener("error", () => framed.classList.add("broken"), { once: true });
  return framed;
}

function sticker(media) {
  const alt = t("stickerAlt", { emoji: media.emoji ?? "" });
  if (!media.url) return h("span", { class: "sticker-text", role: "img", "aria-label": alt }, media.emoji ?? "🙂");
  const image = h("img", { class: "sticker", src: media.url, alt, width: STICKER_PX, height: STICKER_PX, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "sticker-text", role: "img", "aria-label": alt }, media.emoji ?? "🙂")), { once: true });
  return image;
}

function fileCard(media) {
  const name = media.name ?? t("document");
  const tail = /\.(\w{1,4})$/.exec(name)?.[1] ?? "";
  return h("a", { class: "file", href: media.url, download: name, "aria-label": `${t("download")}: ${name}` },
    h("span", { class: "file-icon" }, tail ? h("b", {}, tail) : icon("file")),
    h("span", { class: "file-side" }, h("span", { class: "card-title" }, name), h("span", { class: "card-note" }, size(media.size))));
}

/** A drawn map: real ones would come from outside the machine. Streets follow the coordinates. */
function map(media) {
  const shift = (value, range) => Math.round(((Math.abs(value) * 1000) % 1) * range);
  const x = shift(media.latitude ?? 0, 60);
  const y = shift(media.longitude ?? 0, 40);
  const drawn = svg("svg", { viewBox: "0 0 280 140", class: "map", "aria-hidden": "true", preserveAspectRatio: "xMidYMid slice" },
    svg("rect", { width: "280", height: "140", class: "map-land" }),
    svg("path", { d: `M-10 ${100 + y / 2} C 60 ${70 + y / 2}, 120 ${150 - y / 2}, 300 ${96 + y / 3} L 300 150 L -10 150 Z`, class: "map-water" }),
    svg("rect", { x: String(24 + x), y: "14", width: "54", height: "34", rx: "6", class: "map-park" }),
    svg("path", { d: `M-10 ${40 + y / 2} L 290 ${20 + y} M${50 + x} -10 L ${80 + x} 150 M${170 + x / 2} -10 L ${150 + x / 2} 150 M-10 ${84 - y / 3} L 290 ${72 + y / 3}`, class: "map-street" }));
  const place = `${Number(media.latitude).toFixed(4)}, ${Number(media.longitude).toFixed(4)}`;
  return h("div", { class: "place", role: "img", "aria-label": `${t("location")}: ${place}` }, drawn, h("span", { class: "place-pin" }, icon("pin")), h("span", { class: "place-note" }, place));
}

function contact(media) {
  const name = [media.first_name, media.last_name].filter(Boolean).join(" ") || t("contact");
  return h("div", { class: "contact" },
    h("span", { class: `avatar c${colour(media.phone?.length * 3)}`, "aria-hidden": "true" }, initials(name)),
    h("span", { class: "file-side" }, h("span", { class: "card-title" }, name), h("span", { class: "card-note" }, media.phone ?? "")));
}

function poll(media) {
  const options = media.options ?? [];
  const votes = options.reduce((sum, option) => sum + (option.votes ?? 0), 0);
  const row = (option) => {
    const share = votes ? Math.round((100 * (option.votes ?? 0)) / votes) : 0;
    return h("li", {}, h("span", { class: "poll-share" }, `${share} %`), h("span", {}, option.text ?? option), h("i", { class: "poll-bar", style: { "--share": `${share}%` } }));
  };
  return h("div", { class: "poll" }, h("p", { class: "card-title" }, media.question ?? ""), h("p", { class: "card-note" }, t("poll")), h("ul", {}, options.map(row)), h("p", { class: "card-note" }, t("pollVotes", { n: votes })));
}

// Where the pips of a die's face stand on a 3 × 3 grid.
const PIPS = { 1: [4], 2: [2, 6], 3: [2, 4, 6], 4: [0, 2, 6, 8], 5: [0, 2, 4, 6, 8], 6: [0, 2, 3, 5, 6, 8] };

function dice(media) {
  const emoji = media.emoji ?? "🎲";
  const label = `${emoji} ${media.value ?? ""}`;
  if (emoji !== "🎲" || !(media.value in PIPS)) return h("div", { class: "dice-text", role: "img", "aria-label": label }, emoji, h("b", {}, String(media.value ?? "")));
  const pips = PIPS[media.value].map((at) => svg("circle", { cx: String(25 + 25 * (at % 3)), cy: String(25 + 25 * Math.floor(at / 3)), r: "9" }));
  const face = svg("svg", { viewBox: "0 0 100 100", class: "die", role: "img", "aria-label": label }, svg("rect", { x: "4", y: "4", width: "92", height: "92", rx: "20" }), ...pips);
  return face;
}
