// The texts of the page's language; they come with the page, from web/locales.

const patterns = JSON.parse(document.querySelector("meta[name=texts]").content);

export const language = document.documentElement.lang;

export const knows = (key) => key in patterns;

/** One text; `{name}` in it is replaced by the argument of that name. */
export function t(key, args = {}) {
  const pattern = patterns[key];
  if (pattern === undefined) {
    console.error(`no text ${key}`);
    return key;
  }
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => args[name] ?? whole);
}

/** The text of a value that comes from the server, or the value itself when it is a newer one's. */
export const named = (group, value) => (knows(`${group}-${value}`) ? t(`${group}-${value}`) : String(value));
