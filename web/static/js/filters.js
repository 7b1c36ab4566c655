// A form whose fields are kept in the page's address, so that a list can be linked and gone back to.

const TYPING_MS = 250;

/** Calls `changed` after each change; returns how to read the filter as URLSearchParams. */
export function filters(form, changed) {
  const given = new URLSearchParams(location.search);
  for (const field of form.elements) {
    if (!field.name || !given.has(field.name)) continue;
    if (field.type === "radio") field.checked = field.value === given.get(field.name);
    else field.value = given.get(field.name);
  }
  let timer = 0;
  const read = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value.trim()) query.set(name, value.trim());
    return query;
  };
  const apply = () => {
    history.replaceState(null, "", `?${read()}`);
    changed();
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    apply();
  });
  return read;
}
