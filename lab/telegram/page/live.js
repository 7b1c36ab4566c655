// The event stream: opened before the world is loaded, so that nothing falls between the two.

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8000;

export class Live {
  /** `onEvent` gets every event in order, `onState` is told "live" or "reconnecting". */
  constructor({ onEvent, onState }) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.retryMs = RETRY_MS_MIN;
  }

  /** Resolves when the stream is open. */
  open() {
    return new Promise((resolve) => this.connect(resolve));
  }

  connect(opened) {
    const source = new EventSource(this.lastSeq ? `/lab/events?after=${this.lastSeq}` : "/lab/events");
    source.addEventListener("open", () => {
      this.retryMs = RETRY_MS_MIN;
      this.onState("live");
      opened?.();
    });
    source.addEventListener("message", (event) => {
      const change = JSON.parse(event.data);
      this.lastSeq = change.seq ?? this.lastSeq;
      this.onEvent(change);
    });
    source.addEventListener("error", () => {
      this.onState("reconnecting");
      // The browser retries lost streams by itself, but gives up for good after an error status.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.connect(opened), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
    });
  }
}
