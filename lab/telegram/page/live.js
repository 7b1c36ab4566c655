// The event stream: opened before the world is loaded, so that nothing falls between the two.

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8000;

export class Live {
  /**
   * `onEvent` gets every event in order, `onState` is told "live" or "reconnecting"; `onReturn` is
   * called when a lost stream is back: the world may be another one by then, so load it again.
   */
  constructor({ onEvent, onState, onReturn }) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.onReturn = onReturn;
    this.lost = false;
    this.retryMs = RETRY_MS_MIN;
  }

  /** Resolves when the stream is open. */
  open() {
    return new Promise((resolve) => this.connect(resolve));
  }

  connect(opened) {
    const source = new EventSource("/lab/events");
    source.addEventListener("open", () => {
      this.retryMs = RETRY_MS_MIN;
      if (this.lost) this.onReturn();
      this.lost = false;
      this.onState("live");
      opened?.();
    });
    source.addEventListener("message", (event) => {
      this.onEvent(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      this.lost = true;
      this.onState("reconnecting");
      // The browser retries lost streams by itself, but gives up for good after an error status.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.connect(opened), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
    });
  }
}
