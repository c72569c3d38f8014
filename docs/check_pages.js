// Returns the faults of the layout of the page that is open: see check_pages.py.
async () => {
  const WIDE = 1000;
  const faults = [];
  const window_width = document.documentElement.clientWidth;
  const name = (element) =>
    `${element.tagName.toLowerCase()} "${element.textContent.trim().slice(0, 40)}"`;
  const is_shown = (element) =>
    element.checkVisibility() && element.getBoundingClientRect().width > 1;

  // What cuts an element off: its right edge is beyond that of an ancestor that hides
  // what overflows, or of the window. In a narrow window, readers can reach it if an
  // ancestor scrolls; in a wide one they should not have to.
  const cut_by = (element) => {
    const { left, right } = element.getBoundingClientRect();
    for (let around = element.parentElement; around; around = around.parentElement) {
      const overflow = getComputedStyle(around).overflowX;
      const edges = around.getBoundingClientRect();
      const scrolls = overflow === "auto" || overflow === "scroll";
      if (scrolls && window_width < WIDE) return null;
      if (around === document.body) break;
      if (overflow !== "visible" && right > edges.right + 1) {
        return `${around.tagName.toLowerCase()}.${around.className}`;
      }
    }
    return left < -1 || right > window_width + 1 ? "the window" : null;
  };

  // Pictures below the window may be loaded late.
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  for (const image of document.images) {
    if (!image.naturalWidth) faults.push(`picture ${image.getAttribute("src")} is broken`);
  }

  const width = document.documentElement.scrollWidth;
  if (width > window_width) faults.push(`the page is ${width} px wide`);
  for (const element of document.querySelectorAll("h1, h2, h3, h4, h5, h6, th, td")) {
    if (!is_shown(element)) continue;
    const culprit = cut_by(element);
    if (culprit) faults.push(`${name(element)} is cut off by ${culprit}`);
    else if (element.scrollWidth > element.clientWidth + 1) {
      faults.push(`${name(element)} is wider than its place`);
    }
  }

  const items = document.querySelectorAll(".bd-header .navbar-nav > li, .bd-header a");
  const middles = [...items].filter(is_shown).map((item) => {
    const { top, bottom } = item.getBoundingClientRect();
    return (top + bottom) / 2;
  });
  if (Math.max(...middles) - Math.min(...middles) > 12) {
    faults.push("the header has more than one row");
  }
  return faults;
}
