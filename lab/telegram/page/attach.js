// What can be sent besides text. Samples are made here: nobody needs a photo or a microphone at hand.

import { emojiStrip } from "./menu.js";
import { formDialog } from "./dialogs.js";
import { t } from "./i18n.js";

const STICKERS = ["👍", "😀", "😍", "🎉", "🤔", "😱", "🚀", "🐱"];
const DICE = ["🎲", "🎯", "🏀", "⚽", "🎳", "🎰"];
const STICKER_PX = 256;
const RATE = 8000;
const SKIES = [205, 220, 262, 330, 18]; // noon, evening, dusk, dawn, sunset

/** The entries of the attach menu. `composer`: `pickFiles`, `addFile`, `post`, `record`, `explain`. */
export function attachItems(composer, anchor) {
  return [
    { icon: "file", text: t("file"), run: () => composer.pickFiles() },
    { icon: "photo", text: t("photoSample"), run: async () => composer.addFile(await samplePhoto()) },
    { icon: "mic", text: t("voice"), run: () => composer.record() },
    { icon: "sticker", text: t("sticker"), run: () => emojiStrip(STICKERS, anchor, async (emoji) => composer.post({ kind: "sticker", media: { emoji }, file: await drawnSticker(emoji) })) },
    { icon: "dice", text: t("dice"), run: () => emojiStrip(DICE, anchor, (emoji) => composer.post({ kind: "dice", media: { emoji } })) },
    { icon: "pin", text: t("location"), run: () => locationForm(composer) },
    { icon: "contact", text: t("contact"), run: () => contactForm(composer) },
    { icon: "poll", text: t("poll"), run: () => pollForm(composer) },
  ];
}

function locationForm(composer) {
  const number = (limit) => ({ type: "number", step: "any", required: true, min: -limit, max: limit });
  form(composer, "location", [
    { name: "latitude", label: t("latitude"), value: "59.9386", ...number(90) },
    { name: "longitude", label: t("longitude"), value: "30.3141", ...number(180) },
  ], ({ latitude, longitude }) => ({ latitude: Number(latitude), longitude: Number(longitude) }));
}

function contactForm(composer) {
  form(composer, "contact", [
    { name: "first_name", label: t("name"), value: t("contactName"), required: true, maxlength: 64 },
    { name: "phone", label: t("phone"), value: "+7 900 000-00-00", type: "tel", required: true, maxlength: 32 },
  ], (values) => values);
}

function pollForm(composer) {
  form(composer, "poll", [
    { name: "question", label: t("question"), value: t("pollQuestion"), required: true, maxlength: 300 },
    { name: "options", label: t("options"), value: `${t("pollOption1")}\n${t("pollOption2")}`, rows: 4, required: true },
  ], ({ question, options }) => ({ question, options: options.split("\n").map((line) => line.trim()).filter(Boolean) }));
}

function form(composer, kind, fields, media) {
  formDialog({ title: t(kind), fields, action: t("send"), submit: (values) => composer.deliver({ kind, media: media(values) }), explain: (problem) => composer.explain(problem) });
}

function canvasFile(width, height, draw, name, type) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  draw(canvas.getContext("2d"));
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(new File([blob], name, { type })), type, 0.9));
}

/** A little landscape, different each time. */
function samplePhoto() {
  const hue = SKIES[Math.floor(Math.random() * SKIES.length)];
  return canvasFile(960, 640, (pen) => {
    const sky = pen.createLinearGradient(0, 0, 0, 640);
    sky.addColorStop(0, `hsl(${hue} 70% 62%)`);
    sky.addColorStop(1, `hsl(${(hue + 50) % 360} 85% 86%)`);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 960, 640);
    pen.fillStyle = "#fffbe8";
    pen.beginPath();
    pen.arc(200 + Math.random() * 560, 170, 62, 0, 7);
    pen.fill();
    for (let ridge = 0; ridge < 3; ridge += 1) {
      pen.fillStyle = `hsl(${(hue + 170) % 360} ${28 + ridge * 8}% ${52 - ridge * 14}%)`;
      pen.beginPath();
      pen.moveTo(0, 640);
      const phase = Math.random() * 6;
      for (let x = 0; x <= 960; x += 12) pen.lineTo(x, 340 + ridge * 90 + Math.sin(x / 130 + phase) * 46 + Math.sin(x / 47 + phase) * 14);
      pen.lineTo(960, 640);
      pen.fill();
    }
  }, "photo.jpg", "image/jpeg");
}

function drawnSticker(emoji) {
  return canvasFile(STICKER_PX, STICKER_PX, (pen) => {
    pen.font = `${STICKER_PX * 0.72}px "Noto Color Emoji", "Apple Color Emoji", "Segoe UI Emoji", sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = "#3d7ab8";
    pen.fillText(emoji, STICKER_PX / 2, STICKER_PX * 0.54);
  }, "sticker.webp", "image/webp");
}

/** Two seconds of a hummed melody as a WAV file. */
export function sampleVoice() {
  const notes = [262, 330, 392, 330, 294, 262];
  const seconds = 2;
  const view = new DataView(new ArrayBuffer(44 + RATE * seconds * 2));
  const letters = (at, text) => [...text].forEach((letter, shift) => view.setUint8(at + shift, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  letters(36, "data");
  view.setUint32(40, RATE * seconds * 2, true);
  for (let at = 0; at < RATE * seconds; at += 1) {
    const place = (at / (RATE * seconds)) * notes.length;
    const swell = Math.sin(Math.PI * (place % 1));
    view.setInt16(44 + at * 2, Math.sin((2 * Math.PI * notes[Math.floor(place)] * at) / RATE) * swell * 9000, true);
  }
  return { file: new File([view.buffer], "voice.wav", { type: "audio/wav" }), seconds };
}

/** Records with the microphone; rejects when there is none or it is not allowed. `stop()` gives the file. */
export async function startRecording() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const type = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus"].find((one) => MediaRecorder.isTypeSupported(one)) ?? "";
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const startedAt = performance.now();
  recorder.start();
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  return {
    elapsed: () => (performance.now() - startedAt) / 1000,
    async stop() {
      const seconds = Math.max(1, Math.round((performance.now() - startedAt) / 1000));
      recorder.stop();
      await ended;
      for (const track of stream.getTracks()) track.stop();
      const kind = recorder.mimeType.split(";")[0];
      return { file: new File(parts, kind === "audio/ogg" ? "voice.ogg" : "voice.webm", { type: kind }), seconds };
    },
  };
}
