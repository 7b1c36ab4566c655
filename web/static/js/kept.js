// What the browser remembers of this person's choices; without storage, only until the page closes.

const memory = new Map();

export function recall(name, fallback) {
  try {
    return localStorage.getItem(`topicdesk-${name}`) ?? fallback;
  } catch {
    return memory.get(name) ?? fallback;
  }
}

export function keep(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`topicdesk-${name}`, value);
  } catch {
    // kept in memory
  }
}
