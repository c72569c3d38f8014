// Returns the faults of the layout of the page that is open: see check_pages.py.
async () => {
  const WIDE = 1000;
  const HEADINGS_AND_CELLS = "h1, h2, h3, h4, h5, h6, th, td";
  const TEXTS = `${HEADINGS_AND_CELLS}, p, dt, .page-toc a`;
  const faults = [];
  const window_width = document.documentElement.clientWidth;
  const name = (element) =>
    `${element.tagName.toLowerCase()} "${element.textContent.trim().slice(0, 40)}"`;
  const is_scrolled = (element) =>
    ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const is_shown = (element) =>
    element.checkVisibility() && element.getBoundingClientRect().width > 1;

  // What holds the whole page, such as an article that scrolls within the window.
  const holds_page = (element) => element.contains(document.querySelector("h1"));

  // What cuts an element off: the right edge of its contents is beyond that of an ancestor
  // that hides what overflows, or of the window. In a narrow window, readers may scroll a table, but
  // not the whole page; in a wide one they should not have to scroll.
  const cut_by = (element) => {
    const contents = document.createRange();
    contents.selectNodeContents(element);
    const { left, right } = contents.getBoundingClientRect();
    for (let around = element.parentElement; around; around = around.parentElement) {
      const overflow = getComputedStyle(around).overflowX;
      const edges = around.getBoundingClientRect();
      const scrolls = is_scrolled(around);
      if (scrolls && window_width < WIDE && !holds_page(around)) return null;
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

  for (const element of document.querySelectorAll("*")) {
    const { scrollWidth, clientWidth } = element;
    const scrolls = element === document.documentElement || is_scrolled(element);
    if (scrolls && scrollWidth > clientWidth + 1 && holds_page(element)) {
      faults.push(`the page is ${scrollWidth} px wide, of which ${clientWidth} show`);
    }
  }
  for (const element of document.querySelectorAll(TEXTS)) {
    if (!is_shown(element)) continue;
    const culprit = cut_by(element);
    if (culprit) faults.push(`${name(element)} is cut off by ${culprit}`);
    else if (
      element.matches(HEADINGS_AND_CELLS) &&
      element.scrollWidth > element.clientWidth + 1
    ) {
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
