// What is wrong with how a mail looks: a list of complaints. Run in the page.
(() => {
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  // Relative luminance and contrast (WCAG 2.2).
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgba(getComputedStyle(element).backgroundColor);
      if (colour.a === 1) return colour;
      if (colour.a > 0) throw new Error("a colour that lets others through");
    }
    return { r: 255, g: 255, b: 255 };
  };
  const complaints = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    if (!text) continue;
    texts += 1;
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = contrast(rgba(style.color), behind(element));
    if (ratio < (isLarge ? 3 : 4.5)) complaints.add(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
    if (size < 13) complaints.add(`${size} px: ${text.slice(0, 40)}`);
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) {
      if (box.left < 0 || box.right > innerWidth + 0.5) complaints.add(`off the page: ${text.slice(0, 40)}`);
    }
  }
  for (const button of document.querySelectorAll(".button, .choice")) {
    const box = button.getBoundingClientRect();
    // What a finger hits (WCAG 2.2, 2.5.5 asks for 44).
    if (box.height < 44 || box.width < 44) complaints.add(`a button of ${box.width} by ${box.height}`);
  }
  if (!texts) complaints.add("nothing to read");
  if (document.documentElement.scrollWidth > innerWidth) complaints.add("it has to be scrolled sideways");
  return [...complaints];
})()
