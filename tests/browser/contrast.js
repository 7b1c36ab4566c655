// For each piece of visible text: its colour against the nearest painted ground, as WCAG 2.2 has it.
// Emoji and pictures are no text; a ground with a gradient counts by each of its colours.
() => {
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const over = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const grounds = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const stops = style.backgroundImage.match(/rgba?\([^)]*\)/g);
      if (stops) return stops.map((stop) => over([stop, ...layers]));
      if (style.backgroundColor !== 'rgba(0, 0, 0, 0)') {
        layers.unshift(style.backgroundColor);
        if (over(layers)[3] === 255) return [over(layers)];
      }
    }
    return [over(['white', ...layers])];
  };
  const bad = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const words = walk.currentNode.textContent.replace(/[^\p{L}\p{N}]/gu, '');
    if (!words || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    seen += 1;
    for (const ground of grounds(element)) {
      const colour = over([`rgb(${ground.slice(0, 3)})`, getComputedStyle(element).color]);
      const [dark, bright] = [light(colour), light(ground)].sort((a, b) => a - b);
      const ratio = (bright + 0.05) / (dark + 0.05);
      if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${words.slice(0, 30)}`);
    }
  }
  return { seen, bad: [...new Set(bad)] };
}
