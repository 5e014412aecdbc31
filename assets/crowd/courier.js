// Questions to the server, one at a time. A newer question replaces an older one of its kind that
// still waits, and what a person waits for goes before what fills in a curve.

const ORDER = ["open", "look", "rows", "save", "suggest", "cost", "sweep"];
const LOST = 90000;

export class Courier {
  /** send(question) gives it to the server; busy(words) says what is being waited for, or null. */
  constructor(send, busy) {
    this.send = send;
    this.busy = busy;
    this.waiting = new Map();
    this.flying = null;
    this.turn = 0;
  }

  /**
   * Ask: `words` are shown while it lasts, `data` goes to the server, `answered(message)` gets its
   * answer, or null where the server refused.
   */
  ask(kind, words, data, answered) {
    this.waiting.set(kind, { kind, words, data, answered });
    this.pump();
  }

  /** Forget what waits of some kinds. */
  drop(...kinds) {
    for (const kind of kinds) this.waiting.delete(kind);
  }

  pump() {
    if (this.flying && performance.now() - this.flying.since < LOST) return;
    const kind = ORDER.find((one) => this.waiting.has(one));
    if (!kind) {
      this.flying = null;
      this.busy(null);
      return;
    }
    const question = this.waiting.get(kind);
    this.waiting.delete(kind);
    this.turn += 1;
    this.flying = { ...question, turn: this.turn, since: performance.now() };
    this.busy(question.words);
    const data = typeof question.data === "function" ? question.data() : question.data;
    this.send({ ...data, kind, turn: this.turn });
  }

  /** Take an answer: what is no longer waited for is passed over. */
  async take(message) {
    const { flying } = this;
    if (!flying || message.turn !== flying.turn) return;
    try {
      await flying.answered(message.ok ? message : null);
    } finally {
      if (this.flying === flying) {
        this.flying = null;
        this.pump();
      }
    }
  }
}
