// Keeps a page's numbers fresh: a stream of events where there is one, else polling that never stacks.
// Nothing is asked while the page is paused or its tab hidden.

import { get } from "./api.js";

const STREAM_SILENCE_MS = 4000; // several pictures missed: the stream is as good as gone
const STREAM_AGAIN_MS = 15000; // until then polling stands in for it
const LOST_AFTER_FAILURES = 2;
const UNAVAILABLE = 503; // the server answers, but what it would tell is away
const REST = 10; // a slow answer means work for the database: rest ten times as long as it took
const RETRY_MS = 2000;

export class Feed {
  #timer = 0;
  #watch = 0;
  #events = null;
  #round = 0;
  #failures = 0;
  #streamAfter = 0;

  /**
   * @param {{url: () => string, stream?: string, intervalMs: number,
   *   onData: (data: object) => void, onState: (state: string) => void}} options
   */
  constructor({ url, stream, intervalMs, onData, onState }) {
    Object.assign(this, { url, stream, intervalMs, onData, onState });
    this.paused = false;
    this.updatedAt = null;
    document.addEventListener("visibilitychange", () => this.restart());
    addEventListener("online", () => this.restart());
  }

  pause(paused) {
    this.paused = paused;
    this.restart();
  }

  every(intervalMs) {
    this.intervalMs = intervalMs;
    this.restart();
  }

  /** Asks at once, as after a change; what is under way is not heard any more. */
  restart() {
    this.#stop();
    if (this.paused) this.onState("paused");
    else if (!document.hidden) this.#begin();
  }

  #begin() {
    const wantsStream = this.stream && this.intervalMs <= 1000 && Date.now() >= this.#streamAfter;
    if (wantsStream) this.#listen();
    else this.#poll(this.#round);
  }

  #stop() {
    this.#round += 1;
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#events?.close();
    this.#events = null;
  }

  #got(data) {
    this.#failures = 0;
    this.updatedAt = Date.now();
    this.onState("live");
    this.onData(data);
  }

  #listen() {
    const events = new EventSource(this.stream);
    this.#events = events;
    const giveUp = () => {
      if (this.#events !== events) return;
      this.#streamAfter = Date.now() + STREAM_AGAIN_MS;
      this.restart();
    };
    const expect = () => {
      clearTimeout(this.#watch);
      this.#watch = setTimeout(giveUp, STREAM_SILENCE_MS);
    };
    expect();
    events.addEventListener("status", (event) => {
      expect();
      this.#got(JSON.parse(event.data));
    });
    events.onerror = giveUp;
  }

  async #poll(round) {
    let wait = this.intervalMs;
    const askedAt = performance.now();
    try {
      const data = await get(this.url());
      if (round !== this.#round) return;
      wait = Math.max(wait, REST * (performance.now() - askedAt));
      this.#got(data);
    } catch (error) {
      if (round !== this.#round) return;
      this.#failures += 1;
      wait = Math.max(RETRY_MS, this.intervalMs);
      if (error.status === 404) this.onState("missing");
      else if (error.status === UNAVAILABLE) this.onState("away");
      else if (this.#failures >= LOST_AFTER_FAILURES || error.status === undefined) this.onState("lost");
    }
    const again = () => (this.stream ? this.#begin() : this.#poll(round));
    this.#timer = setTimeout(again, wait);
  }
}
