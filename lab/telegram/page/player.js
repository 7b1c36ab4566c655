// Voice messages and audio: a button, a wave that fills, a time.

import { h, icon, replace } from "./dom.js";
import { duration } from "./format.js";
import { t } from "./i18n.js";

const BARS = 36;

let playing = null;

export function player(media, { name = "" } = {}) {
  const audio = h("audio", { preload: "none", src: media.url });
  const time = h("span", { class: "player-time" }, duration(media.duration));
  const bars = wave(media.file_id ?? "");
  const button = h("button", { type: "button", class: "player-button", "aria-label": t("play"), onclick: toggle }, icon("play"));

  function toggle() {
    if (!audio.paused) return audio.pause();
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    // A sample of the lab may hold no real sound: the button then simply springs back.
    audio.play().catch(shown);
  }

  function shown() {
    replace(button, icon(audio.paused ? "play" : "pause"));
    button.setAttribute("aria-label", t(audio.paused ? "play" : "pause"));
  }

  function advanced() {
    const whole = Number.isFinite(audio.duration) ? audio.duration : media.duration || 1;
    const done = audio.ended ? 0 : audio.currentTime / whole;
    time.textContent = duration(audio.paused && !audio.currentTime ? whole : audio.ended ? whole : audio.currentTime);
    [...bars.children].forEach((bar, at) => bar.classList.toggle("done", at / BARS < done));
  }

  for (const event of ["play", "pause", "ended", "error"]) audio.addEventListener(event, shown);
  for (const event of ["timeupdate", "ended"]) audio.addEventListener(event, advanced);
  return h("div", { class: "player" }, button, h("div", { class: "player-side" }, name ? h("span", { class: "player-name" }, name) : bars, time), audio);
}

/** Bars that look like a voice; drawn from the file's id, so always the same for one message. */
function wave(seed) {
  let state = 7;
  for (const character of seed) state = (state * 31 + character.codePointAt(0)) % 65521;
  const heights = Array.from({ length: BARS }, (_, at) => {
    state = (state * 171 + 11213) % 53125;
    return 16 + Math.round((state / 53125) * 84 * (0.6 + 0.4 * Math.sin(at / 2.6)));
  });
  return h("span", { class: "wave", "aria-hidden": "true" }, heights.map((height) => h("i", { style: { height: `${height}%` } })));
}
