// Where a number comes from, in one box beside it: under the mouse, at the keyboard's focus or at a tap; Escape hides
// it. The words are the number's accessible description (book/_ext/results.py), so nothing is said to the eye alone.
(() => {
  const gap = 6;
  const box = document.createElement("div");
  box.className = "result-origin";
  box.setAttribute("aria-hidden", "true");
  box.hidden = true;
  let shown = null;

  const hide = () => {
    box.hidden = true;
    shown = null;
  };

  const show = (number) => {
    shown = number;
    const lines = number.getAttribute("aria-description").split("; ");
    box.replaceChildren(...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
    box.hidden = false;
    const at = number.getBoundingClientRect();
    const room = document.documentElement.clientWidth - box.offsetWidth - gap;
    const below = at.bottom + box.offsetHeight <= window.innerHeight; // and touching, so that a mouse can follow
    box.style.left = `${Math.max(gap, Math.min(at.left, room))}px`;
    box.style.top = `${below ? at.bottom : at.top - box.offsetHeight}px`;
  };

  const start = () => {
    document.documentElement.classList.add("results-js");
    document.body.append(box);
    const over = (event) => event.target instanceof Element && event.target.closest(".result");
    document.addEventListener("mouseover", (event) => {
      const number = over(event);
      if (number && number !== shown) show(number);
      else if (shown && !number && !box.contains(event.target) && document.activeElement !== shown) hide();
    });
    document.addEventListener("focusin", (event) => (over(event) ? show(over(event)) : hide()));
    document.addEventListener("focusout", hide);
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    document.addEventListener("scroll", hide, true);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
